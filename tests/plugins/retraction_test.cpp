// Message Retraction (XEP-0424) with tombstones.
#include "tests/plugins/answers.h"
#include "tests/support/messages.h"

using namespace epode;

namespace {

const std::string juliet = "juliet@capulet.example";
const std::string romeo = "romeo@montague.example";

std::string saying(const std::string& to, const std::string& id, const std::string& body,
                   const std::string& more = {}) {
    return "<message type='chat' to='" + to + "' id='" + id + "'><body>" + body + "</body>" + more +
           "</message>";
}
std::string retracting(const std::string& to, const std::string& retracted,
                       const std::string& id = "retract-1", const std::string& more = {}) {
    return "<message type='chat' to='" + to + "' id='" + id + "'><retract id='" + retracted +
           "' xmlns='urn:xmpp:message-retract:1'/><body>/me retracted a message</body>" + more +
           "</message>";
}

// The archive: bodies, and "+id" for a tombstone.
Texts archived(TestClient& client) {
    client.forget().send("<iq type='set' id='mam'><query xmlns='urn:xmpp:mam:2'/></iq>");
    Texts found;
    for (const auto& xml : client.all()) {
        const auto stanza = Stanza::parse(xml);
        const Element* result = stanza ? stanza->child("result", "urn:xmpp:mam:2") : nullptr;
        if (!result) continue;
        const Element* message =
            result->child("forwarded", ns::forward)->child("message", ns::client);
        const Element* stone = message->child("retracted", "urn:xmpp:message-retract:1");
        found.push_back(stone ? "+" + std::string{stone->get("id")}
                              : std::string{message->childText("body")});
        if (stone) {
            CHECK(message->children().size() == 1);
            CHECK(!stone->get("stamp").empty());
            CHECK(message->get("id") != "");
        }
    }
    return found;
}

const std::string notice = "/me retracted a message";

struct Talk {
    explicit Talk(std::string_view toml = {}, unsigned shards = 1)
        : server{toml, shards},
          balcony{server.login(juliet + "/balcony")},
          orchard{server.login(romeo + "/orchard")} {}
    TestServer server;
    TestClient &balcony, &orchard;
};

}  // namespace

TEST_CASE("what its author takes back is a tombstone in both archives") {
    Talk talk{"", GENERATE(1u, 2u)};
    talk.orchard.send(saying(juliet, "m1", "secret")).send(saying(juliet, "m2", "harmless"));
    talk.balcony.forget();
    talk.orchard.send(retracting(juliet, "m1"));
    CHECK(heard(talk.balcony) == Texts{notice});
    CHECK(archived(talk.balcony) == Texts{"+retract-1", "harmless", notice});
    CHECK(archived(talk.orchard) == Texts{"+retract-1", "harmless", notice});
    // A second time there is nothing to take back.
    talk.orchard.send(retracting(juliet, "m1", "retract-2"));
    CHECK(archived(talk.balcony) == Texts{"+retract-1", "harmless", notice, notice});
}

TEST_CASE("nobody takes back what another has said") {
    Talk talk;
    auto& tybalt = talk.server.login("tybalt@capulet.example/street");
    talk.orchard.send(saying(juliet, "m1", "by romeo"));
    talk.balcony.send(saying(romeo, "m2", "by juliet"));
    tybalt.send(retracting(juliet, "m1")).send(retracting(romeo, "m1"));
    talk.balcony.send(retracting(romeo, "m1"));  // it is in their conversation, but not hers
    talk.orchard.send(retracting(juliet, "m2"));
    CHECK(archived(talk.orchard) == Texts{"by romeo", "by juliet", notice, notice, notice});
    CHECK(archived(talk.balcony) == Texts{"by romeo", "by juliet", notice, notice, notice});
}

TEST_CASE("a retraction is not taken back, nor anything that is not there") {
    Talk talk;
    talk.orchard.send(saying(juliet, "m1", "secret")).send(retracting(juliet, "m1", "r1"));
    talk.orchard.send(retracting(juliet, "r1", "r2")).send(retracting(juliet, "", "r3"));
    talk.orchard.send(retracting(juliet, "never said", "r4"));
    talk.orchard.send(retracting(juliet, std::string(2000, 'x'), "r5"));
    CHECK(archived(talk.balcony) == Texts{"+r1", notice, notice, notice, notice, notice});
}

