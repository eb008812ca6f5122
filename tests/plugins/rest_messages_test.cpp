// Messages by REST: sent as a client's, read in pages, told as they come.
#include "route/account.h"
#include "route/account_admin.h"
#include "route/shard.h"
#include "store/stores.h"
#include "tests/plugins/rest_support.h"

using namespace epode;
using namespace epode::rest;

namespace {

const std::string room = "balcony@conference.capulet.example";

std::string chat(const std::string& to, const std::string& body) {
    return "<message type='chat' to='" + to + "'><body>" + body + "</body></message>";
}

// Somebody is in a room that he has made.
void makeRoom(TestClient& client, const std::string& config = {}) {
    client.send("<presence to='" + room +
                "/Romeo'><x xmlns='http://jabber.org/protocol/muc'/></presence>");
    client.ask("set",
               "<query xmlns='http://jabber.org/protocol/muc#owner'><x xmlns='jabber:x:data' "
               "type='submit'>" +
                   config + "</x></query>",
               room);
    client.forget();
}

std::string withKey(const std::string& key) { return "Idempotency-Key: " + key + "\r\n"; }

std::vector<std::string> bodiesOf(const Told& told) {
    std::vector<std::string> all;
    for (const auto& each : told.list("messages")) all.push_back(each->get("body").toString());
    return all;
}

}  // namespace

TEST_CASE("a message by REST is one like any other") {
    Stage stage;
    const auto token = stage.tokenOf("juliet");
    auto& romeo = stage.server.login(romeos + "/orchard");
    auto& phone = stage.server.login(juliets + "/phone");
    phone.ask("set", "<enable xmlns='urn:xmpp:carbons:2'/>");
    phone.forget();
    romeo.forget();
    const auto told =
        stage.post("/messages", token,
                   saying(romeos, "Wherefore art thou <Romeo>?",
                          R"(,"subject":"Balcony","attachments":["https://x.example/a.png"])"));
    REQUIRE(told.status == 201);
    const auto got = romeo.next();
    CHECK(has(got, "<body>Wherefore art thou &lt;Romeo&gt;?</body>"));
    CHECK(has(got, "from='juliet@capulet.example/rest-"));
    CHECK(has(got, "id='" + told.text("message_id") + "'"));
    CHECK(has(got, "<url>https://x.example/a.png</url>"));
    CHECK(has(phone.next(), "<sent xmlns='urn:xmpp:carbons:2'>"));
    // It is in her archive, under the id that she was told.
    const auto page = stage.get("/messages?with=" + romeos, token);
    REQUIRE(page.list("messages").size() == 1);
    const auto one = page.list("messages")[0];
    CHECK(one->get("id").toString() == told.text("id"));
    CHECK(one->get("outgoing").convert<bool>());
    CHECK(one->get("subject").toString() == "Balcony");
    CHECK(one->get("at").toString() == told.text("at"));
    CHECK(page.json()->get("complete").convert<bool>());
    // What answers, corrects, reacts and takes back.
    const auto id = told.text("message_id");
    CHECK(stage.post("/messages", token, saying(romeos, "Art thou", R"(,"replaces":")" + id + "\""))
              .status == 201);
    CHECK(
        stage
            .post("/messages", token,
                  R"({"to":"romeo@capulet.example","reacts_to":")" + id + R"(","reactions":["x"]})")
            .status == 201);
    CHECK(
        stage.post("/messages", token, R"({"to":"romeo@capulet.example","retracts":")" + id + "\"}")
            .status == 201);
    CHECK(has(romeo.next(), "<replace xmlns='urn:xmpp:message-correct:0' id='" + id + "'/>"));
    CHECK(has(romeo.next(), "<reaction>x</reaction>"));
    CHECK(has(romeo.next(), "<retract xmlns='urn:xmpp:message-retract:1'"));
}

