// Which devices have access (XEP-0494), and the end of it.
#include "tests/stream/sasl2.h"

#include "control/command_registry.h"
#include "core/time_format.h"
#include "plugins/client_access/device_commands.h"
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

std::string revocation(std::string_view id) {
    return "<revoke xmlns='urn:xmpp:cam:0' id='" + std::string{id} + "'/>";
}

// `epodectl`, with the account and the device.
CommandResult command(TestServer& server, const std::string& name, const std::string& account,
                      const std::string& id = {}) {
    CommandRegistry registry;
    std::vector<CommandRegistry::Registration> registered;
    for (auto& one : devices::commands(server.server()))
        registered.push_back(registry.add(std::move(one)));
    RawArguments arguments{{"address", account}};
    if (!id.empty()) arguments["id"] = id;
    std::optional<CommandResult> result;
    registry.call(name, arguments,
                  {.name = "root", .permission = Permission::Operate, .door = "test"},
                  server.server().shard(0).executor(),
                  [&result](CommandResult got) { result = std::move(got); });
    server.run();
    REQUIRE(result);
    return std::move(*result);
}

}  // namespace

TEST_CASE("operators list and revoke devices") {
    const unsigned shards = GENERATE(1u, 3u);
    TestServer server{{}, shards};
    auto& client = loginAs(server, phone, requestToken("HT-SHA-256-EXPR"));
    const auto listed = command(server, "device list", "juliet@capulet.example");
    REQUIRE(listed.rows().size() == 1);
    const auto& row = listed.rows().front();
    REQUIRE(row.size() == listed.columns().size());
    const auto id = std::get<std::string>(row[0].value());
    CHECK(id == list(client).front().id);
    CHECK(std::get<std::string>(row[1].value()) == "Balcony");
    CHECK(std::get<bool>(row[5].value()));
    CHECK(!row[7].isNull());

    CHECK(command(server, "device list", "nobody@capulet.example").error().code == "not-found");
    CHECK(command(server, "device revoke", "nobody@capulet.example", id).error().code ==
          "not-found");
    server.addAccount("romeo@capulet.example");
    CHECK(command(server, "device revoke", "romeo@capulet.example", id).error().code ==
          "not-found");
    CHECK(!client.isClosed());

    const auto revoked = command(server, "device revoke", "juliet@capulet.example", id);
    CHECK(!revoked.isRefusal());
    CHECK(revoked.text().find("user passwd juliet@capulet.example") != std::string::npos);
    CHECK(client.streamError() == "not-authorized");
    const auto after = command(server, "device list", "juliet@capulet.example");
    REQUIRE(after.rows().size() == 1);
    CHECK(!std::get<bool>(after.rows().front()[5].value()));
    CHECK(after.rows().front()[7].isNull());
}

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
    const auto error = client.ask("set", revocation(both[1].id));
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
    const auto error = parsed(client.ask("set", revocation(found[0].id)));
    const Element* condition = error->child("error");
    REQUIRE(condition);
    CHECK(condition->child("service-unavailable", ns::stanzaErrors));
    CHECK(condition->child("password-reset-required", "urn:xmpp:cam:0"));
    CHECK(phoneClient.streamError() == "not-authorized");
    CHECK(tryToken(server, "juliet", "HT-SHA-256-EXPR", token) == "not-authorized");

    // Without a password of now, a device is gone with its revocation.
    CHECK(client.ask("set", revocation(found[1].id)).find("type='result'") != std::string::npos);
    CHECK(client.streamError() == "not-authorized");
}