TEST_CASE("a message is found by its origin-id as well, and by an id that is escaped") {
    Talk talk;
    talk.orchard.send(saying(juliet, "m1", "one", "<origin-id xmlns='urn:xmpp:sid:0' id='o1'/>"));
    talk.orchard.send(saying(juliet, "a&apos;&lt;&quot;b", "two"));
    talk.orchard.send(retracting(juliet, "o1", "r1"));
    talk.orchard.send(retracting(juliet, "a&apos;&lt;&quot;b", "r2"));
    CHECK(archived(talk.balcony) == Texts{"+r1", "+r2", notice, notice});
}

TEST_CASE("of several messages with one id the newest is meant") {
    Talk talk;
    talk.orchard.send(saying(juliet, "m1", "older")).send(saying(juliet, "m1", "newer"));
    talk.orchard.send(retracting(juliet, "m1"));
    CHECK(archived(talk.balcony) == Texts{"older", "+retract-1", notice});
}

TEST_CASE("the older form of a retraction is understood") {
    Talk talk;
    talk.orchard.send(saying(juliet, "m1", "secret"));
    talk.orchard.send("<message type='chat' to='" + juliet +
                      "' id='r1'><apply-to xmlns='urn:xmpp:fasten:0' id='m1'><retract "
                      "xmlns='urn:xmpp:message-retract:0'/></apply-to><body>" +
                      notice + "</body></message>");
    CHECK(archived(talk.balcony) == Texts{"+r1", notice});
}

TEST_CASE("what waits for a client that is away comes as a tombstone") {
    Talk talk{GENERATE("", "[archive]\ndefault = 'never'")};
    talk.balcony.cut();
    talk.orchard.send(saying(juliet, "m1", "secret")).send(retracting(juliet, "m1"));
    auto& again = talk.server.login(juliet + "/balcony", false);
    again.available();
    std::string came;
    for (const auto& xml : again.all()) came += xml;
    CHECK(came.find("secret") == std::string::npos);
    CHECK(came.find("<retracted ") != std::string::npos);
    CHECK(came.find("<retract ") != std::string::npos);
}

TEST_CASE("in private messages of a room only the same occupant takes back") {
    Talk talk;
    const auto say = [&](const std::string& nick, const std::string& id,
                         const std::string& content) {
        auto stanza =
            Stanza::parse("<message xmlns='jabber:client' type='chat' from='room@muc.example/" +
                          nick + "' to='" + juliet + "/balcony' id='" + id + "'>" + content +
                          "<x xmlns='http://jabber.org/protocol/muc#user'/></message>");
        REQUIRE(stanza);
        talk.server.server().shard(0).executor().post(
            [&, stanza] { talk.server.server().route(stanza); });
        talk.server.run();
    };
    const std::string retract =
        "<retract id='m1' xmlns='urn:xmpp:message-retract:1'/><body>r</body>";
    say("romeo", "m1", "<body>secret</body>");
    say("tybalt", "r1", retract);
    CHECK(archived(talk.balcony) == Texts{"secret", "r"});
    say("romeo", "r2", retract);
    CHECK(archived(talk.balcony) == Texts{"+r2", "r", "r"});
}

TEST_CASE("only the newest messages of a conversation are looked through") {
    Talk talk{"[retraction]\nsearch_max = 10"};
    talk.orchard.send(saying(juliet, "m1", "old"));
    for (int i = 0; i < 10; ++i) talk.orchard.send(saying(juliet, "x", std::to_string(i)));
    talk.orchard.send(retracting(juliet, "m1"));
    CHECK(archived(talk.balcony).front() == "old");
}

TEST_CASE("where there are no tombstones, everything stays, and it is said so") {
    Talk talk{"[retraction]\ntombstones = false"};
    talk.orchard.send(saying(juliet, "m1", "secret")).send(retracting(juliet, "m1"));
    CHECK(archived(talk.balcony) == Texts{"secret", notice});
    const std::string info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    const auto off = talk.balcony.ask("get", info, juliet);
    CHECK(off.find("'urn:xmpp:message-retract:1'") != std::string::npos);
    CHECK(off.find("#tombstone") == std::string::npos);
    Talk usual;
    CHECK(usual.balcony.ask("get", info, juliet).find("'urn:xmpp:message-retract:1#tombstone'") !=
          std::string::npos);
}