TEST_CASE("who answers a message by REST is heard by clients that somebody looks at") {
    Stage stage;
    const auto token = stage.tokenOf("juliet");
    auto& romeo = stage.server.login(romeos + "/orchard");
    romeo.forget();
    const auto write = [&](const std::string& body) {
        CHECK(stage.post("/messages", token, saying(romeos, body)).status == 201);
        const auto got = parseXml(romeo.next(), ns::client);
        REQUIRE(got);
        return std::string{(*got)->get("from")};
    };
    SECTION("whoever comes next") {
        romeo.send(chat(write("one"), "two"));
        CHECK(romeo.next().empty());
        auto& phone = stage.server.login(juliets + "/phone");
        CHECK(has(phone.bytes(), "<body>two</body>"));
    }
    SECTION("whoever is there") {
        auto& phone = stage.server.login(juliets + "/phone");
        romeo.send(chat(write("one"), "two"));
        CHECK(has(phone.bytes(), "<body>two</body>"));
        // And the other way goes on.
        romeo.send(chat(write("three"), "four"));
        CHECK(has(phone.bytes(), "<body>four</body>"));
    }
    SECTION("who listens") {
        Events events{stage, token};
        const auto from = write("one");
        romeo.send("<message type='chat' to='" + from +
                   "'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>");
        romeo.send(chat(from, "two"));
        CHECK(events.bodies() == std::vector<std::string>{"one", "two"});
        CHECK(events.events("typing").size() == 1);
    }
    const auto archived = stage.get("/messages?with=" + romeos, token).list("messages");
    CHECK(archived.back()->get("outgoing").convert<bool>() == false);
}

TEST_CASE("a message by REST is refused as any other") {
    Stage stage;
    const auto token = stage.tokenOf("juliet");
    auto& romeo = stage.server.login(romeos + "/orchard");
    romeo.ask("set", "<block xmlns='urn:xmpp:blocking'><item jid='" + juliets + "'/></block>");
    romeo.forget();
    CHECK(stage.post("/messages", token, saying(romeos, "x")).status == 422);
    CHECK(romeo.next().empty());
    CHECK(stage.post("/messages", token, saying("rosaline@capulet.example", "x")).outcome() ==
          "422 refused");
    CHECK(
        stage.post("/messages", token, saying("rosaline@capulet.example", "x")).text("condition") ==
        "service-unavailable");
    CHECK(stage.post("/messages", token, saying("a@nowhere.example", "x")).outcome() ==
          "502 remote-failed");
    // Her own blocking holds for her too.
    auto& juliet = stage.server.login(juliets + "/phone");
    juliet.ask("set",
               "<block xmlns='urn:xmpp:blocking'><item jid='nurse@capulet.example'/></block>");
    stage.server.addAccount("nurse@capulet.example");
    CHECK(stage.post("/messages", token, saying("nurse@capulet.example", "x")).status == 422);
}

TEST_CASE("nothing is answered before it is stored") {
    Stage stage;
    const auto token = stage.tokenOf("juliet");
    CHECK(stage.post("/messages", token, saying(romeos, "first")).status == 201);
    stage.server.crash();
    CHECK(bodiesOf(stage.get("/messages", token)) == std::vector<std::string>{"first"});
    auto& romeo = stage.server.login(romeos + "/orchard");
    CHECK(has(romeo.bytes(), "<body>first</body>"));
}

TEST_CASE("the same key sends once, and is answered as before") {
    Stage stage;
    const auto token = stage.tokenOf("juliet");
    auto& romeo = stage.server.login(romeos + "/orchard");
    romeo.forget();
    const auto send = [&](const std::string& key, const std::string& body) {
        return stage.post("/messages", token, saying(romeos, body), withKey(key));
    };
    const auto count = [&] {
        std::size_t messages = 0;
        for (const auto& each : romeo.all()) messages += each.starts_with("<message");
        return messages;
    };
    const auto first = send("one", "Hello");
    const auto again = send("one", "Hello");
    REQUIRE(first.status == 201);
    CHECK(again.status == 201);
    CHECK(again.body == first.body);
    CHECK(again.field("Idempotency-Replayed") == "true");
    CHECK(count() == 1);
    CHECK(send("one", "Good bye").outcome() == "422 key-used");
    CHECK(send("two", "Hello").text("message_id") != first.text("message_id"));
    CHECK(count() == 1);
    CHECK(send(std::string(201, 'k'), "x").outcome() == "400 bad-request");
    // Another account's keys are its own.
    stage.server.addAccount("nurse@capulet.example");
    CHECK(stage.post("/messages", stage.tokenOf("nurse"), saying(romeos, "Hello"), withKey("one"))
              .text("message_id") != first.text("message_id"));
    CHECK(count() == 1);
    // What was refused was not sent, and may be tried again.
    CHECK(stage.post("/messages", token, saying("rosaline@capulet.example", "x"), withKey("three"))
              .status == 422);
    stage.server.addAccount("rosaline@capulet.example");
    CHECK(stage.post("/messages", token, saying("rosaline@capulet.example", "x"), withKey("three"))
              .status == 201);
    SECTION("over a restart") {
        stage.server.restart();
        CHECK(send("one", "Hello").body == first.body);
        CHECK(bodiesOf(stage.get("/messages?with=" + romeos, token)).size() == 2);
    }
    SECTION("for its time") {
        stage.server.advance(std::chrono::hours{25});
        const auto later = stage.tokenOf("juliet");
        CHECK(stage.post("/messages", later, saying(romeos, "Hello"), withKey("one"))
                  .text("message_id") != first.text("message_id"));
    }
    SECTION("and a server that has died in between doesn't send it again") {
        // As it stands when the message is stored and the answer is not.
        auto work = [](SqlConnection& connection) {
            return connection.run(
                "UPDATE rest_request SET status = 0, answer = '' WHERE name = 'one'");
        };
        CHECK(stage.server.wait(stage.server.database().write(work)) > 0);
        const auto repeated = send("one", "Hello");
        CHECK(repeated.text("message_id") == first.text("message_id"));
        CHECK(repeated.text("id") == first.text("id"));
        CHECK(count() == 0);
    }
}

