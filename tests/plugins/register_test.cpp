// In-Band Registration (XEP-0077).
#include "core/quota.h"
#include "store/stores.h"
#include "tests/plugins/answers.h"

using namespace epode;

namespace {

const std::string open = "[registration]\nenabled = true\n";
const std::string form = "<query xmlns='jabber:iq:register'/>";

std::string account(const std::string& username, const std::string& password) {
    return "<query xmlns='jabber:iq:register'><username>" + username + "</username><password>" +
           password + "</password></query>";
}
std::string submission(const std::string& fields, const std::string& type = "submit") {
    return "<query xmlns='jabber:iq:register'><x xmlns='jabber:x:data' type='" + type +
           "'><field type='hidden' var='FORM_TYPE'><value>jabber:iq:register</value></field>" +
           fields + "</x></query>";
}
std::string field(const std::string& name, const std::string& value) {
    return "<field var='" + name + "'><value>" + value + "</value></field>";
}
const std::string removal = "<query xmlns='jabber:iq:register'><remove/></query>";

TestClient& stranger(TestServer& server, const std::string& address = "192.0.2.1",
                     const std::string& host = "capulet.example") {
    SimLinkSettings settings;
    settings.clientAddress = address;
    auto& client = server.connect(settings, true);
    return client.sendHeader(host);
}

// Whether somebody can log in with this.
bool logsIn(TestServer& server, const std::string& local, const std::string& password) {
    auto& client = stranger(server);
    client.forget().logIn(local, password);
    return client.next().starts_with("<success");
}

bool exists(TestServer& server, const std::string& jid) {
    return server.wait(server.server().stores().accounts.find(jid)).has_value();
}

}  // namespace

TEST_CASE("registration is offered and works only where it is enabled") {
    TestServer server{"[host.\"montague.example\"]\nregistration.enabled = true"};
    auto& juliet = stranger(server);
    CHECK(juliet.next().find("iq-register") == std::string::npos);
    CHECK(outcome(juliet.ask("get", form)) == "cancel service-unavailable");
    CHECK(outcome(juliet.ask("set", account("juliet", "r0m30-and-me"))) ==
          "cancel service-unavailable");
    CHECK_FALSE(exists(server, "juliet@capulet.example"));

    auto& romeo = stranger(server, "192.0.2.2", "montague.example");
    CHECK(romeo.next().find("<register xmlns='http://jabber.org/features/iq-register'/>") !=
          std::string::npos);
    CHECK(outcome(romeo.ask("set", account("romeo", "j0l13t-and-me"))) == "result");
    CHECK(exists(server, "romeo@montague.example"));
}

TEST_CASE("registration is not offered before TLS where that is required") {
    TestServer server{open};
    auto& client = server.connect();
    client.sendHeader();
    const auto features = client.next();
    CHECK(features.find("starttls") != std::string::npos);
    CHECK(features.find("iq-register") == std::string::npos);
}

TEST_CASE("a stranger asks for the form, makes an account and logs in on the same stream") {
    TestServer server{open};
    auto& client = stranger(server);
    const auto asked = parseXml(payload(client.ask("get", form, "capulet.example")));
    REQUIRE(asked);
    CHECK((*asked)->child("username"));
    CHECK((*asked)->child("password"));
    CHECK((*asked)->child("instructions"));
    CHECK_FALSE((*asked)->child("registered"));
    CHECK((*asked)->child("x", ns::dataForms));

    CHECK(outcome(client.ask("set", account("Juliet", "wherefore art thou"))) == "result");
    client.logIn("juliet", "wherefore art thou").bind("balcony");
    CHECK(client.jid() == "juliet@capulet.example/balcony");
}

TEST_CASE("a data form makes an account as well") {
    TestServer server{open};
    auto& client = stranger(server);
    CHECK(outcome(client.ask("set", submission(field("username", "juliet") +
                                               field("password", "wherefore art thou")))) ==
          "result");
    CHECK(logsIn(server, "juliet", "wherefore art thou"));
}

