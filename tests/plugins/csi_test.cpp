// Client State Indication (XEP-0352).
#include "core/base64.h"
#include "route/account.h"
#include "route/session.h"
#include "tests/plugins/answers.h"
#include "tests/support/messages.h"

#include <algorithm>

using namespace epode;
using std::chrono::seconds;

namespace {

const std::string juliet = "juliet@capulet.example";
const std::string romeo = "romeo@montague.example";
const std::string inactive = "<inactive xmlns='urn:xmpp:csi:0'/>";
const std::string active = "<active xmlns='urn:xmpp:csi:0'/>";
const std::string composing = "<composing xmlns='http://jabber.org/protocol/chatstates'/>";
const std::string paused = "<paused xmlns='http://jabber.org/protocol/chatstates'/>";

// In short what came: "presence", "message <id>", "iq".
Texts kinds(TestClient& client) {
    Texts found;
    for (const auto& xml : client.all()) {
        const auto stanza = Stanza::parse(xml);
        if (!stanza) continue;
        std::string text{toText(stanza->kind())};
        if (!stanza->id().empty()) text += " " + std::string{stanza->id()};
        found.push_back(std::move(text));
    }
    return found;
}

std::string numbered(const std::string& to, const std::string& id, const std::string& content,
                     const std::string& type = "chat") {
    return "<message to='" + to + "' type='" + type + "' id='" + id + "'>" + content + "</message>";
}

struct Scene {
    explicit Scene(std::string_view toml = {}, bool sm = false) : server{toml} {
        phone = &server.login(juliet + "/phone", false);
        if (sm) enableSm(*phone);
        phone->available().forget();
        friendly = &server.login(romeo + "/orchard");
        phone->send("<presence type='subscribe' to='" + romeo + "'/>");
        friendly->send("<presence type='subscribed' to='" + juliet + "'/>");
        friendly->forget();
        phone->send(inactive).forget();
    }
    TestServer server;
    TestClient* phone;
    TestClient* friendly;
};

}  // namespace

TEST_CASE("client state is offered after login, and asked for it there is no answer") {
    TestServer server;
    auto& client = server.connect({}, true);
    server.addAccount(juliet);
    client.sendHeader();
    CHECK(client.next().find("<csi ") == std::string::npos);
    client.logIn("juliet").bind("phone").forget();
    CHECK(client.bytes().find("<csi xmlns='urn:xmpp:csi:0'/>") != std::string::npos);
    client.send(inactive + inactive + active + active + inactive);
    CHECK(client.next() == "");
    CHECK(client.streamError() == "");
}

TEST_CASE("an element of the stream that nobody knows still ends it") {
    TestServer server{GENERATE(as<std::string>{}, "[plugins]\ndisabled = ['csi']", "")};
    auto& client = server.login(juliet + "/phone");
    client.send("<asleep xmlns='urn:xmpp:csi:0'/>");
    CHECK(client.streamError() == "unsupported-stanza-type");
}

TEST_CASE("before a resource is bound there is no client state") {
    TestServer server;
    auto& client = server.connect({}, true);
    server.addAccount(juliet);
    client.sendHeader().logIn("juliet").sendHeader().forget();
    client.send(inactive);
    CHECK(client.streamError() == "not-authorized");
}