TEST_CASE(
    "a message to a room that a dying server has sent is not sent again, if the room knows it") {
    Stage stage;
    const auto token = stage.tokenOf("juliet");
    auto& romeo = stage.server.login(romeos + "/orchard");
    const bool isKept = GENERATE(true, false);
    makeRoom(romeo,
             isKept
                 ? ""
                 : "<field var='FORM_TYPE'><value>http://jabber.org/protocol/muc#roomconfig</value>"
                   "</field><field var='muc#roomconfig_enablearchiving'><value>0</value></field>");
    const auto send = [&] {
        return stage.post("/messages", token, saying(room, "Ay me", R"(,"type":"groupchat")"),
                          withKey("one"));
    };
    const auto count = [&] {
        std::size_t messages = 0;
        for (const auto& each : romeo.all()) messages += has(each, "<body>Ay me</body>");
        return messages;
    };
    const auto first = send();
    REQUIRE(first.status == 201);
    for (int i = 0; i < 120; ++i)
        romeo.send("<message type='groupchat' to='" + room + "'><body>" + std::to_string(i) +
                   "</body></message>");
    romeo.forget();
    auto work = [](SqlConnection& connection) {
        return connection.run("UPDATE rest_request SET status = 0, answer = ''");
    };
    CHECK(stage.server.wait(stage.server.database().write(work)) > 0);
    const auto repeated = send();
    CHECK(repeated.status == 201);
    CHECK(repeated.text("message_id") == first.text("message_id"));
    if (isKept) CHECK(repeated.text("id") == first.text("id"));
    CHECK(count() == (isKept ? 0 : 1));
    // From now on the answer is known.
    romeo.forget();
    CHECK(send().body == repeated.body);
    CHECK(count() == 0);
}

TEST_CASE("an account has so many keys and no more") {
    Stage stage{"[rest]\nidempotency_keys_max = 2"};
    const auto token = stage.tokenOf("juliet");
    const auto send = [&](const std::string& key) {
        stage.server.advance(std::chrono::seconds{1});
        return stage.post("/messages", token, saying(romeos, "Hello"), withKey(key))
            .text("message_id");
    };
    const auto a = send("a");
    const auto b = send("b");
    CHECK(send("a") == a);
    const auto c = send("c");
    CHECK(send("b") == b);
    CHECK(send("c") == c);
    CHECK(send("a") != a);
}

