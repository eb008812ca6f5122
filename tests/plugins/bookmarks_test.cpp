// Bookmarks in all their forms (XEP-0402, 0048, 0049, 0411) and notification settings (XEP-0492).
#include "plugins/bookmarks/notify_rules.h"
#include "plugins/bookmarks/storage.h"
#include "store/keyed_store.h"
#include "tests/plugins/pubsub_support.h"

using namespace epode;

namespace {

const std::string newNode = "urn:xmpp:bookmarks:1";
const std::string oldNode = "storage:bookmarks";
const std::string juliets = "juliet@capulet.example";
const std::string play = "theplay@conference.example";
const std::string orchard = "orchard@conference.example";

std::string conference(const std::string& name, const std::string& content = {}) {
    return "<conference xmlns='urn:xmpp:bookmarks:1' name='" + name + "' autojoin='true'>" +
           content + "</conference>";
}
std::string room(const std::string& jid, const std::string& name, const std::string& content = {}) {
    return "<conference jid='" + jid + "' name='" + name + "' autojoin='true'>" + content +
           "</conference>";
}
std::string storage(const std::string& content) {
    return "<storage xmlns='storage:bookmarks'>" + content + "</storage>";
}
std::string query(const std::string& content) {
    return "<query xmlns='jabber:iq:private'>" + content + "</query>";
}
const std::string askPrivate = query("<storage xmlns='storage:bookmarks'/>");

// "jid=name+name jid=name": a list of rooms, whatever its form, with the names of what is in them.
std::string rooms(const Element& list) {
    std::string text;
    for (const Element& entry : list.children()) {
        const bool isItem = entry.name() == "item";
        const Element& conference = isItem ? *entry.firstChild() : entry;
        if (!text.empty()) text += ' ';
        if (entry.name() == "url") {
            text += "url=" + std::string{entry.get("url")};
            continue;
        }
        text += std::string{isItem ? entry.get("id") : entry.get("jid")} + "=" +
                std::string{conference.get("name")};
        for (const Element& child : conference.children()) {
            text += "+" + std::string{child.name()};
            for (const Element& extension : child.children())
                text += "/" + std::string{extension.name()};
        }
    }
    return text;
}

std::string ofNew(TestClient& client) {
    const auto answer = client.ask("get", items(newNode));
    const auto stanza = parseXml(answer, ns::client);
    if (!stanza || (*stanza)->get("type") != "result") return outcome(answer);
    return rooms(*(*stanza)->firstChild()->child("items"));
}
std::string ofOld(TestClient& client) {
    const auto answer = client.ask("get", items(oldNode));
    const auto stanza = parseXml(answer, ns::client);
    if (!stanza || (*stanza)->get("type") != "result") return outcome(answer);
    const Element* item = (*stanza)->firstChild()->child("items")->firstChild();
    return item ? rooms(*item->firstChild()) : "";
}
std::string ofPrivate(TestClient& client) {
    const auto answer = client.ask("get", askPrivate);
    const auto stanza = parseXml(answer, ns::client);
    if (!stanza || (*stanza)->get("type") != "result") return outcome(answer);
    return rooms(*(*stanza)->firstChild()->firstChild());
}
// All three say this.
void checkAll(TestClient& client, const std::string& said) {
    CHECK(ofNew(client) == said);
    CHECK(ofOld(client) == said);
    CHECK(ofPrivate(client) == said);
}

const Fields options = {{"persist_items", "true"},
                        {"max_items", "max"},
                        {"send_last_published_item", "never"},
                        {"access_model", "whitelist"}};

}  // namespace