TEST_CASE("what is no registration makes no account") {
    TestServer server{open +
                      "username_bytes_max = 20\nreserved_names = ['Admin']\nper_address_max = 0"};
    server.addAccount("nurse@capulet.example");
    struct Row {
        std::string query;
        std::string expected;
    };
    const std::vector<Row> rows{
        {form, "modify not-acceptable"},
        {"<query xmlns='jabber:iq:register'><username>juliet</username></query>",
         "modify not-acceptable"},
        {"<query xmlns='jabber:iq:register'><password>long enough</password></query>",
         "modify not-acceptable"},
        {account("", "long enough"), "modify not-acceptable"},
        {account("juliet", ""), "modify not-acceptable"},
        {account("juliet", "1234567"), "modify not-acceptable"},
        {account("juliet", "äöüäöüä"), "modify not-acceptable"},  // 14 bytes, 7 characters
        {account("juliet", "nothing&#x9;to see"), "modify not-acceptable"},
        {account("juliet@capulet.example", "long enough"), "modify jid-malformed"},
        {account("ju liet", "long enough"), "modify jid-malformed"},
        {account("juliet/balcony", "long enough"), "modify jid-malformed"},
        {account(std::string(21, 'j'), "long enough"), "modify not-acceptable"},
        {account(std::string(2000, 'j'), "long enough"), "modify jid-malformed"},
        {account("admin", "long enough"), "cancel conflict"},
        {account("ADMIN", "long enough"), "cancel conflict"},
        {account("Nurse", "long enough"), "cancel conflict"},
        {submission(field("username", "juliet")), "modify not-acceptable"},
        {submission(field("username", "juliet") + field("password", "long enough"), "cancel"),
         "modify bad-request"},
        {submission(field("username", "juliet") + field("password", "long enough"), "nonsense"),
         "modify bad-request"},
        {removal, "wait unexpected-request"},
        {"<query xmlns='jabber:iq:register'><remove/><username>nurse</username></query>",
         "modify bad-request"},
    };
    auto& client = stranger(server);
    for (const auto& row : rows) {
        INFO(row.query);
        CHECK(outcome(client.ask("set", row.query)) == row.expected);
    }
    CHECK(outcome(client.ask("set", account("juliet", "long enough"), "montague.example")) ==
          "cancel service-unavailable");
    CHECK(server.wait(server.server().stores().accounts.count("")) == 1);
    CHECK(logsIn(server, "nurse", "secret"));
    // The stream has taken no harm.
    CHECK(outcome(client.ask("set", account(std::string(20, 'j'), "long enough"))) == "result");
}

TEST_CASE("one address makes only so many accounts within a time") {
    TestServer server{open + "per_address_max = 2\nper_address_period = '1 h'"};
    const auto registers = [&](const std::string& address, const std::string& name) {
        return outcome(stranger(server, address).ask("set", account(name, "long enough")));
    };
    CHECK(registers("192.0.2.1", "a") == "result");
    CHECK(registers("192.0.2.1", "b") == "result");
    CHECK(registers("192.0.2.1", "c") == "wait resource-constraint");
    CHECK(registers("192.0.2.2", "c") == "result");

    SECTION("a network of IPv6 counts as one address") {
        CHECK(registers("2001:db8::1", "d") == "result");
        CHECK(registers("2001:db8::2", "e") == "result");
        CHECK(registers("2001:db8::3", "f") == "wait resource-constraint");
        CHECK(registers("2001:db8:0:1::1", "f") == "result");
    }
    SECTION("the machine itself is no exception") {
        CHECK(registers("127.0.0.1", "d") == "result");
        CHECK(registers("127.0.0.1", "e") == "result");
        CHECK(registers("127.0.0.1", "f") == "wait resource-constraint");
    }
    SECTION("time gives it back") {
        server.advance(std::chrono::minutes{31});
        CHECK(registers("192.0.2.1", "d") == "result");
        CHECK(registers("192.0.2.1", "e") == "wait resource-constraint");
    }
    SECTION("names that are taken are limited as well") {
        auto& client = stranger(server, "192.0.2.9");
        for (int i = 0; i < 20; ++i)
            CHECK(outcome(client.ask("set", account("a", "long enough"))) == "cancel conflict");
        CHECK(outcome(client.ask("set", account("a", "long enough"))) ==
              "wait resource-constraint");
        CHECK(outcome(client.ask("set", account("z", "long enough"))) ==
              "wait resource-constraint");
    }
}

TEST_CASE("a limit of 0 is none") {
    TestServer server{open + "per_address_max = 0"};
    auto& client = stranger(server);
    for (int i = 0; i < 40; ++i)
        CHECK(outcome(client.ask("set", account("juliet" + std::to_string(i), "long enough"))) ==
              "result");
}

TEST_CASE("who has an account is told its name") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const std::string registered =
        "<query "
        "xmlns='jabber:iq:register'><registered/><username>juliet</username><password/></query>";
    CHECK(payload(juliet.ask("get", form)) == registered);
    CHECK(payload(juliet.ask("get", form, "capulet.example")) == registered);
    CHECK(outcome(juliet.ask("get", form, "montague.example")) == "auth registration-required");
    server.addAccount("romeo@montague.example");
    CHECK(outcome(juliet.ask("get", form, "romeo@montague.example")) == "auth forbidden");
    CHECK(outcome(juliet.ask("get", form, "nobody@montague.example")) == "auth forbidden");
}