TEST_CASE("history comes in pages, of one's own archive alone") {
    Stage stage;
    const auto token = stage.tokenOf("juliet");
    stage.server.addAccount("nurse@capulet.example");
    for (int i = 1; i <= 5; ++i) {
        stage.post("/messages", token, saying(romeos, "r" + std::to_string(i)));
        stage.post("/messages", token, saying("nurse@capulet.example", "n" + std::to_string(i)));
        stage.server.advance(std::chrono::seconds{1});
    }
    const auto page = [&](const std::string& query) {
        return stage.get("/messages" + query, token);
    };
    using Bodies = std::vector<std::string>;
    CHECK(bodiesOf(page("")).size() == 10);
    CHECK(bodiesOf(page("?with=" + romeos + "&limit=2")) == Bodies{"r4", "r5"});
    const auto newest = page("?with=" + romeos + "&limit=2");
    CHECK(!newest.json()->get("complete").convert<bool>());
    const auto before = page("?with=" + romeos + "&limit=2&before=" + newest.text("first"));
    CHECK(bodiesOf(before) == Bodies{"r2", "r3"});
    CHECK(bodiesOf(page("?with=" + romeos + "&limit=9&after=" + before.text("last"))) ==
          Bodies{"r4", "r5"});
    CHECK(bodiesOf(page("?with=" + romeos + "&start=2000-01-01T00:00:00Z&limit=1")) ==
          Bodies{"r1"});
    CHECK(page("?before=" + newest.text("first") + "&after=" + newest.text("last")).outcome() ==
          "400 bad-request");
    CHECK(page("?after=0190b0a0-5b1c-7c3e-8f2a-0123456789ab").outcome() == "404 not-found");
    // Romeo has his, and the nurse's are not among them; ids of Juliet's are nothing to him.
    const auto his = stage.tokenOf("romeo");
    CHECK(bodiesOf(stage.get("/messages", his)).size() == 5);
    CHECK(bodiesOf(stage.get("/messages?with=nurse@capulet.example", his)).empty());
    CHECK(stage.get("/messages?after=" + newest.text("first"), his).outcome() == "404 not-found");
}

TEST_CASE("a room is entered for a message, and its history is for who may enter") {
    Stage stage{"[rest]\nsession_idle = '20 s'"};
    const auto token = stage.tokenOf("juliet");
    auto& romeo = stage.server.login(romeos + "/orchard");
    makeRoom(romeo);
    const auto toRoom = [&](const std::string& body, const std::string& further = {}) {
        return stage.post("/messages", token,
                          saying(room, body, R"(,"type":"groupchat")" + further));
    };
    const auto told = toRoom("Ay me");
    REQUIRE(told.status == 201);
    const auto entered = romeo.next();
    CHECK(has(entered, "from='" + room + "/juliet'"));
    const auto heard = romeo.next();
    CHECK(has(heard, "<body>Ay me</body>"));
    CHECK(has(heard, "id='" + told.text("id") + "'"));
    // She stays a while, and is not seen to come and go with each word.
    CHECK(toRoom("O Romeo").status == 201);
    CHECK(has(romeo.next(), "<body>O Romeo</body>"));
    romeo.forget();
    stage.server.advance(std::chrono::seconds{31});
    CHECK(has(romeo.next(), "type='unavailable'"));
    const auto fresh = stage.tokenOf("juliet");
    const auto history = stage.get("/rooms/" + room + "/messages", fresh);
    CHECK(bodiesOf(history) == std::vector<std::string>{"Ay me", "O Romeo"});
    CHECK(history.list("messages")[0]->get("from").toString() == room + "/juliet");

    CHECK(stage.post("/messages", fresh, saying(room, "x", R"(,"type":"groupchat","nick":"Romeo")"))
              .outcome() == "409 conflict");
    CHECK(stage
              .post("/messages", fresh,
                    saying("nowhere@conference.capulet.example", "x", R"(,"type":"groupchat")"))
              .outcome() == "404 not-found");
    CHECK(stage.get("/rooms/nowhere@conference.capulet.example", fresh).outcome() ==
          "404 not-found");
    CHECK(stage.post("/messages", fresh, saying(romeos, "x", R"(,"type":"groupchat")")).status >=
          400);
    // Who is banned neither reads nor speaks.
    romeo.ask(
        "set",
        "<query xmlns='http://jabber.org/protocol/muc#admin'><item affiliation='outcast' jid='" +
            juliets + "'/></query>",
        room);
    CHECK(stage.get("/rooms/" + room + "/messages", fresh).outcome() == "403 forbidden");
    CHECK(stage.post("/messages", fresh, saying(room, "x", R"(,"type":"groupchat")")).outcome() ==
          "403 forbidden");
}

