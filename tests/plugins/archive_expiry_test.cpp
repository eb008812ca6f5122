// The expiry of archived messages (plugins/mam).
#include "tests/plugins/answers.h"

using namespace epode;

namespace {

constexpr auto day = std::chrono::hours{24};

// Clients are there for a moment only: days pass in between.
void say(TestServer& server, const std::string& from, const std::string& to,
         const std::string& text) {
    auto& client = server.login(from + "/talking");
    client.send("<message type='chat' to='" + to + "'><body>" + text + "</body></message>");
    client.send("</stream:stream>");
}

// The bodies in somebody's archive.
std::vector<std::string> archive(TestServer& server, const std::string& owner) {
    auto& client = server.login(owner + "/reading");
    client.send("<iq type='set' id='mam'><query xmlns='urn:xmpp:mam:2'/></iq>");
    std::vector<std::string> bodies;
    for (const auto& xml : client.all()) {
        const auto begin = xml.find("<body>");
        if (begin == std::string::npos || xml.find("urn:xmpp:mam:2") == std::string::npos) continue;
        bodies.push_back(xml.substr(begin + 6, xml.find("</body>") - begin - 6));
    }
    client.send("</stream:stream>");
    return bodies;
}

const std::string juliet = "juliet@capulet.example";
const std::string romeo = "romeo@montague.example";
using Bodies = std::vector<std::string>;

}  // namespace

TEST_CASE("archived messages go when they are older than the archive keeps them") {
    TestServer server{"[archive]\nexpire_after = '7 d'", 2};
    server.addAccount(juliet);
    say(server, romeo, juliet, "one");
    CHECK(archive(server, juliet) == Bodies{"one"});
    server.advance(6 * day);
    say(server, romeo, juliet, "two");
    CHECK(archive(server, juliet) == Bodies{"one", "two"});
    server.advance(day / 2);
    CHECK(archive(server, juliet) == Bodies{"one", "two"});
    server.advance(day);
    CHECK(archive(server, juliet) == Bodies{"two"});
    CHECK(archive(server, romeo) == Bodies{"two"});
    server.advance(7 * day);
    CHECK(archive(server, juliet).empty());
}

TEST_CASE("without the option messages are kept") {
    TestServer server;
    server.addAccount(juliet);
    say(server, romeo, juliet, "one");
    CHECK(archive(server, juliet) == Bodies{"one"});
    server.advance(100 * day);
    CHECK(archive(server, juliet) == Bodies{"one"});
}

TEST_CASE("many messages go in several steps") {
    TestServer server{"[archive]\nexpire_after = '1 d'"};
    auto& client = server.login(juliet + "/balcony");
    for (int i = 0; i < 2500; ++i)
        client.send("<message type='chat' to='" + juliet + "'><body>a thought</body></message>");
    client.send("</stream:stream>");
    CHECK(archive(server, juliet).size() == 50);  // a page
    server.advance(day + std::chrono::minutes{61});
    CHECK(archive(server, juliet).empty());
}

TEST_CASE("what waits for a client that is away is not deleted") {
    TestServer server{"[archive]\nexpire_after = '1 d'"};
    server.addAccount(juliet);
    say(server, romeo, juliet, "while you were away");
    server.advance(5 * day);
    CHECK(archive(server, romeo).empty());
    auto& client = server.connect({}, true);
    client.sendHeader().logIn("juliet").bind("balcony").forget().available();
    std::string all;
    for (const auto& xml : client.all()) all += xml;
    CHECK(all.find("while you were away") != std::string::npos);
}

TEST_CASE("expiry goes on after plugins were made anew, and after a restart") {
    TestServer server{"[archive]\nexpire_after = '1 d'"};
    server.addAccount(juliet);
    say(server, romeo, juliet, "one");
    CHECK(archive(server, juliet) == Bodies{"one"});
    server.advance(day / 2);
    server.rewire();
    server.rewire();
    say(server, romeo, juliet, "two");
    CHECK(archive(server, juliet) == Bodies{"one", "two"});
    server.advance(day);
    CHECK(archive(server, juliet) == Bodies{"two"});
    server.restart();
    server.advance(day);
    CHECK(archive(server, juliet).empty());
}
