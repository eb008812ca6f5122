// Last Activity (XEP-0012).
#include "store/stores.h"
#include "tests/plugins/answers.h"

using namespace epode;

namespace {

const std::string get = "<query xmlns='jabber:iq:last'/>";
const std::string juliets = "juliet@capulet.example";

std::string answer(int seconds, const std::string& status = {}) {
    const std::string head =
        "<query xmlns='jabber:iq:last' seconds='" + std::to_string(seconds) + "'";
    return status.empty() ? head + "/>" : head + ">" + status + "</query>";
}

}  // namespace

TEST_CASE("who sees the presence learns since when somebody is away, and with what words") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    subscribe(romeo, juliet);
    CHECK(payload(romeo.ask("get", get, juliets)) == answer(0));

    juliet.send("<presence type='unavailable'><status>Heading Home</status></presence>");
    server.advance(std::chrono::seconds{43});
    CHECK(payload(romeo.ask("get", get, juliets)) == answer(43, "Heading Home"));
    // Connected, but shown to nobody.
    CHECK(payload(juliet.ask("get", get)) == answer(43, "Heading Home"));

    juliet.available();
    CHECK(payload(romeo.ask("get", get, juliets)) == answer(0));
    juliet.cut();
    server.advance(std::chrono::seconds{5});
    CHECK(payload(romeo.ask("get", get, juliets)) == answer(5));
}

TEST_CASE("it is the last of several resources that counts") {
    TestServer server;
    auto& balcony = server.login("juliet@capulet.example/balcony");
    auto& chamber = server.login("juliet@capulet.example/chamber");
    auto& romeo = server.login("romeo@montague.example/orchard");
    subscribe(romeo, balcony);
    balcony.send("<presence type='unavailable'><status>From the balcony</status></presence>");
    server.advance(std::chrono::seconds{10});
    CHECK(payload(romeo.ask("get", get, juliets)) == answer(0));
    chamber.cut();
    server.advance(std::chrono::seconds{7});
    CHECK(payload(romeo.ask("get", get, juliets)) == answer(7));
}

TEST_CASE("the last activity is known after a restart, and after a crash at least the login") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    subscribe(romeo, juliet);
    SECTION("a stop") {
        juliet.send("<presence type='unavailable'><status>Good night</status></presence>");
        server.advance(std::chrono::seconds{20});
        server.restart();
        auto& again = server.login("romeo@montague.example/orchard");
        CHECK(payload(again.ask("get", get, juliets)) == answer(20, "Good night"));
    }
    SECTION("a crash") {
        server.advance(std::chrono::seconds{20});
        server.crash();
        auto& again = server.login("romeo@montague.example/orchard");
        CHECK(payload(again.ask("get", get, juliets)) == answer(20));
    }
}

TEST_CASE("strangers learn nothing, not even who exists") {
    TestServer server{"", 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    CHECK(outcome(romeo.ask("get", get, juliets)) == "auth forbidden");
    CHECK(outcome(romeo.ask("get", get, "nobody@capulet.example")) == "auth forbidden");
    // To see somebody is not to be seen.
    subscribe(juliet, romeo);
    CHECK(outcome(romeo.ask("get", get, juliets)) == "auth forbidden");
    subscribe(romeo, juliet);
    CHECK(payload(romeo.ask("get", get, juliets)) == answer(0));
}

TEST_CASE("an account that was never there has no last activity") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    subscribe(romeo, juliet);
    auto& accounts = server.server().stores().accounts;
    const auto summary = server.wait(accounts.summary(juliets));
    REQUIRE(summary);
    // The login was noted, by the server itself.
    CHECK(summary->lastLogin.has_value());
    CHECK_FALSE(summary->lastActivity.has_value());
    auto& nurse = server.login("nurse@capulet.example/kitchen", false);
    CHECK(payload(nurse.ask("get", get)) == answer(0));
}

TEST_CASE("a status over the limit is not kept") {
    TestServer server{"[last]\nstatus_bytes_max = 5"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.send("<presence type='unavailable'><status>12345</status></presence>");
    CHECK(payload(juliet.ask("get", get)) == answer(0, "12345"));
    server.advance(std::chrono::seconds{1});
    juliet.available();
    juliet.send("<presence type='unavailable'><status>123456</status></presence>");
    CHECK(payload(juliet.ask("get", get)) == answer(0));
}

TEST_CASE("the host tells how long it has been up") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    server.advance(std::chrono::seconds{123});
    CHECK(payload(juliet.ask("get", get, "capulet.example")) == answer(123));
    server.restart();
    auto& again = server.login("juliet@capulet.example/balcony");
    server.advance(std::chrono::seconds{4});
    CHECK(payload(again.ask("get", get, "capulet.example")) == answer(4));
}