TEST_CASE("live events tell what comes") {
    Stage stage;
    const auto token = stage.tokenOf("juliet");
    auto& romeo = stage.server.login(romeos + "/orchard");
    Events events{stage, token};
    CHECK(events.told().status == 200);
    CHECK(events.told().field("Content-Type") == "text/event-stream");
    REQUIRE(events.events("ready").size() == 1);
    CHECK(events.events("ready")[0].data->get("complete").convert<bool>());
    romeo.send(chat(juliets, "He jests at scars"));
    REQUIRE(events.events("message").size() == 1);
    const auto one = events.events("message")[0];
    CHECK(one.text("body") == "He jests at scars");
    CHECK(one.text("from") == romeos + "/orchard");
    CHECK(one.id == one.text("id"));
    // What she sends herself, on whatever way.
    stage.post("/messages", token, saying(romeos, "Romeo"));
    CHECK(events.bodies() == std::vector<std::string>{"He jests at scars", "Romeo"});
    // Typing, presence, requests.
    romeo.send("<message type='chat' to='" + juliets +
               "'><composing xmlns='http://jabber.org/protocol/chatstates'/></message>");
    REQUIRE(events.events("typing").size() == 1);
    CHECK(events.events("typing")[0].text("state") == "composing");
    romeo.send("<presence type='subscribe' to='" + juliets + "'/>");
    REQUIRE(events.events("request").size() == 1);
    CHECK(events.events("request")[0].text("what") == "subscribe");
    stage.post("/contacts/" + romeos + "/accept", token, "");
    stage.ask("PUT", "/contacts/" + romeos, token, "{}");
    romeo.send("<presence type='subscribed' to='" + juliets + "'/>");
    CHECK(!events.events("contact").empty());
    romeo.send("<presence><show>away</show><status>In the orchard</status></presence>");
    REQUIRE(!events.events("presence").empty());
    CHECK(events.events("presence").back().text("state") == "away");
    // How far she has read on another client.
    const auto id = one.text("id");
    CHECK(stage.ask("PUT", "/read/" + romeos, token, R"({"id":")" + id + "\"}").status == 204);
    REQUIRE(events.events("read").size() == 1);
    CHECK(events.events("read")[0].text("with") == romeos);
    CHECK(events.events("read")[0].text("id") == id);
    // It is there as long as she is.
    stage.server.advance(std::chrono::seconds{50});
    CHECK(has(events.received, ":\n\n"));
    romeo.forget();
    events.cut();
    CHECK(has(romeo.next(), "type='unavailable'"));
}

TEST_CASE("who comes back hears what he has missed, once") {
    Stage stage;
    const auto token = stage.tokenOf("juliet");
    auto& romeo = stage.server.login(romeos + "/orchard");
    std::string last;
    {
        Events events{stage, token};
        romeo.send(chat(juliets, "one"));
        CHECK(events.bodies() == std::vector<std::string>{"one"});
        last = events.lastId();
        events.cut();
    }
    romeo.send(chat(juliets, "two"));
    stage.post("/messages", token, saying(romeos, "three"));
    const std::string field = "Last-Event-ID: " + last + "\r\n";
    Events events{stage, token, "", field};
    CHECK(events.bodies() == std::vector<std::string>{"two", "three"});
    romeo.send(chat(juliets, "four"));
    CHECK(events.bodies() == std::vector<std::string>{"two", "three", "four"});
    // Nothing of it waits for another client.
    auto& phone = stage.server.login(juliets + "/phone");
    CHECK(!has(phone.bytes(), "<body>two</body>"));
    const auto wrong = [&](const std::string& id) {
        return Events{stage, token, "", "Last-Event-ID: " + id + "\r\n"}.told().outcome();
    };
    CHECK(wrong("x") == "400 bad-request");
    CHECK(wrong(last + "," + last) == "400 bad-request");
    // One that the archive has forgotten: the rest is to be had there.
    Events lost{stage, token, "", "Last-Event-ID: 0190b0a0-5b1c-7c3e-8f2a-0123456789ab\r\n"};
    REQUIRE(lost.events("ready").size() == 1);
    CHECK(!lost.events("ready")[0].data->get("complete").convert<bool>());
}

TEST_CASE("what has waited for somebody comes to his first connection") {
    Stage stage;
    auto& romeo = stage.server.login(romeos + "/orchard");
    romeo.send(chat(juliets, "waiting"));
    const auto token = stage.tokenOf("juliet");
    Events events{stage, token};
    CHECK(events.bodies() == std::vector<std::string>{"waiting"});
    auto& phone = stage.server.login(juliets + "/phone");
    CHECK(!has(phone.bytes(), "<body>waiting</body>"));
}

