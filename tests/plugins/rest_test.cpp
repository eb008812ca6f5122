// REST: tokens, what may be asked and what may not, profile, contacts, rooms, commands.
#include "core/base64.h"
#include "core/commands.h"
#include "plugins/rest/body.h"
#include "plugins/rest/service.h"
#include "route/account_admin.h"
#include "store/stores.h"
#include "tests/plugins/rest_support.h"

#include <set>

using namespace epode;
using namespace epode::rest;

namespace {

std::string login(std::string_view name, std::string_view password) {
    return R"({"username":")" + std::string{name} + R"(","password":")" + std::string{password} +
           "\"}";
}

}  // namespace

TEST_CASE("a token is given for a password, and for nothing else") {
    Stage stage;
    stage.server.addAccount("nurse@montague.example");
    const auto outcome = [&](const std::string& body) {
        return stage.post("/login", "", body).outcome();
    };
    CHECK(outcome(login("juliet", "secret")) == "200");
    CHECK(outcome(login(juliets, "secret")) == "200");
    CHECK(outcome(login("juliet", "wrong")) == "401 wrong-credentials");
    CHECK(outcome(login("rosaline", "secret")) == "401 wrong-credentials");
    CHECK(outcome(login("nurse@montague.example", "secret")) == "401 wrong-credentials");
    CHECK(outcome(login("juliet@capulet.example/x", "secret")) == "401 wrong-credentials");
    CHECK(outcome(login("a b@c", "secret")) == "401 wrong-credentials");
    CHECK(outcome(login("", "secret")) == "400 bad-request");
    CHECK(outcome(login("juliet", "")) == "400 bad-request");
    CHECK(outcome("{}") == "400 bad-request");
    CHECK(outcome(R"({"username":"juliet","password":"secret","scopes":["all"]})") ==
          "400 bad-request");
    CHECK(outcome(R"({"username":"juliet","password":"secret","lifetime":5})") ==
          "400 bad-request");
    // No wrong password reaches a log or an answer.
    CHECK(!has(stage.post("/login", "", login("juliet", "s3cr3t")).body, "s3cr3t"));

    const auto told = stage.post("/login", "", login("juliet", "secret"));
    CHECK(told.text("address") == juliets);
    CHECK(told.text("scope") == "rest:read rest:write rest:send");
    CHECK(told.field("Cache-Control") == "no-store");
    CHECK(stage.get("/contacts", told.text("token")).outcome() == "200");
    // It is no password, and no login to XMPP.
    CHECK(outcome(login("juliet", told.text("token"))) != "200");
    CHECK(stage.get("/commands", told.text("token")).outcome() == "403 insufficient-scope");
}

TEST_CASE("passwords are guessed as slowly as elsewhere") {
    Stage stage{"[login]\naccount_burst = 3\naddress_burst = 1000"};
    for (int i = 0; i < 3; ++i)
        CHECK(stage.post("/login", "", login("juliet", "wrong")).status == 401);
    CHECK(stage.post("/login", "", login("juliet", "secret")).outcome() == "429 too-many");
    CHECK(!stage.post("/login", "", login("juliet", "secret")).field("Retry-After").empty());
    // The same limit holds over XMPP.
    auto& client = stage.server.connect();
    client.startTls().sendHeader().forget();
    client.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
                encodeBase64(std::string{'\0'} + "juliet" + '\0' + "secret") + "</auth>");
    CHECK(has(client.next(), "<temporary-auth-failure/>"));
    stage.server.advance(std::chrono::minutes{5});
    CHECK(stage.post("/login", "", login("juliet", "secret")).status == 200);
}