TEST_CASE("a client that binds by Bind 2 can begin with copies, and as an inactive one") {
    TestServer server;
    server.addAccount(juliet);
    auto& phone = server.connect({}, true);
    phone.sendHeader();
    const auto features = phone.next();
    CHECK(features.find("<feature var='urn:xmpp:carbons:2'/>") != std::string::npos);
    CHECK(features.find("<feature var='urn:xmpp:csi:0'/>") != std::string::npos);
    phone.send("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>" +
               encodeBase64(std::string{"\0juliet\0secret", 14}) +
               "</initial-response><bind xmlns='urn:xmpp:bind:0'><tag>phone</tag>"
               "<enable xmlns='urn:xmpp:carbons:2'/><inactive "
               "xmlns='urn:xmpp:csi:0'/></bind></authenticate>");
    const auto success = parseXml(phone.next(), ns::client);
    REQUIRE(success);
    REQUIRE((*success)->name() == "success");
    const std::string jid{(*success)->childText("authorization-identifier")};
    phone.forget().send("<presence/>");
    CHECK(phone.next() == "");  // its own presence waits
    server.addAccount(romeo);
    auto& desk = server.login(juliet + "/desk");
    desk.send(numbered(romeo, "m1", "<body>x</body>"));
    const auto got = phone.all();
    REQUIRE(got.size() >= 2);
    CHECK(Stanza::parse(got.front())->isPresence());
    CHECK(Stanza::parse(got.back())->child("sent", "urn:xmpp:carbons:2"));
    CHECK(Stanza::parse(got.back())->to().text() == jid);
}

TEST_CASE("presence waits for an inactive client, the newest of each sender's client") {
    Scene scene;
    scene.friendly->send("<presence id='p1'><show>away</show></presence>");
    auto& second = scene.server.login(romeo + "/second", false);
    second.send("<presence id='p2'/>");
    scene.friendly->send("<presence id='p3'><show>xa</show></presence>");
    second.send("<presence id='p4' type='unavailable'/>");
    scene.friendly->send("<presence id='p5'><show>dnd</show></presence>");
    CHECK(kinds(*scene.phone) == Texts{});
    scene.server.advance(seconds{60});
    scene.phone->send(active);
    const auto got = scene.phone->all();
    REQUIRE(got.size() == 2);
    CHECK(Stanza::parse(got[0])->id() == "p4");
    CHECK(Stanza::parse(got[1])->id() == "p5");
    CHECK(Stanza::parse(got[1])->child("delay", ns::delay));
    scene.friendly->send("<presence id='p6'/>");
    CHECK(kinds(*scene.phone) == Texts{"presence p6"});
}

TEST_CASE("what matters goes at once, and takes along what is held, in order") {
    Scene scene;
    scene.friendly->send("<presence id='p1'><show>away</show></presence>");
    scene.friendly->send(numbered(juliet, "c1", composing));
    CHECK(kinds(*scene.phone) == Texts{});
    scene.friendly->send(numbered(juliet, "m1", "<body>hello</body>"));
    CHECK(kinds(*scene.phone) == Texts{"presence p1", "message c1", "message m1"});
    scene.friendly->send("<presence id='p2'/>");
    CHECK(kinds(*scene.phone) == Texts{});
    CHECK(outcome(scene.phone->ask("get", "<ping xmlns='urn:xmpp:ping'/>")) == "result");
    CHECK(kinds(*scene.phone) == Texts{"presence p2"});
}

TEST_CASE("an active client is given all before it gets an answer (XEP-0352, 5.1)") {
    Scene scene;
    scene.friendly->send("<presence id='p1'/>");
    scene.phone->send(active + "<iq type='get' id='ping1'><ping xmlns='urn:xmpp:ping'/></iq>");
    CHECK(kinds(*scene.phone) == Texts{"presence p1", "iq ping1"});
}

