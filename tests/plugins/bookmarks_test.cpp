// Bookmarks (XEP-0402) for clients of all ages.
#include "plugins/bookmarks/conversion.h"
#include "tests/plugins/pubsub_support.h"

using namespace epode;

namespace {

const std::string node = "urn:xmpp:bookmarks:1";
const Fields options{{"persist_items", "true"},
                     {"max_items", "max"},
                     {"send_last_published_item", "never"},
                     {"access_model", "whitelist"}};

std::string bookmark(const std::string& name, const std::string& content = "<nick>JC</nick>") {
    return "<conference xmlns='urn:xmpp:bookmarks:1' name='" + name + "' autojoin='true'>" +
           content + "</conference>";
}
std::string adds(TestClient& client, const std::string& room, const std::string& payload) {
    return failure(client.ask("set", publish(node, room, payload, options)));
}

std::string storage(const std::string& content) {
    return "<storage xmlns='storage:bookmarks'>" + content + "</storage>";
}
std::string old(const std::string& room, const std::string& name) {
    return "<conference jid='" + room + "' name='" + name +
           "' autojoin='true'><nick>JC</nick></conference>";
}
std::string privately(const std::string& content) {
    return "<query xmlns='jabber:iq:private'>" + content + "</query>";
}
// "jid=name jid=name" of a list.
std::string rooms(const std::string& answer) {
    const auto stanza = parseXml(answer, ns::client);
    if (!stanza || (*stanza)->get("type") != "result") return failure(answer);
    std::string text;
    std::vector<const Element*> open{&**stanza};
    while (!open.empty()) {
        const Element* element = open.back();
        open.pop_back();
        if (element->is("conference", "storage:bookmarks"))
            text +=
                std::string{element->get("jid")} + "=" + std::string{element->get("name")} + " ";
        if (element->is("url", "storage:bookmarks")) text += std::string{element->get("url")} + " ";
        for (const Element& child : element->children()) open.push_back(&child);
    }
    return text;
}
std::string ofPrivateStorage(TestClient& client) {
    return rooms(client.ask("get", privately(storage(""))));
}
std::string ofTheList(TestClient& client) {
    return rooms(client.ask("get", items("storage:bookmarks")));
}
// Ids of the items, and whether any has extensions.
std::string ofItems(TestClient& client) {
    const auto answer = client.ask("get", items(node));
    const auto stanza = parseXml(answer, ns::client);
    if ((*stanza)->get("type") != "result") return failure(answer);
    std::string text;
    for (const Element& item : (*stanza)->firstChild()->child("items")->children()) {
        text += std::string{item.get("id")} + "=" + std::string{item.firstChild()->get("name")};
        if (item.firstChild()->child("extensions")) text += "+";
        text += " ";
    }
    return text;
}

}  // namespace

TEST_CASE("what a new client bookmarks, old ones see") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    CHECK(adds(juliet, "play@rooms.example", bookmark("The Play")) == "result");
    CHECK(adds(juliet, "orchard@rooms.example", bookmark("Orchard")) == "result");
    CHECK(ofPrivateStorage(juliet) == "play@rooms.example=The Play orchard@rooms.example=Orchard ");
    CHECK(ofTheList(juliet) == ofPrivateStorage(juliet));
    CHECK(outcome(juliet.ask("set", retract(node, "play@rooms.example", "true"))) == "result");
    CHECK(ofPrivateStorage(juliet) == "orchard@rooms.example=Orchard ");
    CHECK(ofTheList(juliet) == "orchard@rooms.example=Orchard ");
    CHECK(outcome(juliet.ask("set", retract(node, "orchard@rooms.example", "true"))) == "result");
    CHECK(ofPrivateStorage(juliet) == "");
    CHECK(ofTheList(juliet) == "");
}

