// Message Displayed Synchronization (XEP-0490).
#include "tests/plugins/pubsub_support.h"

using namespace epode;

namespace {

const std::string node = "urn:xmpp:mds:displayed:0";
const std::string juliets = "juliet@capulet.example";
const std::string romeos = "romeo@montague.example";

std::string displayed(const std::string& id) {
    return "<displayed xmlns='" + node + "'><stanza-id xmlns='urn:xmpp:sid:0' by='" + juliets +
           "' id='" + id + "'/></displayed>";
}
const std::string marker = "<displayed xmlns='urn:xmpp:chat-markers:0' id='m1'/>";
const Fields options = {{"persist_items", "true"},
                        {"max_items", "max"},
                        {"send_last_published_item", "never"},
                        {"access_model", "whitelist"}};

// "chat:position chat:position"
std::string positions(TestClient& client) {
    const auto answer = client.ask("get", items(node));
    const auto stanza = parseXml(answer, ns::client);
    if (!stanza || (*stanza)->get("type") != "result") return outcome(answer);
    std::string text;
    for (const Element& item : (*stanza)->firstChild()->child("items")->children())
        text += (text.empty() ? "" : " ") + std::string{item.get("id")} + ":" +
                std::string{item.firstChild()->firstChild()->get("id")};
    return text;
}

}  // namespace

TEST_CASE("clients of an account tell each other how far they have read") {
    TestServer server;
    auto& balcony = server.login("juliet@capulet.example/balcony");
    auto& chamber = server.login("juliet@capulet.example/chamber");
    wants(chamber, {node});
    CHECK(outcome(balcony.ask("set", publish(node, romeos, displayed("1"), options))) == "result");
    CHECK(outcome(balcony.ask("set", publish(node, "room@conference.example", displayed("2"),
                                             options))) == "result");
    CHECK(events(chamber) == Events{juliets + " headline " + node + " " + romeos + ":",
                                    juliets + " headline " + node + " room@conference.example:"});
    CHECK(outcome(balcony.ask("set", publish(node, romeos, displayed("3"), options))) == "result");
    server.restart();
    auto& again = server.login("juliet@capulet.example/balcony");
    CHECK(positions(again) == "room@conference.example:2 " + romeos + ":3");
}

TEST_CASE("a position that comes with a message is published, and nobody else sees it") {
    TestServer server{"", 3};
    auto& balcony = server.login("juliet@capulet.example/balcony");
    auto& chamber = server.login("juliet@capulet.example/chamber");
    auto& romeo = server.login("romeo@montague.example/orchard");
    wants(chamber, {node});
    for (auto* client : {&balcony, &chamber, &romeo}) client->forget();

    balcony.send("<message to='" + romeos + "' id='a'>" + marker + displayed("1") + "</message>");
    const auto got = romeo.next();
    CHECK(got.find("urn:xmpp:chat-markers:0") != std::string::npos);
    CHECK(got.find(node) == std::string::npos);
    CHECK(events(chamber) == Events{juliets + " headline " + node + " " + romeos + ":"});
    CHECK(positions(balcony) == romeos + ":1");

    // In one's own archive it is not, either.
    balcony.forget().send("<message to='" + romeos + "' type='chat' id='b'><body>hi</body>" +
                          displayed("2") + "</message>");
    balcony.ask("set", "<query xmlns='urn:xmpp:mam:2'/>");
    for (const auto& xml : balcony.all()) CHECK(xml.find(node) == std::string::npos);
    CHECK(positions(balcony) == romeos + ":2");
    balcony.send("<message to='nobody@capulet.example'><body>hi</body>" + displayed("3") +
                 "</message>");
    CHECK(positions(balcony) == romeos + ":2 nobody@capulet.example:3");
}

TEST_CASE("a position that makes no sense is dropped, and never sent on") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    const std::string open = "<displayed xmlns='" + node + "'>";
    for (const auto& bad :
         {open + "</displayed>", open + "<stanza-id xmlns='urn:other' id='1'/></displayed>",
          open + "<stanza-id xmlns='urn:xmpp:sid:0' id='1'/><x xmlns='urn:x'/></displayed>",
          open + "text</displayed>"}) {
        juliet.send("<message to='" + romeos + "'><body>hi</body>" + bad + "</message>");
        CHECK(romeo.next().find(node) == std::string::npos);
    }
    juliet.send("<message><body>to myself</body>" + displayed("1") + "</message>");
    CHECK(positions(juliet) == "cancel item-not-found");
}

TEST_CASE("read positions are their owner's alone") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    befriend(juliet, romeo);
    CHECK(outcome(juliet.ask("set",
                             publish(node, romeos, displayed("1"), {{"access_model", "open"}}))) ==
          "modify not-acceptable");
    juliet.send("<message to='" + romeos + "'>" + marker + displayed("1") + "</message>");
    CHECK(outcome(juliet.ask("set", configure(node, {{"access_model", "presence"}}))) ==
          "modify not-acceptable");
    CHECK(failure(romeo.ask("get", items(node), juliets)) == "cancel not-allowed closed-node");
    CHECK(outcome(romeo.ask("set", publish(node, "x", displayed("9")), juliets)) ==
          "auth forbidden");
    CHECK(positions(juliet) == romeos + ":1");
    // What the clients ask for is how the node is.
    CHECK(outcome(juliet.ask("set", publish(node, romeos, displayed("2"), options))) == "result");
}

TEST_CASE("without personal eventing nothing is promised, and nothing is sent on") {
    for (const bool has : {true, false}) {
        TestServer server{has ? "" : "[plugins]\ndisabled = ['pubsub']"};
        auto& juliet = server.login("juliet@capulet.example/balcony");
        auto& romeo = server.login("romeo@montague.example/orchard");
        const auto about =
            juliet.ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", juliets);
        CHECK((about.find("urn:xmpp:mds:server-assist:0") != std::string::npos) == has);
        juliet.send("<message to='" + romeos + "'>" + marker + displayed("1") + "</message>");
        CHECK(romeo.next().find(node) == std::string::npos);
    }
}
