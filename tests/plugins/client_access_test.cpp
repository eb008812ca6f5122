// Which devices have access (XEP-0494), and the end of it.
#include "tests/stream/sasl2.h"

#include "core/time_format.h"
#include "route/account_admin.h"
#include "tests/plugins/answers.h"

using namespace epode;

namespace {

constexpr std::string_view listRequest = "<list xmlns='urn:xmpp:cam:0'/>";

TestClient& loginAs(TestServer& server, std::string_view agent, std::string_view more = {}) {
    server.addAccount("juliet@capulet.example");
    auto& client = open(server).forget();
    client.send(plain2("juliet", userAgent(agent, agent == phone ? "Balcony" : "Orchard") +
                                     bind2() + std::string{more}));
    success2(client);
    return client.forget();
}

struct Listed {
    std::string id;
    std::string text;
};

std::vector<Listed> list(TestClient& client) {
    const auto answer = parsed(client.ask("get", listRequest));
    const Element* clients = answer->child("clients", "urn:xmpp:cam:0");
    REQUIRE(clients);
    std::vector<Listed> found;
    for (const Element& one : clients->children()) {
        std::string text{one.get("connected")};
        for (const Element& way : one.child("auth")->children())
            text.append(" ").append(way.name());
        CHECK(one.child("permission")->get("status") == "unrestricted");
        CHECK(parseDateTime(one.childText("first-seen")));
        CHECK(parseDateTime(one.childText("last-seen")));
        if (const Element* agent = one.child("user-agent"))
            text.append(" ").append(agent->childText("software"));
        found.push_back({std::string{one.get("id")}, text});
    }
    return found;
}

std::string revokes(std::string_view id) {
    return "<revoke xmlns='urn:xmpp:cam:0' id='" + std::string{id} + "'/>";
}

}  // namespace

TEST_CASE("the devices of an account are listed for its owner") {
    TestServer server;
    auto& client = loginAs(server, phone);
    server.advance(1s);
    loginAs(server, laptop, requestToken("HT-SHA-256-EXPR")).cut();
    const auto found = list(client);
    REQUIRE(found.size() == 2);
    CHECK(found[0].text == "false password fast Orchard");
    CHECK(found[1].text == "true password Balcony");
    for (const auto& one : found) {
        CHECK(one.id.find("d4565fa7") == std::string::npos);
        CHECK(one.id.size() == 16);
    }
}

TEST_CASE("clients that don't say which device they are are listed while they are here") {
    TestServer server;
    auto& client = server.login("juliet@capulet.example/balcony");
    auto found = list(client);
    REQUIRE(found.size() == 1);
    CHECK(found[0].text == "true password");
    auto& other = server.login("juliet@capulet.example/orchard");
    const auto both = list(client);
    REQUIRE(both.size() == 2);
    const auto error = client.ask("set", revokes(both[1].id));
    CHECK(error.find("password-reset-required") != std::string::npos);
    CHECK(other.streamError() == "not-authorized");
    found = list(client);
    CHECK(found.size() == 1);
}

TEST_CASE("a device that has a token alone is revoked for good") {
    TestServer server;
    auto& client = loginAs(server, laptop);
    server.addAccount("juliet@capulet.example");
    auto& first = open(server).forget();
    first.send(plain2("juliet", userAgent(phone) + requestToken("HT-SHA-256-EXPR")));
    success2(first);
    // The password changes: who knew the old one is forgotten, and the phone comes back by the new
    // one.
    const auto jid = Jid::parse("juliet@capulet.example").value();
    server.wait(changePassword(server.server(), jid, "another"));
    server.advance(1s);
    auto& again = open(server).forget();
    again.send(plain2("juliet", userAgent(phone) + requestToken("HT-SHA-256-EXPR"), "another"));
    const auto token = success2(again).token;
    REQUIRE(!token.empty());
    auto& phoneClient = open(server).forget();
    phoneClient.send(byToken(phoneClient, "juliet", "HT-SHA-256-EXPR", token, phone, {}, bind2()));
    success2(phoneClient);

    server.advance(1s);
    const auto found = list(client);
    REQUIRE(found.size() == 2);
    CHECK(found[0].text == "true password fast Balcony");
    CHECK(found[1].text == "true Orchard");
    const auto error = parsed(client.ask("set", revokes(found[0].id)));
    const Element* condition = error->child("error");
    REQUIRE(condition);
    CHECK(condition->child("service-unavailable", ns::stanzaErrors));
    CHECK(condition->child("password-reset-required", "urn:xmpp:cam:0"));
    CHECK(phoneClient.streamError() == "not-authorized");
    CHECK(tryToken(server, "juliet", "HT-SHA-256-EXPR", token) == "not-authorized");

    // Without a password of now, a device is gone with its revocation.
    CHECK(client.ask("set", revokes(found[1].id)).find("type='result'") != std::string::npos);
    CHECK(client.streamError() == "not-authorized");
}