TEST_CASE("each operation needs its token, with its scope") {
    Stage stage;
    const auto all = stage.tokenOf("juliet");
    for (const auto& operation : Service::operations()) {
        if (operation.scope == rest::Scope::None) continue;
        std::string path{operation.path};
        for (const auto* name : {"{address}", "{room}", "{with}"})
            if (const auto at = path.find(name); at != std::string::npos)
                path.replace(at, std::string_view{name}.size(), "romeo@capulet.example");
        for (const auto* name : {"{name}", "{file}"})
            if (const auto at = path.find(name); at != std::string::npos)
                path.replace(at, std::string_view{name}.size(), "status");
        const auto outcome = [&](std::string_view token) {
            return stage.ask(toText(operation.method), path, token).outcome();
        };
        INFO(operation.id);
        CHECK(outcome("") == "401 not-logged-in");
        CHECK(outcome("no.such.token") == "401 not-logged-in");
        CHECK(outcome(all.substr(0, all.size() - 4) + "AAAA") == "401 not-logged-in");
        std::string others;
        for (const rest::Scope scope : allScopes)
            if (scope != operation.scope)
                others.append(others.empty() ? "\"" : ",\"").append(toText(scope)).append("\"");
        CHECK(outcome(stage.tokenOf("juliet", "[" + others + "]")) == "403 insufficient-scope");
    }
    const auto told = stage.get("/contacts", "");
    CHECK(told.field("WWW-Authenticate") == "Bearer realm=\"rest\"");
    // A token of one host is nobody's at another.
    CHECK(stage.ask("GET", "/contacts", all, "", "", "montague.example").outcome() ==
          "401 not-logged-in");
    // Nor is it sent where others can read it.
    WebClient plain{stage.server, {}, false};
    CHECK(statusOf(plain.get(
              "/api/v1/contacts",
              "X-Forwarded-For: 192.0.2.1\r\nAuthorization: Bearer " + all + "\r\n")) == "403");
}

TEST_CASE("a token ends with the password, with the account, and with its time") {
    Stage stage;
    const auto token = stage.tokenOf("juliet");
    const auto status = [&] { return stage.get("/contacts", token).status; };
    CHECK(status() == 200);
    auto& accounts = stage.server.server().stores().accounts;
    SECTION("a new password") {
        CHECK(stage.server.wait(changePassword(stage.server.server(), *Jid::parse(juliets),
                                               "another")) == PasswordChange::Done);
        CHECK(status() == 401);
        CHECK(stage.post("/login", "", login("juliet", "another")).status == 200);
    }
    SECTION("a suspended account") {
        CHECK(stage.server.wait(accounts.setDisabled(juliets, true)));
        CHECK(status() == 401);
        CHECK(stage.post("/login", "", login("juliet", "secret")).status == 403);
        CHECK(stage.server.wait(accounts.setDisabled(juliets, false)));
        CHECK(status() == 200);
    }
    SECTION("a removed account") {
        CHECK(stage.server.wait(removeAccount(stage.server.server(), *Jid::parse(juliets))));
        CHECK(status() == 401);
        stage.server.addAccount(juliets);
        CHECK(status() == 401);
    }
    SECTION("its time") {
        stage.server.advance(std::chrono::minutes{59});
        CHECK(status() == 200);
        stage.server.advance(std::chrono::minutes{2});
        CHECK(status() == 401);
    }
    SECTION("not with a restart") {
        stage.server.restart();
        CHECK(status() == 200);
    }
}

