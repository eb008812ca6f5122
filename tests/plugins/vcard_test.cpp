// vcard-temp (XEP-0054).
#include "tests/plugins/answers.h"

using namespace epode;

namespace {

const std::string get = "<vCard xmlns='vcard-temp'/>";
std::string card(const std::string& name) {
    return "<vCard xmlns='vcard-temp'><FN>" + name + "</FN><N><GIVEN>" + name +
           "</GIVEN></N></vCard>";
}

}  // namespace

TEST_CASE("a vCard is kept over a restart, replaced, and read by others") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    CHECK(outcome(juliet.ask("set", card("Juliet"))) == "result");
    CHECK(payload(juliet.ask("get", get)) == card("Juliet"));
    server.restart();

    auto& again = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    CHECK(payload(again.ask("get", get, "juliet@capulet.example")) == card("Juliet"));
    CHECK(payload(romeo.ask("get", get, "juliet@capulet.example")) == card("Juliet"));
    CHECK(outcome(again.ask("set", card("J &amp; R"))) == "result");
    CHECK(payload(romeo.ask("get", get, "juliet@capulet.example")) == card("J &amp; R"));
    again.cut();
    CHECK(payload(romeo.ask("get", get, "juliet@capulet.example")) == card("J &amp; R"));
}

TEST_CASE("who has no vCard is told so; strangers can't tell that from who doesn't exist") {
    TestServer server{"", 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    CHECK(outcome(juliet.ask("get", get)) == "cancel item-not-found");

    const auto ofJuliet = romeo.ask("get", get, "juliet@capulet.example");
    const auto ofNobody = romeo.ask("get", get, "nobody@capulet.example");
    CHECK(outcome(ofJuliet) == "cancel service-unavailable");
    CHECK(ofJuliet.substr(ofJuliet.find("<error")) == ofNobody.substr(ofNobody.find("<error")));

    subscribe(romeo, juliet);
    CHECK(outcome(romeo.ask("get", get, "juliet@capulet.example")) == "cancel item-not-found");
}

TEST_CASE("nobody changes somebody else's vCard") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    CHECK(outcome(juliet.ask("set", card("Juliet"))) == "result");
    CHECK(outcome(romeo.ask("set", card("Rosaline"), "juliet@capulet.example")) ==
          "auth forbidden");
    CHECK(outcome(romeo.ask("set", card("Rosaline"), "nobody@capulet.example")) ==
          "auth forbidden");
    CHECK(outcome(romeo.ask("set", card("Rosaline"), "capulet.example")) ==
          "cancel service-unavailable");
    CHECK(payload(juliet.ask("get", get)) == card("Juliet"));
}

TEST_CASE("a vCard over the limit is refused and the earlier one stays") {
    TestServer server{"[vcard]\nbytes_max = '1 KiB'"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const std::string frame = card("");
    const std::string largest(std::size_t(1024 - frame.size()) / 2, 'x');
    CHECK(outcome(juliet.ask("set", card(largest))) == "result");
    CHECK(outcome(juliet.ask("set", card(largest + "x"))) == "modify not-acceptable");
    CHECK(payload(juliet.ask("get", get)) == card(largest));
}

TEST_CASE("the largest vCard that the options allow can be read again") {
    TestServer server{"[vcard]\nbytes_max = '240 KiB'"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const std::string text(238 * 1024, 'A');
    const std::string vcard = "<vCard xmlns='vcard-temp'><DESC>" + text + "</DESC></vCard>";
    CHECK(outcome(juliet.ask("set", vcard)) == "result");
    CHECK(payload(juliet.ask("get", get)) == vcard);
}

TEST_CASE("the host has a vCard with its name") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    CHECK(
        payload(juliet.ask("get", get, "capulet.example")) ==
        "<vCard "
        "xmlns='vcard-temp'><FN>capulet.example</FN><JABBERID>capulet.example</JABBERID></vCard>");
}