TEST_CASE("nobody sees or revokes the devices of somebody else") {
    TestServer server;
    auto& juliet = loginAs(server, phone);
    const auto id = list(juliet).front().id;
    auto& romeo = server.login("romeo@capulet.example/orchard");
    CHECK(romeo.ask("get", listRequest, "juliet@capulet.example").find("forbidden") !=
          std::string::npos);
    CHECK(romeo.ask("set", revokes(id), "juliet@capulet.example").find("forbidden") !=
          std::string::npos);
    CHECK(romeo.ask("set", revokes(id)).find("item-not-found") != std::string::npos);
    CHECK(!juliet.isClosed());
}

TEST_CASE("a revocation of nothing is an error") {
    TestServer server;
    auto& client = loginAs(server, phone);
    struct Row {
        std::string sent;
        std::string condition;
    };
    const auto row = GENERATE(values<Row>({{revokes("nobody"), "item-not-found"},
                                           {revokes(""), "bad-request"},
                                           {"<revoke xmlns='urn:xmpp:cam:0'/>", "bad-request"},
                                           {revokes("session:"), "item-not-found"},
                                           {revokes("session:nobody"), "item-not-found"},
                                           {revokes(std::string(5000, 'x')), "item-not-found"}}));
    CHECK(client.ask("set", row.sent).find(row.condition) != std::string::npos);
    CHECK(list(client).size() == 1);
}

TEST_CASE("names of devices are not kept where that is switched off") {
    TestServer server{"[device]\nkeep_names = false"};
    auto& client = loginAs(server, phone);
    const auto found = list(client);
    REQUIRE(found.size() == 1);
    CHECK(found[0].text == "true password");
}

TEST_CASE("a device that stays away is forgotten, unless it has a token") {
    TestServer server{"[device]\nkeep = '48h'"};
    loginAs(server, phone, requestToken("HT-SHA-256-EXPR")).cut();
    loginAs(server, laptop).cut();
    server.advance(50h);
    auto& client = server.login("juliet@capulet.example/balcony");
    auto found = list(client);
    REQUIRE(found.size() == 2);
    CHECK(found[0].text == "false password fast Balcony");
    server.advance(22 * 24h);
    found = list(server.login("juliet@capulet.example/orchard"));
    for (const auto& one : found) CHECK(one.text == "true password");
}

TEST_CASE("of too many devices the one that was away longest is forgotten, with its token") {
    TestServer server{"[device]\nper_account_max = 2"};
    const auto agent = [](int number) {
        return "00000000-0000-4000-8000-00000000000" + std::to_string(number);
    };
    server.addAccount("juliet@capulet.example");
    const auto token = getToken(server, "juliet", "HT-SHA-256-EXPR", agent(0));
    for (int i = 1; i < 3; ++i) {
        server.advance(1s);
        getToken(server, "juliet", "HT-SHA-256-EXPR", agent(i));
    }
    server.advance(1s);
    CHECK(tryToken(server, "juliet", "HT-SHA-256-EXPR", token, agent(0)) == "not-authorized");
}