TEST_CASE("what is not as it has to be is refused with all that is wrong") {
    Stage stage;
    const auto token = stage.tokenOf("juliet");
    struct Row {
        std::string method;
        std::string path;
        std::string body;
        std::string outcome;
    };
    const std::vector<Row> rows{
        {"GET", "/contacts", "", "200"},
        {"GET", "/messages", "", "200"},
        {"GET", "/messages?limit=1&with=romeo%40capulet.example", "", "200"},
        {"GET", "/messages?start=2026-01-01T00:00:00Z", "", "200"},
        {"POST", "/messages", saying(romeos, "x"), "201"},
        {"POST", "/messages", R"({"to":"romeo@capulet.example","body":"x","subject":null})", "201"},
        {"PUT", "/contacts/romeo@capulet.example", R"({"groups":["a","b"],"subscribe":false})",
         "201"},
        {"PUT", "/contacts/romeo%40capulet.example", "{}", "200"},
        {"GET", "/nothing", "", "404 not-found"},
        {"GET", "", "", "404"},
        {"GET", "/contacts/", "", "404 not-found"},
        {"GET", "/contacts/a/b/c", "", "404 not-found"},
        {"DELETE", "/contacts", "", "405 method-not-allowed"},
        {"GET", "/login", "", "405 method-not-allowed"},
        {"PATCH", "/messages", "{}", "405 method-not-allowed"},
        {"GET", "/messages?limit=0", "", "400 bad-request"},
        {"GET", "/messages?limit=101", "", "400 bad-request"},
        {"GET", "/messages?limit=many", "", "400 bad-request"},
        {"GET", "/messages?limit=1&limit=2", "", "400 bad-request"},
        {"GET", "/messages?with=a%20b", "", "400 bad-request"},
        {"GET", "/messages?with=romeo@capulet.example/x", "", "400 bad-request"},
        {"GET", "/messages?with=%zz", "", "400 bad-request"},
        {"GET", "/messages?before=1", "", "400 bad-request"},
        {"GET", "/messages?start=yesterday", "", "400 bad-request"},
        {"GET", "/messages?color=red", "", "400 bad-request"},
        {"POST", "/messages", "", "400 bad-request"},
        {"POST", "/messages", "hello", "400 bad-request"},
        {"POST", "/messages", "[]", "400 bad-request"},
        {"POST", "/messages", "5", "400 bad-request"},
        {"POST", "/messages", "{", "400 bad-request"},
        {"POST", "/messages", "{}}", "400 bad-request"},
        {"POST", "/messages", saying(romeos, "x") + " x", "400 bad-request"},
        {"POST", "/messages", "/**/" + saying(romeos, "x"), "400 bad-request"},
        {"POST", "/messages", saying(romeos, "x", R"(,"body":"y")"), "400 bad-request"},
        {"POST", "/messages", saying(romeos, "x", R"(,"colour":"red")"), "400 bad-request"},
        {"POST", "/messages", saying(romeos, "x", R"(,"type":"shout")"), "400 bad-request"},
        {"POST", "/messages", saying(romeos, "x", R"(,"subject":5)"), "400 bad-request"},
        {"POST", "/messages", saying(romeos, "x", R"(,"subject":{"a":1})"), "400 bad-request"},
        {"POST", "/messages", saying(romeos, "x", R"(,"subject":["a"])"), "400 bad-request"},
        {"POST", "/messages", saying(romeos, "x", R"(,"attachments":"a")"), "400 bad-request"},
        {"POST", "/messages", saying(romeos, "x", R"(,"attachments":[5])"), "400 bad-request"},
        {"POST", "/messages", saying(romeos, "x", R"(,"attachments":[["a"]])"), "400 bad-request"},
        {"POST", "/messages", saying(romeos, "\\u0000"), "400 bad-request"},
        {"POST", "/messages", saying(romeos, "\\u0007"), "400 bad-request"},
        {"POST", "/messages", saying(romeos, "\\ufffe"), "400 bad-request"},
        {"POST", "/messages", saying(romeos, "\\ud800"), "400 bad-request"},
        {"POST", "/messages", saying(romeos, "\xff"), "400 bad-request"},
        {"POST", "/messages", saying("romeo", "x", R"(,"to":"")"), "400 bad-request"},
        {"POST", "/messages", R"({"to":"romeo@capulet.example"})", "400 bad-request"},
        {"POST", "/messages", R"({"body":"x"})", "400 bad-request"},
        {"POST", "/messages", std::string(70000, '['), "413 too-large"},
        {"POST", "/messages", saying(romeos, std::string(60001, 'x')), "400 bad-request"},
        {"PUT", "/contacts/nobody", R"({"name":5})", "400 bad-request"},
        {"PUT", "/contacts/juliet@capulet.example", "{}", "400 bad-request"},
        {"GET", "/contacts?x=1", "", "400 bad-request"},
        {"DELETE", "/contacts/rosaline@capulet.example", "{}", "413 too-large"},
    };
    for (const auto& row : rows) {
        INFO(row.method << " " << row.path << " " << row.body.substr(0, 100));
        CHECK(stage.ask(row.method, row.path, token, row.body).outcome() == row.outcome);
    }
    CHECK(stage.ask("POST", "/messages", token, saying(romeos, "x"), "Content-Type: text/plain\r\n")
              .outcome() == "415 wrong-type");
    CHECK(stage.ask("DELETE", "/contacts", token).field("Allow") == "GET, HEAD");
    const auto told = stage.post("/messages", token, R"({"to":"a b","type":"x","y":1})");
    std::set<std::string> places;
    for (const auto& each : told.list("errors")) places.insert(each->get("name").toString());
    CHECK(places == std::set<std::string>{"to", "type", "y"});
    // In pieces, and longer than it may be.
    WebClient web{stage.server};
    CHECK(statusOf(web.ask("POST /api/v1/messages HTTP/1.1\r\nHost: capulet.example\r\n"
                           "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
                           "Authorization: Bearer " +
                           token + "\r\n\r\n11000\r\n" + std::string(0x11000, ' ') +
                           "\r\n0\r\n\r\n")) == "413");
}