TEST_CASE("people change their own password and no other") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    server.addAccount("romeo@montague.example");
    server.addAccount("juliet@montague.example");

    CHECK(outcome(juliet.ask("set", account("juliet", "a new password"), "capulet.example")) ==
          "result");
    CHECK_FALSE(logsIn(server, "juliet", "secret"));
    CHECK(logsIn(server, "juliet", "a new password"));
    CHECK(outcome(juliet.ask("set", account("JULIET", "another password"))) == "result");
    CHECK(outcome(juliet.ask("set", submission(field("username", "juliet") +
                                               field("password", "one more of them")))) ==
          "result");

    CHECK(outcome(juliet.ask("set", account("juliet", ""))) == "modify bad-request");
    CHECK(outcome(juliet.ask("set", account("juliet", "short"))) == "modify not-acceptable");
    CHECK(outcome(juliet.ask("set", account("romeo", "a new password"))) == "cancel not-allowed");
    CHECK(outcome(juliet.ask(
              "set",
              "<query xmlns='jabber:iq:register'><password>a new password</password></query>")) ==
          "modify bad-request");
    CHECK(outcome(juliet.ask("set", account("juliet", "a new password"), "montague.example")) ==
          "auth registration-required");
    CHECK(outcome(juliet.ask("set", account("romeo", "a new password"),
                             "romeo@montague.example")) == "auth forbidden");
    CHECK(outcome(juliet.ask("set", account("juliet", "a new password"),
                             "romeo@montague.example")) == "auth forbidden");

    server.restart();
    CHECK(logsIn(server, "juliet", "one more of them"));
    auto& romeo = stranger(server, "192.0.2.1", "montague.example");
    romeo.forget().logIn("romeo", "secret");
    CHECK(romeo.next().starts_with("<success"));
}

TEST_CASE("changes of the password are limited, since each costs as much as a registration") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    for (int i = 0; i < 20; ++i)
        CHECK(outcome(juliet.ask("set", account("juliet", "a new password"))) == "result");
    CHECK(outcome(juliet.ask("set", account("juliet", "a new password"))) ==
          "wait resource-constraint");
}

TEST_CASE("a removed account is told so, and then all its streams end") {
    TestServer server{open, 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& chamber = server.login("juliet@capulet.example/chamber");
    auto& romeo = server.login("romeo@montague.example/orchard");
    CHECK(outcome(juliet.ask("set", "<vCard xmlns='vcard-temp'><FN>Juliet</FN></vCard>")) ==
          "result");
    romeo.send("<message to='juliet@capulet.example' type='chat'><body>Wait!</body></message>");
    juliet.forget();

    CHECK(outcome(juliet.ask("set", removal)) == "result");
    CHECK(juliet.streamError() == "not-authorized");
    CHECK(chamber.streamError() == "not-authorized");
    CHECK(romeo.streamError().empty());
    CHECK_FALSE(exists(server, "juliet@capulet.example"));
    CHECK_FALSE(logsIn(server, "juliet", "secret"));

    // Who takes the name afterwards inherits nothing.
    auto& second = stranger(server);
    CHECK(outcome(second.ask("set", account("juliet", "another Juliet"))) == "result");
    second.logIn("juliet", "another Juliet").bind("balcony").forget();
    CHECK(outcome(second.ask("get", "<vCard xmlns='vcard-temp'/>")) == "cancel item-not-found");
    second.send("<iq type='set' id='mam'><query xmlns='urn:xmpp:mam:2'/></iq>");
    for (const auto& xml : second.all()) CHECK(xml.find("Wait!") == std::string::npos);
}

TEST_CASE("a removal that is addressed to somebody else removes nobody") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    server.addAccount("romeo@montague.example");
    for (const std::string to :
         {"romeo@montague.example", "nobody@capulet.example", "montague.example"}) {
        INFO(to);
        CHECK(outcome(juliet.ask("set", removal, to)).starts_with("auth "));
    }
    CHECK(outcome(juliet.ask("set",
                             "<query xmlns='jabber:iq:register'><remove/><password/></query>")) ==
          "modify bad-request");
    CHECK(exists(server, "juliet@capulet.example"));
    CHECK(exists(server, "romeo@montague.example"));
    CHECK(outcome(juliet.ask("set", removal, "capulet.example")) == "result");
    CHECK(juliet.streamError() == "not-authorized");
}

TEST_CASE("a quota forgets those who have all of it back") {
    Quota quota{1, std::chrono::seconds{10}};
    SteadyTime now{std::chrono::hours{1}};
    for (int i = 0; i < 100000; ++i) {
        now += std::chrono::seconds{1};
        REQUIRE(quota.take(std::to_string(i), now));
        REQUIRE_FALSE(quota.take(std::to_string(i), now));
    }
    CHECK(quota.size() <= 8192);
}