TEST_CASE("a bookmark published in one form appears in the others") {
    TestServer server{"", 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    CHECK(ofNew(juliet) == "cancel item-not-found");
    CHECK(ofPrivate(juliet) == "");

    CHECK(outcome(juliet.ask("set", publish(newNode, play, conference("Play", "<nick>JC</nick>"),
                                            options))) == "result");
    checkAll(juliet, play + "=Play+nick");

    CHECK(outcome(juliet.ask("set", publish(oldNode, "current",
                                            storage(room(play, "The Play", "<nick>JC</nick>") +
                                                    room(orchard, "Orchard"))))) == "result");
    CHECK(ofNew(juliet) == orchard + "=Orchard " + play + "=The Play+nick");
    CHECK(ofOld(juliet) == play + "=The Play+nick " + orchard + "=Orchard");

    CHECK(outcome(juliet.ask("set", query(storage(room(orchard, "The Orchard"))))) == "result");
    checkAll(juliet, orchard + "=The Orchard");

    CHECK(outcome(juliet.ask("set", retract(newNode, orchard, "true"))) == "result");
    checkAll(juliet, "");

    server.restart();
    auto& again = server.login("juliet@capulet.example/balcony");
    checkAll(again, "");
    CHECK(outcome(again.ask("set", query(storage(room(orchard, "Back"))))) == "result");
    server.restart();
    auto& third = server.login("juliet@capulet.example/balcony");
    checkAll(third, orchard + "=Back");
}

TEST_CASE("clients of each form are told of a change, once, and not of what stays") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& modern = server.login("juliet@capulet.example/modern");
    auto& old = server.login("juliet@capulet.example/old");
    wants(modern, {newNode});
    wants(old, {oldNode});
    juliet.ask("set", query(storage(room(play, "Play") + room(orchard, "Orchard"))));
    for (auto* client : {&juliet, &modern, &old}) client->forget();

    juliet.ask("set", query(storage(room(play, "Play") + room(orchard, "Changed"))));
    CHECK(events(modern) == Events{juliets + " headline " + newNode + " " + orchard + ":"});
    CHECK(events(old).size() == 1);

    juliet.ask("set", query(storage(room(play, "Play"))));
    CHECK(events(modern) == Events{juliets + " headline " + newNode + " retract:" + orchard});
    CHECK(events(old).size() == 1);

    juliet.ask("set", publish(newNode, orchard, conference("New"), options));
    CHECK(events(modern).size() == 1);
    CHECK(events(old).size() == 1);

    // The same again says nothing new to those of the other form.
    juliet.ask("set", publish(newNode, orchard, conference("New"), options));
    CHECK(events(old).empty());
}

TEST_CASE("what one form can't say stays in the other") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const std::string extensions =
        "<extensions><state xmlns='urn:client' minimized='true'/></extensions>";
    juliet.ask("set", publish(newNode, play, conference("Play", extensions), options));
    CHECK(ofPrivate(juliet) == play + "=Play+extensions/state");

    // An old client that knows no extensions, and keeps a link besides.
    const std::string link = "<url name='Works' url='http://works.example/'/>";
    juliet.ask("set", query(storage(link + room(play, "Renamed"))));
    CHECK(ofNew(juliet) == play + "=Renamed+extensions/state");
    CHECK(ofPrivate(juliet) == "url=http://works.example/ " + play + "=Renamed+extensions/state");

    // One with an element of its own in the bookmark: it stays where it has put it, and clients of
    // the new form see it among the extensions.
    const std::string own = "<minimize xmlns='xmpp:gajim.example'>true</minimize>";
    juliet.ask("set", query(storage(link + room(play, "Renamed", own))));
    CHECK(ofNew(juliet) == play + "=Renamed+extensions/minimize/state");
    CHECK(ofPrivate(juliet) ==
          "url=http://works.example/ " + play + "=Renamed+minimize+extensions/state");
    juliet.ask("set", publish(newNode, orchard, conference("Orchard"), options));
    CHECK(ofPrivate(juliet) == "url=http://works.example/ " + play +
                                   "=Renamed+minimize+extensions/state " + orchard + "=Orchard");
    // What it takes out again is gone.
    juliet.ask("set", query(storage(room(play, "Renamed"))));
    CHECK(ofNew(juliet) == play + "=Renamed+extensions/state");
    CHECK(ofPrivate(juliet) == play + "=Renamed+extensions/state");
}