TEST_CASE("an account and an address ask so often and no more") {
    Stage stage{"[rest]\nrequests_per_minute = 20"};
    const auto token = stage.tokenOf("juliet");
    int limited = 0;
    for (int i = 0; i < 30; ++i) limited += stage.get("/contacts", token).status == 429;
    CHECK(limited >= 10);
    CHECK(stage.get("/contacts", token).outcome() == "429 too-many");
    stage.server.advance(std::chrono::minutes{1});
    CHECK(stage.get("/contacts", token).status == 200);
}

TEST_CASE("pages of other origins may ask, with a token of theirs") {
    Stage stage;
    WebClient web{stage.server};
    const auto answer = web.ask(
        "OPTIONS /api/v1/messages HTTP/1.1\r\nHost: capulet.example\r\nOrigin: "
        "https://bot.example\r\n"
        "Access-Control-Request-Method: POST\r\n"
        "Access-Control-Request-Headers: authorization, idempotency-key\r\n\r\n");
    CHECK(statusOf(answer) == "204");
    CHECK(has(answer, "Access-Control-Allow-Origin: *\r\n"));
    CHECK(has(answer, "Idempotency-Key"));
    CHECK(!has(answer, "Access-Control-Allow-Credentials"));
}

TEST_CASE("the document and the page tell all that there is") {
    Stage stage;
    const auto document = stage.get("/openapi.json", "");
    REQUIRE(document.status == 200);
    const auto json = document.json();
    CHECK(json->get("openapi").toString() == "3.1.0");
    const auto page = stage.get("/", "");
    CHECK(page.status == 200);
    CHECK(has(page.field("Content-Security-Policy"), "default-src 'none'"));
    CHECK(!has(page.body, "<script"));
    std::set<std::string> ids;
    for (const auto& operation : Service::operations()) {
        INFO(operation.id);
        CHECK(ids.insert(std::string{operation.id}).second);
        const auto path = json->getObject("paths")->getObject(std::string{operation.path});
        REQUIRE(path);
        std::string method{toText(operation.method)};
        for (char& c : method) c = char(c - 'A' + 'a');
        REQUIRE(path->getObject(method));
        CHECK(path->getObject(method)->get("operationId").toString() == operation.id);
        CHECK(has(page.body, "id=\"" + std::string{operation.id} + "\""));
        for (const auto& field : operation.fields) {
            CHECK(!field.help.empty());
            const bool isInPath =
                operation.path.find("{" + std::string{field.name} + "}") != std::string_view::npos;
            CHECK(isInPath == (field.in == In::Path));
        }
    }
    // What is referred to is there.
    for (std::size_t at = 0;
         (at = document.body.find("#/components/schemas/", at)) != std::string::npos;) {
        at += 21;
        const auto name = document.body.substr(at, document.body.find('"', at) - at);
        INFO(name);
        CHECK(json->getObject("components")->getObject("schemas")->has(name));
    }
}