TEST_CASE("what is held and what is not") {
    struct Row {
        const char* type;
        const char* content;
        bool held;
    };
    const Row rows[] = {
        {"chat", "<composing xmlns='http://jabber.org/protocol/chatstates'/>", true},
        {"chat",
         "<active xmlns='http://jabber.org/protocol/chatstates'/><thread>t</thread>"
         "<no-store xmlns='urn:xmpp:hints'/>",
         true},
        {"chat", "<received xmlns='urn:xmpp:receipts' id='1'/>", true},
        {"chat", "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", true},
        {"groupchat", "<composing xmlns='http://jabber.org/protocol/chatstates'/>", true},
        {"headline",
         "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='n'/></event>", true},
        {"normal",
         "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='n'/></event>", true},
        {"headline", "<body>offer of the day</body>", true},
        {"chat", "", true},
        {"chat", "<body>x</body>", false},
        {"normal", "<body>x</body>", false},
        {"normal", "<subject>x</subject>", false},
        {"groupchat", "<body>x</body>", false},
        {"groupchat", "<subject/>", false},
        {"chat", "<body>x</body><composing xmlns='http://jabber.org/protocol/chatstates'/>", false},
        {"chat", "<encrypted xmlns='eu.siacs.conversations.axolotl'/>", false},
        {"chat", "<encryption xmlns='urn:xmpp:eme:0' namespace='x'/>", false},
        {"chat", "<propose xmlns='urn:xmpp:jingle-message:0' id='1'/>", false},
        {"chat", "<retract xmlns='urn:xmpp:message-retract:1' id='1'/>", false},
        {"chat", "<something xmlns='urn:example:unknown'/>", false},
        {"normal", "<x xmlns='jabber:x:conference' jid='room@rooms.example'/>", false},
        {"normal",
         "<x xmlns='http://jabber.org/protocol/muc#user'><invite from='a@b.example'/></x>", false},
        {"headline", "<attention xmlns='urn:xmpp:attention:0'/>", false},
        {"error",
         "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>", false},
    };
    Scene scene{"", true};
    for (const Row& row : rows) {
        INFO(row.type << " " << row.content);
        scene.phone->send(inactive);
        scene.friendly->send(numbered(juliet + "/phone", "m", row.content, row.type));
        CHECK(kinds(*scene.phone) == (row.held ? Texts{} : Texts{"message m"}));
        scene.phone->send(active);
        CHECK(kinds(*scene.phone) == (row.held ? Texts{"message m"} : Texts{}));
    }
    const std::pair<const char*, bool> presences[] = {
        {"<presence to='%'/>", true},
        {"<presence to='%' type='unavailable'/>", true},
        {"<presence to='%'><x xmlns='http://jabber.org/protocol/muc#user'><status "
         "code='201'/></x></presence>",
         true},
        {"<presence to='%'><x xmlns='http://jabber.org/protocol/muc#user'><status "
         "code='110'/></x></presence>",
         false},
        {"<presence to='%' type='error'><error type='auth'/></presence>", false},
    };
    for (const auto& [pattern, isHeld] : presences) {
        INFO(pattern);
        std::string xml{pattern};
        xml.replace(xml.find('%'), 1, juliet + "/phone");
        scene.phone->send(inactive);
        scene.friendly->send(xml);
        CHECK(kinds(*scene.phone) == (isHeld ? Texts{} : Texts{"presence"}));
        scene.phone->send(active).forget();
    }
    scene.phone->send(inactive);
    scene.server.login("nurse@capulet.example/x")
        .send("<presence type='subscribe' to='" + juliet + "'/>");
    CHECK(kinds(*scene.phone).size() == 1);
}

TEST_CASE("of chat states the newest of each sender is enough") {
    Scene scene;
    auto& second = scene.server.login(romeo + "/second", false);
    scene.friendly->send(numbered(juliet, "c1", composing));
    second.send(numbered(juliet, "d1", composing));
    scene.friendly->send(numbered(juliet, "c2", paused));
    scene.friendly->send(
        numbered(juliet, "r1", "<received xmlns='urn:xmpp:receipts' id='1'/>", "headline"));
    scene.friendly->send(
        numbered(juliet, "r2", "<received xmlns='urn:xmpp:receipts' id='2'/>", "headline"));
    scene.phone->send(active);
    CHECK(kinds(*scene.phone) == Texts{"message d1", "message c2", "message r1", "message r2"});
}

