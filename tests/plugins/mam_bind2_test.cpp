// What a login by Bind 2 (XEP-0386) does to the messages that wait.
#include "tests/stream/sasl2.h"

using namespace epode;

TEST_CASE("a client that gets no session by Bind 2 has fetched nothing") {
    TestServer server{"[client]\nresources_max = 1"};
    auto& first = server.login("juliet@capulet.example/balcony", false).forget();
    server.login("romeo@capulet.example/orchard")
        .send("<message type='chat' to='juliet@capulet.example'><body>Hark</body></message>");
    server.advance(std::chrono::seconds{1});
    auto& second = open(server).forget();
    second.send(plain2("juliet", bind2()));
    CHECK(second.streamError() == "resource-constraint");
    first.available();
    CHECK(first.bytes().find("Hark") != std::string::npos);

    // Who gets one reads the archive: nothing waits any more.
    TestServer other;
    other.addAccount("juliet@capulet.example");
    other.login("romeo@capulet.example/orchard")
        .send("<message type='chat' to='juliet@capulet.example'><body>Hark</body></message>");
    other.advance(std::chrono::seconds{1});
    auto& bound = open(other).forget();
    bound.send(plain2("juliet", bind2()));
    CHECK(success2(bound).bound->child("metadata", "urn:xmpp:mam:2")->child("end", "urn:xmpp:mam:2"));
    bound.available();
    CHECK(bound.bytes().find("Hark") == std::string::npos);
}