TEST_CASE("a profile is what the clients of XMPP see") {
    Stage stage;
    const auto token = stage.tokenOf("juliet");
    auto& romeo = stage.server.login(romeos + "/orchard");
    CHECK(stage.get("/profile", token).body == "{\"address\":\"juliet@capulet.example\"}\n");
    CHECK(stage
              .ask("PATCH", "/profile", token,
                   R"({"full_name":"Juliet <Capulet>","nickname":"J","note":"13 & in love"})")
              .status == 200);
    CHECK(stage.ask("PATCH", "/profile", token, R"({"nickname":"Jul","note":""})").status == 200);
    const auto told = stage.get("/profile", token);
    CHECK(told.text("full_name") == "Juliet <Capulet>");
    CHECK(told.text("nickname") == "Jul");
    CHECK(!told.json()->has("note"));
    // To those who may see it.
    CHECK(stage.get("/profiles/juliet@capulet.example", stage.tokenOf("romeo")).status >= 400);
    stage.ask("PUT", "/contacts/" + juliets, stage.tokenOf("romeo"), "{}");
    CHECK(stage.post("/contacts/" + romeos + "/accept", token, "").status == 204);
    const auto vcard = romeo.ask("get", "<vCard xmlns='vcard-temp'/>", juliets);
    CHECK(has(vcard, "<FN>Juliet &lt;Capulet&gt;</FN>"));
    CHECK(stage.get("/profiles/juliet@capulet.example", stage.tokenOf("romeo")).text("nickname") ==
          "Jul");
    CHECK(stage.get("/profiles/rosaline@capulet.example", token).status >= 400);

    const std::string png =
        "\x89PNG\r\n\x1a\n" + std::string("\0\0\0\rIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0", 21);
    const auto put = [&](const std::string& bytes) {
        return stage.ask("PUT", "/profile/picture", token, bytes, "Content-Type: image/png\r\n")
            .outcome();
    };
    CHECK(stage.get("/profile/picture", token).outcome() == "404 not-found");
    CHECK(put("<svg onload='x'/>") == "415 wrong-type");
    CHECK(put(std::string(600000, 'x')) == "413 too-large");
    CHECK(put(png) == "204");
    const auto picture = stage.get("/profile/picture", token);
    CHECK(picture.body == png);
    CHECK(picture.field("Content-Type") == "image/png");
    CHECK(has(picture.field("Content-Security-Policy"), "sandbox"));
    CHECK(stage.get("/profile", token).json()->getObject("picture")->get("type").toString() ==
          "image/png");
    CHECK(stage.ask("DELETE", "/profile/picture", token).status == 204);
    CHECK(stage.get("/profile/picture", token).outcome() == "404 not-found");
}

