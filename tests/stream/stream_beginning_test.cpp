// What comes for a client between its binding and its <enable/> (XEP-0198), which no number of
// stream management counts.
#include "tests/support/catch.h"
#include "tests/support/messages.h"

using namespace epode;

TEST_CASE("what comes before stream management is on is not lost with the connection") {
    TestServer server{"[sm]\nresume_timeout = '5 min'"};
    auto& romeo = server.login("romeo@capulet.example/orchard");
    enableSm(romeo);
    auto& juliet = server.login("juliet@capulet.example/balcony", false).forget();
    const auto writes = [&] { romeo.send(chat("juliet@capulet.example/balcony", "Hark")); };
    const auto later = [&server] {
        auto& other = server.login("juliet@capulet.example/chamber", false).available();
        server.advance(std::chrono::seconds{1});
        return heard(other);
    };
    const Texts nothing;

    SECTION("that is gone before it is asked for") {
        writes();
        CHECK(heard(juliet) == Texts{"Hark"});
        server.advance(std::chrono::seconds{2});
        CHECK(askedSafe(romeo) == "1");
        juliet.cut();
        server.advance(std::chrono::seconds{1});
        CHECK(later() == Texts{"late Hark"});
    }
    SECTION("that is gone right after it") {
        writes();
        enableSm(juliet);
        juliet.cut();
        server.advance(std::chrono::minutes{6});
        CHECK(later() == Texts{"late Hark"});
    }
    SECTION("that is gone after a client has acknowledged something") {
        writes();
        enableSm(juliet);
        server.advance(std::chrono::seconds{2});
        CHECK(juliet.bytes().find("<r xmlns='urn:xmpp:sm:3'/>") != std::string::npos);
        acknowledge(juliet, 0);
        juliet.cut();
        server.advance(std::chrono::minutes{6});
        CHECK(later() == nothing);
    }
    SECTION("whose session is resumed: who knows of the session has got what came before") {
        writes();
        juliet.forget().send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        const auto enabled = parseXml(juliet.next(), ns::client);
        REQUIRE(enabled);
        const std::string id{(*enabled)->get("id")};
        juliet.cut();
        auto& back = server.connect({}, true);
        back.sendHeader().logIn("juliet").sendHeader().forget();
        back.send("<resume xmlns='urn:xmpp:sm:3' previd='" + id + "' h='0'/>");
        back.cut();
        server.advance(std::chrono::minutes{6});
        CHECK(later() == nothing);
    }
    SECTION("unless the client has closed it") {
        writes();
        juliet.send("</stream:stream>");
        CHECK(later() == nothing);
    }
    SECTION("as far as so much can come by chance") {
        for (int i = 0; i < 120; ++i) writes();
        CHECK(heard(juliet).size() == 120);
        juliet.cut();
        CHECK(later().size() == 100);
    }
    SECTION("unless it was there for some time") {
        writes();
        server.advance(std::chrono::seconds{11});
        juliet.cut();
        CHECK(later() == nothing);
    }
    SECTION("unless the client does without, as its presence tells") {
        juliet.available();
        writes();
        CHECK(heard(juliet) == Texts{"Hark"});
        juliet.cut();
        CHECK(later() == nothing);
    }
    SECTION("also over a restart") {
        writes();
        enableSm(juliet);
        server.restart();
        server.advance(std::chrono::minutes{6});
        CHECK(later() == Texts{"late Hark"});
    }
}