TEST_CASE("a device whose access is revoked while it logs in gets no session") {
    const unsigned shards = GENERATE(1u, 3u);
    TestServer server{{}, shards};
    server.addAccount("juliet@capulet.example");
    const auto token = getToken(server, "juliet", "HT-SHA-256-EXPR");
    const bool isRevoked = GENERATE(true, false);
    CAPTURE(shards, isRevoked);

    // It has proved who it is, and is about to bind.
    auto& client = open(server).forget();
    client.send(byToken(client, "juliet", "HT-SHA-256-EXPR", token));
    success2(client);
    client.forget();
    server.advance(1s);
    const auto id = list(loginAs(server, laptop)).front().id;
    CHECK_FALSE(command(server, "device revoke", "juliet@capulet.example",
                        isRevoked ? list(loginAs(server, laptop)).back().id : id)
                    .isRefusal());
    client.send("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
    if (isRevoked)
        CHECK(client.streamError() == "not-authorized");
    else
        CHECK(client.next().find("<jid>") != std::string::npos);

    // Who knows the password comes in again at once.
    server.advance(1s);
    auto& again = open(server).forget();
    again.send(plain2("juliet", userAgent(phone) + bind2()));
    success2(again);
}

TEST_CASE("no token outlives its revocation, whatever a login by it has come to") {
    // The disk is slow; the login begins that much before the revocation, or after it.
    for (auto lead = -60ms; lead <= 60ms; lead += 2ms) {
        CAPTURE(lead.count());
        TestServer server{"[fast]\nrotate_after = '1s'"};
        server.addAccount("juliet@capulet.example");
        const auto token = getToken(server, "juliet");
        server.advance(2s);
        std::string id;
        for (const auto& one : list(loginAs(server, laptop)))
            if (one.text.find("Balcony") != std::string::npos) id = one.id;
        REQUIRE(!id.empty());
        auto& client = open(server).forget();
        const auto login =
            byToken(client, "juliet", "HT-SHA-256-EXPR", token, phone, {},
                    requestToken("HT-SHA-256-EXPR") + (lead.count() % 4 == 0 ? bind2() : ""));
        server.database().setDelay(10ms);
        CommandRegistry registry;
        std::vector<CommandRegistry::Registration> registered;
        for (auto& one : devices::commands(server.server()))
            registered.push_back(registry.add(std::move(one)));
        bool isDone = false;
        const auto revoke = [&] {
            registry.call("device revoke",
                          {{"address", std::string{"juliet@capulet.example"}}, {"id", id}},
                          {.name = "root", .permission = Permission::Operate, .door = "test"},
                          server.server().shard(0).executor(), [&isDone](CommandResult result) {
                              CHECK_FALSE(result.isRefusal());
                              isDone = true;
                          });
        };
        if (lead < 0ms) revoke();
        else client.sendSoon(login);
        server.advance(lead < 0ms ? -lead : lead);
        if (lead < 0ms) client.sendSoon(login);
        else revoke();
        server.advance(1s);
        server.database().setDelay(0ms);
        REQUIRE(isDone);

        client.sendSoon("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>");
        server.advance(1s);
        CHECK(client.bytes().find("<jid>") == std::string::npos);
        std::vector<std::string> tokens{token};
        for (auto at = client.bytes().find(" token='"); at != std::string::npos;
             at = client.bytes().find(" token='", at + 1))
            tokens.push_back(client.bytes().substr(at + 8, client.bytes().find('\'', at + 8) - at - 8));
        for (const auto& one : tokens)
            CHECK(tryToken(server, "juliet", "HT-SHA-256-EXPR", one) == "not-authorized");
    }
}

TEST_CASE("which device a session belongs to is known after a restart") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    auto& client = open(server).forget();
    client.send(plain2("juliet",
                       userAgent(phone) + bind2("<enable xmlns='urn:xmpp:sm:3' resume='true'/>")));
    success2(client);
    server.restart();
    server.advance(std::chrono::minutes{1});
    const auto found = list(loginAs(server, laptop));
    REQUIRE(found.size() == 2);
    CHECK(found[0].text == "true password Orchard");
    CHECK(found[1].text == "true password Balcony");
}

TEST_CASE("nobody sees or revokes the devices of somebody else") {
    TestServer server;
    auto& juliet = loginAs(server, phone);
    const auto id = list(juliet).front().id;
    auto& romeo = server.login("romeo@capulet.example/orchard");
    CHECK(romeo.ask("get", listRequest, "juliet@capulet.example").find("forbidden") !=
          std::string::npos);
    CHECK(romeo.ask("set", revocation(id), "juliet@capulet.example").find("forbidden") !=
          std::string::npos);
    CHECK(romeo.ask("set", revocation(id)).find("item-not-found") != std::string::npos);
    CHECK(!juliet.isClosed());
}

TEST_CASE("a revocation of nothing is an error") {
    TestServer server;
    auto& client = loginAs(server, phone);
    const auto check = [&client](const std::string& sent, std::string_view condition) {
        INFO(sent.substr(0, 100));
        CHECK(client.ask("set", sent).find(condition) != std::string::npos);
    };
    check(revocation("nobody"), "item-not-found");
    check(revocation(""), "bad-request");
    check("<revoke xmlns='urn:xmpp:cam:0'/>", "bad-request");
    check(revocation("session:"), "item-not-found");
    check(revocation("session:nobody"), "item-not-found");
    const std::string longest(5000, 'x');
    check(revocation(longest), "item-not-found");
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