TEST_CASE("contacts are asked, accepted, denied and removed") {
    Stage stage;
    const auto token = stage.tokenOf("juliet");
    auto& romeo = stage.server.login(romeos + "/orchard");
    romeo.forget();
    CHECK(stage.ask("PUT", "/contacts/" + romeos, token, R"({"name":"Romeo","groups":["Friends"]})")
              .status == 201);
    CHECK(has(romeo.next(), "type='subscribe'"));
    romeo.send("<presence type='subscribed' to='" + juliets + "'/>");
    auto contacts = stage.get("/contacts", token).list("contacts");
    REQUIRE(contacts.size() == 1);
    CHECK(contacts[0]->get("subscription").toString() == "to");
    CHECK(contacts[0]->getArray("groups")->getElement<std::string>(0) == "Friends");
    // What is not said stays.
    CHECK(
        stage.ask("PUT", "/contacts/" + romeos, token, R"({"groups":["Family"],"subscribe":false})")
            .status == 200);
    CHECK(stage.get("/contacts", token).list("contacts")[0]->get("name").toString() == "Romeo");

    CHECK(stage.get("/contacts/requests", token).list("requests").empty());
    romeo.send("<presence type='subscribe' to='" + juliets + "'/>");
    auto requests = stage.get("/contacts/requests", token).list("requests");
    REQUIRE(requests.size() == 1);
    CHECK(requests[0]->get("address").toString() == romeos);
    CHECK(stage.post("/contacts/" + romeos + "/accept", token, "").status == 204);
    CHECK(stage.get("/contacts/requests", token).list("requests").empty());
    CHECK(stage.get("/contacts", token).list("contacts")[0]->get("subscription").toString() ==
          "both");
    CHECK(stage.post("/contacts/" + romeos + "/deny", token, "").status == 204);
    CHECK(stage.get("/contacts", token).list("contacts")[0]->get("subscription").toString() ==
          "to");
    CHECK(stage.ask("DELETE", "/contacts/" + romeos, token).status == 204);
    CHECK(stage.get("/contacts", token).list("contacts").empty());
    CHECK(stage.ask("DELETE", "/contacts/" + romeos, token).outcome() == "404 not-found");
    // Nobody sees another's.
    CHECK(stage.get("/contacts", stage.tokenOf("romeo")).list("contacts").size() <= 1);
}

namespace {

// Romeo is in it.
std::string openBalcony(Stage& stage) {
    auto& romeo = stage.server.login(romeos + "/orchard");
    std::string room = "balcony@conference.capulet.example";
    romeo.send("<presence to='" + room +
               "/Romeo'><x xmlns='http://jabber.org/protocol/muc'/></presence>");
    romeo.ask("set",
              "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' "
              "type='submit'/></query>",
              room);
    return room;
}

}  // namespace

TEST_CASE("rooms are noted, found and looked at") {
    Stage stage;
    const auto token = stage.tokenOf("juliet");
    const std::string room = openBalcony(stage);
    CHECK(stage.get("/rooms", token).list("rooms").empty());
    CHECK(stage.ask("PUT", "/rooms/" + room, token, R"({"name":"The balcony","nick":"Jul"})")
              .status == 201);
    CHECK(stage.ask("PUT", "/rooms/" + room, token, R"({"autojoin":true})").status == 200);
    const auto noted = stage.get("/rooms", token).list("rooms");
    REQUIRE(noted.size() == 1);
    CHECK(noted[0]->get("nick").toString() == "Jul");
    CHECK(noted[0]->get("autojoin").convert<bool>());
    CHECK(noted[0]->get("bookmarked").convert<bool>());
    CHECK_FALSE(noted[0]->get("joined").convert<bool>());
    const auto shown = stage.get("/rooms/" + room, token);
    CHECK(shown.status == 200);
    CHECK(shown.text("nick") == "Jul");
    CHECK(shown.text("occupants") == "1");
    CHECK(stage.get("/rooms/nowhere@conference.capulet.example", token).outcome() ==
          "404 not-found");
    CHECK(stage.get("/rooms/" + juliets, token).status == 404);
    CHECK(stage.get("/rooms/public", token).status == 200);
    CHECK(stage.get("/rooms/public?service=a%20b", token).outcome() == "404 not-found");
    CHECK(stage.ask("DELETE", "/rooms/" + room, token).status == 204);
    CHECK(stage.get("/rooms", token).list("rooms").empty());
    CHECK(stage.ask("PUT", "/rooms/capulet.example", token, "{}").outcome() == "400 bad-request");
}