TEST_CASE("rooms are listened to, and missed words come from their archives") {
    Stage stage;
    const auto token = stage.tokenOf("juliet");
    auto& romeo = stage.server.login(romeos + "/orchard");
    makeRoom(romeo);
    const auto says = [&](const std::string& body) {
        romeo.send("<message type='groupchat' to='" + room + "'><body>" + body +
                   "</body></message>");
    };
    std::string last;
    {
        Events events{stage, token, "?room=" + room};
        REQUIRE(events.told().status == 200);
        says("one");
        REQUIRE(events.bodies() == std::vector<std::string>{"one"});
        CHECK(events.events("message")[0].text("from") == room + "/Romeo");
        last = events.lastId();
        events.cut();
    }
    says("two");
    Events events{stage, token, "?room=" + room, "Last-Event-ID: " + last + "\r\n"};
    CHECK(events.bodies() == std::vector<std::string>{"two"});
    says("three");
    CHECK(events.bodies() == std::vector<std::string>{"two", "three"});
    CHECK(Events{stage, token, "?room=nowhere@conference.capulet.example"}.told().outcome() ==
          "404 not-found");
    CHECK(Events{stage, token, "?room=x"}.told().status >= 400);
}

TEST_CASE("somebody may listen so often and no more, and who takes nothing is ended") {
    Stage stage{
        "[rest]\nevent_connections_max = 2\nevent_bytes_max = '64 KiB'\n[client]\nresources_max = "
        "50"};
    const auto token = stage.tokenOf("juliet");
    auto& romeo = stage.server.login(romeos + "/orchard");
    {
        Events one{stage, token};
        Events two{stage, token};
        CHECK(Events{stage, token}.told().outcome() == "429 too-many");
        one.cut();
        CHECK(Events{stage, token}.told().status == 200);
        two.cut();
    }
    stage.server.advance(std::chrono::seconds{1});
    SimLinkSettings slow;
    slow.window = 4096;
    Events events{stage, token, "", "", slow};
    REQUIRE(events.told().status == 200);
    events.pause();
    constexpr std::size_t count = 60;
    for (std::size_t i = 0; i < count; ++i) {
        romeo.send(chat(juliets, std::string(3000, 'x')));
        stage.server.advance(std::chrono::milliseconds{200});
    }
    events.resume();
    stage.server.advance(std::chrono::seconds{1});
    CHECK(events.isClosed);
    // Nothing of it is lost.
    const auto last = events.lastId();
    Events again{stage, token, "", last.empty() ? "" : "Last-Event-ID: " + last + "\r\n"};
    stage.server.advance(std::chrono::seconds{10});
    CHECK(events.events("message").size() < count);
    CHECK(events.events("message").size() + again.events("message").size() >= count);
}

TEST_CASE("live events end with the token, the account and the server") {
    Stage stage;
    const auto token = stage.tokenOf("juliet");
    Events events{stage, token};
    REQUIRE(events.told().status == 200);
    SECTION("the token") {
        stage.server.advance(std::chrono::minutes{61});
        CHECK(has(events.received, "\r\n0\r\n\r\n"));
        // Nobody takes her for being there any longer.
        auto* account = stage.server.server().shard(0).loaded(juliets);
        CHECK((!account || account->sessions().empty()));
    }
    SECTION("the password") {
        CHECK(stage.server.wait(changePassword(stage.server.server(), *Jid::parse(juliets),
                                               "another")) == PasswordChange::Done);
        stage.server.advance(std::chrono::seconds{90});
        CHECK(has(events.received, "\r\n0\r\n\r\n"));
    }
    SECTION("the account") {
        CHECK(stage.server.wait(removeAccount(stage.server.server(), *Jid::parse(juliets))));
        CHECK(has(events.received, "\r\n0\r\n\r\n"));
    }
    SECTION("plugins that are made anew") {
        stage.server.rewire();
        stage.server.run();
        CHECK(has(events.received, "\r\n0\r\n\r\n"));
        Events next{stage, token};
        CHECK(next.told().status == 200);
    }
    SECTION("the server") {
        stage.server.restart();
        CHECK((events.isClosed || has(events.received, "\r\n0\r\n\r\n")));
    }
}