TEST_CASE(
    "what an old client keeps in private storage, new ones see, and hear only of what changed") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    wants(juliet, {node});
    juliet.forget();
    CHECK(outcome(juliet.ask("set", privately(storage(old("a@r.example", "A") +
                                                      old("b@r.example", "B"))))) == "result");
    CHECK(ofItems(juliet) == "a@r.example=A b@r.example=B ");
    CHECK(events(juliet).size() == 2);
    CHECK(ofTheList(juliet).size() == ofPrivateStorage(juliet).size());
    CHECK(outcome(juliet.ask("set", privately(storage(old("a@r.example", "A") +
                                                      old("c@r.example", "C"))))) == "result");
    CHECK(ofItems(juliet) == "a@r.example=A c@r.example=C ");
    const auto told = events(juliet);
    REQUIRE(told.size() == 2);
    CHECK(told[0].find("c@r.example") != std::string::npos);
    CHECK(told[1].find("retract:b@r.example") != std::string::npos);
    // Nobody else sees them.
    auto& romeo = server.login("romeo@montague.example/orchard");
    befriend(juliet, romeo);
    for (const std::string other : {node, std::string{"storage:bookmarks"}})
        CHECK(failure(romeo.ask("get", items(other), "juliet@capulet.example")) ==
              "cancel not-allowed closed-node");
}

TEST_CASE("what an old client publishes as one list becomes items") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    CHECK(outcome(juliet.ask("set", publish("storage:bookmarks", "current",
                                            storage(old("a@r.example", "A"))))) == "result");
    CHECK(ofItems(juliet) == "a@r.example=A ");
    CHECK(ofPrivateStorage(juliet) == "a@r.example=A ");
    CHECK(outcome(juliet.ask("set", publish("storage:bookmarks", "current", storage("")))) ==
          "result");
    CHECK(ofItems(juliet) == "");
    // And what is no list changes nothing.
    adds(juliet, "b@r.example", bookmark("B"));
    CHECK(outcome(juliet.ask("set", publish("storage:bookmarks", "current", note("x")))) ==
          "result");
    CHECK(ofItems(juliet) == "b@r.example=B ");
}

TEST_CASE("extensions survive an old client, and so do web pages") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    adds(juliet, "a@r.example",
         bookmark("A", "<nick>JC</nick><extensions><pinned xmlns='urn:pin'/></extensions>"));
    const std::string page = "<url name='Works' url='http://works.example/'/>";
    CHECK(outcome(juliet.ask("set", privately(storage(old("a@r.example", "New name") + page)))) ==
          "result");
    CHECK(ofItems(juliet) == "a@r.example=New name+ ");
    CHECK(ofPrivateStorage(juliet).find("http://works.example/") != std::string::npos);
    CHECK(ofPrivateStorage(juliet).find("a@r.example=New name") != std::string::npos);
}

TEST_CASE("rooms whose addresses are none are left out, and one list has a room once") {
    using namespace epode::bookmarks;
    const auto list =
        parseXml(storage(old("@@", "bad") + old("", "none") + "<conference name='nowhere'/>" +
                         old("a@r.example/x", "1") + old("A@r.example", "2") +
                         "<conference xmlns='urn:x' "
                         "jid='b@r.example'/>"));
    const Items found = itemsOf(**list, {});
    REQUIRE(found.size() == 1);
    CHECK(found.at("a@r.example").find("name='2'") != std::string::npos);
    CHECK(toXml(*listOf({{"not an address@@", bookmark("x")}, {"a@r.example", "<x/>"}})) ==
          "<storage xmlns='storage:bookmarks'/>");
    CHECK(areSame("<a x='1' y='2'/>", "<a y='2' x='1'/>"));
    CHECK_FALSE(areSame("<a x='1'/>", "<a x='2'/>"));
}

TEST_CASE("an account tells that old and new bookmarks are the same") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto info = juliet.ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>");
    CHECK(info.find("urn:xmpp:bookmarks:1#compat'") != std::string::npos);
    CHECK(info.find("urn:xmpp:bookmarks:1#compat-pep'") != std::string::npos);
}