TEST_CASE("the list has rooms that one is in, noted or not, and nobody else's") {
    Stage stage{"[rest]\nsession_idle = '20 s'"};
    const auto token = stage.tokenOf("juliet");
    const std::string room = openBalcony(stage);
    const auto list = [&](const std::string& whose) {
        std::string text;
        for (const auto& each : stage.get("/rooms", whose).list("rooms"))
            text += each->get("address").toString() + " " +
                    (each->has("nick") ? each->get("nick").toString() : "-") +
                    (each->get("bookmarked").convert<bool>() ? " bookmarked" : "") +
                    (each->get("joined").convert<bool>() ? " joined" : "") + "\n";
        return text;
    };
    CHECK(stage.post("/messages", token, saying(room, "Ay me", R"(,"type":"groupchat")")).status ==
          201);
    CHECK(list(token) == room + " juliet joined\n");
    CHECK(list(stage.tokenOf("romeo")).empty());
    CHECK(stage.ask("PUT", "/rooms/" + room, token, R"({"nick":"Jul"})").status == 201);
    CHECK(list(token) == room + " juliet bookmarked joined\n");
    stage.server.advance(std::chrono::seconds{31});
    CHECK(list(stage.tokenOf("juliet")) == room + " Jul bookmarked\n");
}

TEST_CASE("a place for a file is the one that clients of XMPP get") {
    Stage stage;
    const auto token = stage.tokenOf("juliet");
    const auto told =
        stage.post("/uploads", token, R"({"name":"ring.png","bytes":4,"type":"image/png"})");
    REQUIRE(told.status == 201);
    const std::string site = "https://capulet.example:5281";
    REQUIRE(told.text("put").starts_with(site));
    WebClient web{stage.server};
    CHECK(statusOf(web.ask(
              "PUT " + told.text("put").substr(site.size()) +
              " HTTP/1.1\r\nHost: capulet.example\r\nContent-Length: 4\r\n\r\nring")) == "201");
    CHECK(bodyOf(web.get(told.text("get").substr(site.size()))) == "ring");
    CHECK(stage.post("/uploads", token, R"({"name":"x","bytes":1000000000000})").outcome() ==
          "413 too-large");
    CHECK(stage.post("/uploads", token, R"({"name":"x","bytes":0})").outcome() ==
          "400 bad-request");
    CHECK(stage.post("/uploads", token, R"({"bytes":5})").outcome() == "400 bad-request");
    CHECK(stage.post("/uploads", token, R"({"name":"x","bytes":5,"purpose":"ephemeral"})")
              .outcome() == "400 bad-request");
}