TEST_CASE("of a node's items the newest of each is enough, of some nodes the newest of all") {
    Scene scene;
    int number = 0;
    const auto publish = [&](const std::string& node, const std::string& content) {
        scene.friendly->send(
            numbered(juliet + "/phone", "e" + std::to_string(++number),
                     "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='" + node +
                         "'>" + content + "</items></event>",
                     "headline"));
    };
    publish("urn:xmpp:bookmarks:1", "<item id='a'/>");             // 1
    publish("urn:xmpp:bookmarks:1", "<item id='b'/>");             // 2
    publish("urn:xmpp:bookmarks:1", "<retract id='a'/>");          // 3, in place of 1
    publish("http://jabber.org/protocol/tune", "<item id='x'/>");  // 4
    publish("http://jabber.org/protocol/tune", "<item id='y'/>");  // 5, in place of 4
    publish("urn:example:blog", "<item id='x'/><item id='y'/>");   // 6
    publish("urn:example:blog", "<item id='x'/>");                 // 7
    publish("urn:example:other", "<item id='x'/>");                // 8
    publish("urn:example:other", "<item/>");                       // 9
    publish("urn:example:other", "<item/>");                       // 10
    scene.phone->send(active);
    CHECK(kinds(*scene.phone) == Texts{"message e2", "message e3", "message e5", "message e6",
                                       "message e7", "message e8", "message e9", "message e10"});
}

TEST_CASE("a sender can't replace what another one has sent") {
    Scene scene;
    auto& evil = scene.server.login("tybalt@capulet.example/x");
    scene.friendly->send("<presence id='p1'/>");
    // With presence of his own, and a name that looks like another key.
    evil.send("<presence id='p2' to='" + juliet + "/phone'/>");
    evil.send(numbered(
        juliet + "/phone", "e1",
        "<event xmlns='http://jabber.org/protocol/pubsub#event'><items node='presence " + romeo +
            "/orchard'><item id='presence " + romeo + "/orchard'/></items></event>",
        "headline"));
    scene.phone->send(active);
    CHECK(kinds(*scene.phone) == Texts{"presence p1", "presence p2", "message e1"});
}

TEST_CASE("what is held is bounded by number and by size") {
    const bool isBySize = GENERATE(false, true);
    Scene scene{isBySize ? "[csi]\nheld_bytes_max = '4 KiB'" : "[csi]\nheld_max = 3"};
    const std::string filler(isBySize ? 2000 : 1, 'x');
    Texts got;
    int sent = 0;
    while (got.empty() && sent < 20) {
        scene.friendly->send(numbered(juliet + "/phone", "h" + std::to_string(++sent),
                                      "<body>" + filler + "</body>", "headline"));
        got = kinds(*scene.phone);
    }
    // All of them, in order, the last among them.
    REQUIRE(got.size() == std::size_t(sent));
    CHECK(sent >= 3);
    CHECK(sent <= 4);
    CHECK(got.front() == "message h1");
    // And it begins anew.
    scene.friendly->send(numbered(juliet + "/phone", "again", "<body>x</body>", "headline"));
    CHECK(kinds(*scene.phone) == Texts{});
}

TEST_CASE("copies are judged by what they hold; what was read elsewhere is told at once") {
    struct Row {
        const char* content;
        bool isHeldWhenReceived;
        bool isHeldWhenSent;
    };
    const Row rows[] = {
        {"<body>x</body>", false, false},
        {"<encrypted xmlns='urn:xmpp:omemo:2'/>", false, false},
        {"<composing xmlns='http://jabber.org/protocol/chatstates'/>", true, true},
        {"<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", true, false},
    };
    Scene scene;
    CHECK(outcome(scene.phone->ask("set", "<enable xmlns='urn:xmpp:carbons:2'/>")) == "result");
    auto& desk = scene.server.login(juliet + "/desk");
    for (const Row& row : rows) {
        INFO(row.content);
        scene.phone->send(active + inactive).forget();
        scene.friendly->send(numbered(juliet + "/desk", "m", row.content));
        CHECK(kinds(*scene.phone).size() == (row.isHeldWhenReceived ? 0 : 1));
        scene.phone->send(active + inactive).forget();
        desk.send(numbered(romeo, "m", row.content));
        CHECK(kinds(*scene.phone).size() == (row.isHeldWhenSent ? 0 : 1));
    }
}