TEST_CASE("entries that are no rooms are left alone") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const std::string odd = "<conference name='nowhere'/><conference jid='@' name='bad'/>" +
                            room("room@conference.example/nick", "with a nick");
    juliet.ask("set", query(storage(odd + room(play, "Play"))));
    CHECK(ofNew(juliet) == play + "=Play");
    juliet.ask("set", publish(newNode, orchard, conference("Orchard"), options));
    CHECK(ofPrivate(juliet) == "=nowhere @=bad room@conference.example/nick=with a nick " + play +
                                   "=Play " + orchard + "=Orchard");
}

TEST_CASE("what is no bookmark is refused") {
    TestServer server{"[bookmarks]\nrooms_max = 10"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const std::string refused = "modify bad-request invalid-payload";
    juliet.ask("set", publish(newNode, play, conference("Play"), options));
    for (const auto& bad : {
             publish(newNode, "", conference("no room")),
             publish(newNode, "@", conference("no room")),
             publish(newNode, "room@conference.example/nick", conference("no room")),
             publish(newNode, play, note("no conference")),
             publish(newNode, play, "<conference xmlns='storage:bookmarks'/>"),
             publish(newNode, play, "<conference xmlns='urn:xmpp:bookmarks:1' autojoin='maybe'/>"),
             publish(oldNode, "current", note("no storage")),
             publish(oldNode, "current", conference("no storage")),
         }) {
        INFO(bad);
        CHECK(failure(juliet.ask("set", bad)) == refused);
    }
    std::string many;
    for (int i = 0; i < 11; ++i) many += room("room" + std::to_string(i) + "@c.example", "x");
    CHECK(outcome(juliet.ask("set", query(storage(many)))) == "wait resource-constraint");
    CHECK(outcome(juliet.ask("set", publish(oldNode, "current", storage(many)))) ==
          "wait resource-constraint");
    checkAll(juliet, play + "=Play");
}

TEST_CASE("bookmarks are never lost because there are too many") {
    TestServer server{"[pubsub]\nitems_max = 2"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    for (const char* name : {"a", "b"})
        CHECK(outcome(juliet.ask("set", publish(newNode, std::string{name} + "@c.example",
                                                conference(name), options))) == "result");
    CHECK(outcome(juliet.ask("set", publish(newNode, "c@c.example", conference("c"), options))) ==
          "cancel conflict");
    checkAll(juliet, "a@c.example=a b@c.example=b");
}

TEST_CASE("nobody else reads bookmarks, whatever is asked of the nodes") {
    TestServer server{"", 2};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    befriend(juliet, romeo);
    const Fields open = {{"access_model", "open"}};
    for (const auto& node : {newNode, oldNode}) {
        CHECK(outcome(juliet.ask("set", create(node, open))) == "modify not-acceptable");
        const auto& item = node == newNode ? publish(node, play, conference("x"), open)
                                           : publish(node, "current", storage(""), open);
        CHECK(outcome(juliet.ask("set", item)) == "modify not-acceptable");
    }
    CHECK(outcome(juliet.ask("set", publish(newNode, play, conference("Play")))) == "result");
    for (const auto& node : {newNode, oldNode}) {
        CHECK(outcome(juliet.ask("set", configure(node, open))) == "modify not-acceptable");
        CHECK(failure(romeo.ask("get", items(node), juliets)) == "cancel not-allowed closed-node");
        CHECK(outcome(romeo.ask("set",
                                node == newNode ? publish(node, play, conference("his"))
                                                : publish(node, "current", storage("")),
                                juliets)) == "auth forbidden");
    }
    CHECK(outcome(romeo.ask("get", askPrivate, juliets)) == "auth forbidden");
    CHECK(outcome(romeo.ask("set", query(storage("")), juliets)) == "auth forbidden");
    checkAll(juliet, play + "=Play");
}

TEST_CASE("bookmarks from before are there at the first request") {
    for (int first = 0; first < 3; ++first) {
        TestServer server{"[plugins]\ndisabled = ['bookmarks']"};
        server.addAccount(juliets);
        INFO("asked first: " << first);
        auto& before = server.login("juliet@capulet.example/balcony");
        const std::string link = "<url name='Works' url='http://works.example/'/>";
        before.ask("set", query(storage(link + room(play, "Private") + room(orchard, "Private"))));
        before.ask("set", publish(newNode, play, conference("Kept"), options));
        before.ask("set", publish(oldNode, "current", storage(room("c@c.example", "Listed"))));
        server.configure("");
        server.restart();
        auto& juliet = server.login("juliet@capulet.example/balcony");
        const std::string expected = "c@c.example=Listed " + orchard + "=Private " + play + "=Kept";
        if (first == 0) CHECK(ofNew(juliet).size() == expected.size());
        if (first == 1) CHECK(ofOld(juliet).find("Kept") != std::string::npos);
        if (first == 2) CHECK(ofPrivate(juliet).find("Kept") != std::string::npos);
        CHECK(ofPrivate(juliet).find("http://works.example/") != std::string::npos);
        for (const auto* name : {"Listed", "Private", "Kept"}) {
            CHECK(ofNew(juliet).find(name) != std::string::npos);
            CHECK(ofOld(juliet).find(name) != std::string::npos);
            CHECK(ofPrivate(juliet).find(name) != std::string::npos);
        }
        // Removed is removed, also over a restart.
        juliet.ask("set", retract(newNode, orchard));
        server.restart();
        auto& again = server.login("juliet@capulet.example/balcony");
        CHECK(ofPrivate(again).find(orchard) == std::string::npos);
        CHECK(ofNew(again).find(orchard) == std::string::npos);
    }
}

TEST_CASE("a list that a client throws away comes again, and items that go take it along") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.ask("set", publish(newNode, play, conference("Play"), options));
    juliet.ask("set", ownerPubsub("<delete node='" + oldNode + "'/>"));
    checkAll(juliet, play + "=Play");
    juliet.ask("set", retract(oldNode, "current"));
    checkAll(juliet, play + "=Play");
    juliet.ask("set", ownerPubsub("<delete node='" + newNode + "'/>"));
    CHECK(ofOld(juliet) == "");
    CHECK(ofPrivate(juliet) == "");
}

TEST_CASE("a list and items that are written at the same time lose nothing") {
    for (const bool isPrivate : {true, false}) {
        TestServer server{"", 2};
        auto& one = server.login("juliet@capulet.example/one");
        auto& two = server.login("juliet@capulet.example/two");
        auto& three = server.login("juliet@capulet.example/three");
        one.ask("set", query(storage(room("base@c.example", "base") + room("e@c.example", "e"))));
        const auto iq = [](const std::string& payload) {
            return "<iq type='set' id='w'>" + payload + "</iq>";
        };
        const auto list = storage(room("base@c.example", "base") + room("a@c.example", "a"));
        two.sendSoon(iq(publish(newNode, "b@c.example", conference("b"), options)));
        one.sendSoon(iq(isPrivate ? query(list) : publish(oldNode, "current", list)));
        two.sendSoon(iq(publish(newNode, "c@c.example", conference("c"), options)));
        three.sendSoon(iq(publish(newNode, "d@c.example", conference("d"), options)));
        server.run();
        for (const auto& found : {ofNew(one), ofOld(one), ofPrivate(one)}) {
            INFO(found);
            for (const auto* name : {"=base", "=a", "=c", "=d"})
                CHECK(found.find(name) != std::string::npos);
            // What the list has left out on purpose is gone.
            CHECK(found.find("=e") == std::string::npos);
        }
    }
}

TEST_CASE("the account says that its bookmarks are one, and only while that is so") {
    for (const bool has : {true, false}) {
        TestServer server{has ? "" : "[plugins]\ndisabled = ['pubsub']"};
        auto& juliet = server.login("juliet@capulet.example/balcony");
        const auto about =
            juliet.ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>", juliets);
        for (const auto* feature :
             {"urn:xmpp:bookmarks:1#compat", "urn:xmpp:bookmarks:1#compat-pep",
              "urn:xmpp:bookmarks-conversion:0"})
            CHECK((about.find("'" + std::string{feature} + "'") != std::string::npos) == has);
        CHECK(outcome(juliet.ask("set", query(storage(room(play, "Play"))))) == "result");
        CHECK(ofPrivate(juliet) == play + "=Play");
    }
}

// ---- notification settings

TEST_CASE("the most specific notification setting counts") {
    using bookmarks::decide;
    using bookmarks::readNotifyRules;
    struct Row {
        std::string rules;
        std::string category;
        std::string type;
        Notifications expected;
    };
    const std::string example =
        "<never identity-category='client' identity-type='pc'/>"
        "<on-mention identity-category='client' identity-type='phone'/>"
        "<on-mention identity-category='gateway'/><always/>";
    for (const auto& row : {
             Row{"<never/>", "client", "phone", Notifications::Never},
             Row{example, "client", "pc", Notifications::Never},
             Row{example, "client", "phone", Notifications::OnMention},
             Row{example, "client", "web", Notifications::Always},
             Row{example, "gateway", "sms", Notifications::OnMention},
             Row{"<never><advanced><x xmlns='urn:x'/></advanced></never>", "client", "phone",
                 Notifications::Never},
             Row{"<always/><never identity-category='client'/>", "client", "phone",
                 Notifications::Never},
             // Nothing that makes sense.
             Row{"", "client", "phone", Notifications::Unset},
             Row{"<sometimes/>", "client", "phone", Notifications::Unset},
             Row{"<never xmlns='urn:other'/>", "client", "phone", Notifications::Unset},
             Row{"<never identity-type='phone'/>", "client", "phone", Notifications::Unset},
             Row{"<never identity-category='gateway'/>", "client", "phone", Notifications::Unset},
         }) {
        INFO(row.rules);
        const auto tree = parseXml(
            "<conference xmlns='urn:xmpp:bookmarks:1'><extensions><notify "
            "xmlns='urn:xmpp:notification-settings:1'>" +
            row.rules + "</notify></extensions></conference>");
        REQUIRE(tree);
        CHECK(decide(readNotifyRules(**tree), row.category, row.type) == row.expected);
    }
}

TEST_CASE("other plugins learn how an account wants to hear of a chat") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto setting = [](const std::string& name) {
        return conference("x", "<extensions><notify xmlns='urn:xmpp:notification-settings:1'><" +
                                   name + "/></notify></extensions>");
    };
    const auto told = [&](const std::string& who, const std::string& chat) {
        Server& running = server.server();
        Shard& shard = running.shardOf(who);
        ChatSettings* settings = shard.host("capulet.example")->services().chatSettings;
        REQUIRE(settings);
        return server.wait(settings->notificationsOf(*Jid::parse(who), *Jid::parse(chat)));
    };
    CHECK(told(juliets, play) == Notifications::Unset);
    juliet.ask("set", publish(newNode, play, setting("never"), options));
    CHECK(told(juliets, play) == Notifications::Never);
    CHECK(told(juliets, orchard) == Notifications::Unset);
    juliet.ask("set", publish(newNode, orchard, setting("on-mention"), options));
    CHECK(told(juliets, orchard) == Notifications::OnMention);
    juliet.ask("set", publish(newNode, play, conference("Play"), options));
    CHECK(told(juliets, play) == Notifications::Unset);
    // Also in the form of old clients.
    juliet.ask("set",
               query(storage(room(play, "x",
                                  "<extensions><notify "
                                  "xmlns='urn:xmpp:notification-settings:1'><always/></notify>"
                                  "</extensions>"))));
    CHECK(told(juliets, play) == Notifications::Always);
    CHECK(told(juliets, orchard) == Notifications::Unset);
    CHECK(told("nobody@capulet.example", play) == Notifications::Unset);
}