TEST_CASE("people see and delete what they have uploaded, and nobody else's") {
    Stage stage;
    const auto token = stage.tokenOf("juliet");
    const std::string site = "https://capulet.example:5281";
    WebClient web{stage.server};
    const auto upload = [&](const std::string& name) {
        const auto told = stage.post("/uploads", token,
                                     R"({"name":")" + name + R"(","bytes":4,"type":"image/png"})");
        web.ask("PUT " + told.text("put").substr(site.size()) +
                " HTTP/1.1\r\nHost: capulet.example\r\nContent-Length: 4\r\n\r\nring");
        stage.server.advance(std::chrono::seconds{1});
        return told.text("get");
    };
    CHECK(stage.get("/uploads", token).list("uploads").empty());
    const auto first = upload("ring.png");
    const auto second = upload("chain.png");
    const auto page = stage.get("/uploads?limit=1", token);
    CHECK(page.text("count") == "2");
    CHECK(page.text("bytes") == "8");
    REQUIRE(page.list("uploads").size() == 1);
    const auto newest = page.list("uploads")[0];
    CHECK(newest->get("name").toString() == "chain.png");
    CHECK(newest->get("get").toString() == second);
    CHECK(newest->get("type").toString() == "image/png");
    CHECK(newest->get("purpose").toString() == "message");
    const auto id = newest->get("id").toString();
    const auto older = stage.get("/uploads?before=" + id, token).list("uploads");
    REQUIRE(older.size() == 1);
    CHECK(older[0]->get("get").toString() == first);
    // Nobody else sees or removes them.
    const auto his = stage.tokenOf("romeo");
    CHECK(stage.get("/uploads", his).list("uploads").empty());
    CHECK(stage.ask("DELETE", "/uploads/" + id, his).outcome() == "404 not-found");
    CHECK(stage.ask("DELETE", "/uploads/" + id, token).status == 204);
    CHECK(stage.ask("DELETE", "/uploads/" + id, token).outcome() == "404 not-found");
    CHECK(statusOf(web.get(second.substr(site.size()))) == "404");
    CHECK(statusOf(web.get(first.substr(site.size()))) == "200");
    CHECK(stage.get("/uploads", token).text("count") == "1");
    for (const std::string wrong : {"?before=0", "?before=x", "?limit=0", "?limit=101"})
        CHECK(stage.get("/uploads" + wrong, token).outcome() == "400 bad-request");
    CHECK(stage.ask("DELETE", "/uploads/x", token).status >= 400);
    // Past the interface as well.
    auto& juliet = stage.server.login(juliets + "/phone");
    const std::string ns = "urn:epode:upload:files";
    for (const std::string wrong :
         {"<delete/>", "<delete id='x'/>", "<delete id='1x'/>", "<keep id='1'/>"})
        CHECK(outcome(juliet.ask("set", "<files xmlns='" + ns + "'>" + wrong + "</files>",
                                 "upload.capulet.example")) == "modify bad-request");
    CHECK(outcome(juliet.ask("get", "<files xmlns='" + ns + "' max='-1'/>",
                             "upload.capulet.example")) == "modify bad-request");
}

TEST_CASE("requests find their account on whatever loop they come in") {
    Stage stage{{}, 3};
    const auto token = stage.tokenOf("juliet");
    for (stage.shard = 0; stage.shard < 3; ++stage.shard) {
        CHECK(stage.get("/contacts", token).status == 200);
        CHECK(stage.post("/messages", token, saying(romeos, "x")).status == 201);
    }
    stage.shard = 0;
    CHECK(stage.get("/messages", token).list("messages").size() == 3);
}

TEST_CASE("JSON of a body is read strictly") {
    const auto& operations = Service::operations();
    const auto send = std::find_if(operations.begin(), operations.end(),
                                   [](const auto& each) { return each.id == "sendMessage"; });
    const auto wrong = [&](std::string_view json) {
        Values values;
        Places places;
        readJson(*send, json, values, places);
        return places.size();
    };
    CHECK(wrong(R"({})") == 0);
    CHECK(wrong(R"({"body":"\u00e9\ud83d\ude00\n"})") == 0);
    CHECK(wrong(R"({"attachments":[]})") == 0);
    CHECK(wrong(R"( {"body" : "x" } )") == 0);
    for (const std::string_view json :
         {"", "null", "\"x\"", "{\"body\":\"x\",}", "{'body':'x'}", "{\"body\":\"x\"",
          "{\"body\" \"x\"}", "{\"body\":\"x\"}{}", "{\"body\":tru}", "{\"body\":01}",
          "{\"\":\"\"}", "{\"body\":[[[[[[]]]]]]}", "{\"attachments\":{\"a\":[1,{\"b\":2}]}}",
          "{\"body\":\"\\x\"}", "{\"body\":\"\\ud800\"}", "\xef\xbb\xbf{}"}) {
        INFO(json);
        CHECK(wrong(json) > 0);
    }
    RawArguments arguments;
    Places places;
    readArguments(R"({"a":"x","b":5,"c":true,"d":["y","z"],"e":null})", arguments, places);
    CHECK(places.empty());
    CHECK(arguments.size() == 4);
    readArguments(R"({"a":1.5,"b":[5],"c":{},"d":18446744073709551615})", arguments, places);
    CHECK(places.size() == 4);
}