TEST_CASE("an announcement of the server is no headline that waits") {
    Scene scene;
    const auto announce = Stanza::message(StanzaType::Headline, *Jid::parse("capulet.example"),
                                          *Jid::parse(juliet + "/phone"), "a");
    announce->edit().addWithText("body", "The server stops in five minutes.");
    scene.server.server().shard(0).executor().post([&] { scene.server.server().route(announce); });
    scene.server.run();
    CHECK(kinds(*scene.phone) == Texts{"message a"});
}

// ---- nothing is lost

TEST_CASE("without stream management only what is of the moment is held") {
    Scene scene;
    scene.friendly->send(numbered(juliet, "r1", "<received xmlns='urn:xmpp:receipts' id='1'/>"));
    CHECK(kinds(*scene.phone) == Texts{"message r1"});
    scene.friendly->send(numbered(juliet, "c1", composing));
    CHECK(kinds(*scene.phone) == Texts{});
}

TEST_CASE("what is held when the connection is lost is resumed, and the client is active then") {
    TestServer server;
    auto& friendly = server.login(romeo + "/orchard");
    auto& phone = server.login(juliet + "/phone", false);
    phone.forget().send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    const std::string id{(*parseXml(phone.next(), ns::client))->get("id")};
    phone.available();
    phone.send(inactive);
    const auto handled = phone.handled();
    friendly.send(numbered(juliet, "r1", "<received xmlns='urn:xmpp:receipts' id='1'/>"));
    friendly.send(numbered(juliet, "c1", composing));
    CHECK(phone.handled() == handled);
    bool isInTime = true;
    SECTION("at once") { phone.cut(); }
    SECTION("after a restart") { server.restart(); }
    SECTION("lost before a restart") {
        phone.cut();
        server.restart();
    }
    SECTION("after the plugins were made anew") {
        server.rewire();
        CHECK(phone.handled() == handled + 2);
        phone.cut();
    }
    SECTION("or given back") {
        isInTime = false;
        phone.cut();
        server.advance(std::chrono::hours{1});
    }
    if (!isInTime) {
        CHECK(kinds(server.login(juliet + "/later", false).available()).back() == "message r1");
        return;
    }
    auto& back = server.connect({}, true);
    back.sendHeader().logIn("juliet").sendHeader().forget();
    back.send("<resume xmlns='urn:xmpp:sm:3' previd='" + id + "' h='" + std::to_string(handled) +
              "'/>");
    CHECK(kinds(back) == Texts{"message r1", "message c1"});
    server.login(romeo + "/again").send("<presence to='" + juliet + "/phone' id='p1'/>");
    CHECK(kinds(back) == Texts{"presence p1"});
}

TEST_CASE("a session that ends while it holds gives its messages back") {
    Scene scene{"", true};
    scene.friendly->send(numbered(juliet, "r1", "<received xmlns='urn:xmpp:receipts' id='1'/>"));
    CHECK(kinds(*scene.phone) == Texts{});
    SECTION("closed") { scene.phone->send("</stream:stream>"); }
    SECTION("lost") { scene.phone->cut(); }
    SECTION("replaced") {
        auto& other = scene.server.connect({}, true);
        other.sendHeader().logIn("juliet").bind("phone");
        CHECK(scene.phone->streamError() == "conflict");
        other.send("</stream:stream>");
    }
    scene.server.advance(std::chrono::hours{1});
    CHECK(scene.phone->bytes().find("id='r1'") == std::string::npos);
    auto& later = scene.server.login(juliet + "/later", false);
    const auto got = kinds(later.available());
    CHECK(std::count(got.begin(), got.end(), "message r1") == 1);
}

TEST_CASE("a plugin that goes writes what it has held") {
    Scene scene;
    scene.friendly->send("<presence id='p1'/>");
    auto& shard = scene.server.server().shard(0);
    const auto none = std::make_shared<const Services>();
    shard.executor().post([&] { scene.server.server().replace("capulet.example", none); });
    scene.server.run();
    CHECK(kinds(*scene.phone) == Texts{"presence p1"});
}
