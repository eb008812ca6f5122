// Message Carbons (XEP-0280).
#include "route/account.h"
#include "route/session.h"
#include "tests/plugins/answers.h"
#include "tests/support/messages.h"

#include <algorithm>

using namespace epode;
using std::chrono::seconds;

namespace {

const std::string carbonsNs = "urn:xmpp:carbons:2";
const std::string enableCarbons = "<enable xmlns='urn:xmpp:carbons:2'/>";
const std::string juliet = "juliet@capulet.example";
const std::string romeo = "romeo@montague.example";

void enable(TestClient& client) { CHECK(outcome(client.ask("set", enableCarbons)) == "result"); }

TestClient& withCarbons(TestServer& server, const std::string& jid, int priority = 0) {
    auto& client = server.login(jid, false);
    enable(client);
    client.available(priority).forget();
    return client;
}

TestClient& withCarbonsAndSm(TestServer& server, const std::string& jid, int priority = 0) {
    auto& client = server.login(jid, false);
    enableSm(client);
    enable(client);
    client.available(priority).forget();
    return client;
}

// What a copy holds: "received from to text"; of anything else "from text".
std::string told(const std::string& xml) {
    const auto stanza = Stanza::parse(xml);
    if (!stanza) return xml;
    for (const char* direction : {"received", "sent"}) {
        const Element* copy = stanza->child(direction, carbonsNs);
        if (!copy) continue;
        const Element* forwarded = copy->child("forwarded", ns::forward);
        const Element* message = forwarded ? forwarded->child("message", ns::client) : nullptr;
        if (!message) return "empty copy";
        return std::string{direction} + " " + std::string{message->get("from")} + " " +
               std::string{message->get("to")} + " " + std::string{message->childText("body")};
    }
    return stanza->from().text() + " " + std::string{stanza->body()};
}

Texts messages(TestClient& client) {
    Texts texts;
    for (const auto& xml : client.all())
        if (const auto stanza = Stanza::parse(xml); stanza && stanza->isMessage())
            texts.push_back(told(xml));
    return texts;
}

Session* sessionOf(TestServer& server, const TestClient& client) {
    const Jid jid = Jid::parse(client.jid()).value();
    return server.server().shardOf(jid.bareText()).session(jid);
}

void acknowledgeAll(TestServer& server, TestClient& client) {
    Session* session = sessionOf(server, client);
    REQUIRE(session);
    acknowledge(client, int(session->sm()->sent()));
}

}  // namespace

TEST_CASE("copies are announced, enabled and disabled, as often as one likes") {
    TestServer server;
    auto& phone = server.login(juliet + "/phone");
    const auto info = phone.ask("get", "<query xmlns='http://jabber.org/protocol/disco#info'/>",
                                "capulet.example");
    CHECK(info.find("'urn:xmpp:carbons:2'") != std::string::npos);
    CHECK(info.find("'urn:xmpp:carbons:rules:0'") != std::string::npos);
    auto& friendly = server.login(romeo + "/orchard");
    auto& desk = server.login(juliet + "/desk");
    friendly.send(message(juliet + "/desk", "0"));
    CHECK(messages(phone) == Texts{});
    for (int i = 0; i < 2; ++i) enable(phone);
    friendly.send(message(juliet + "/desk", "1"));
    CHECK(messages(phone) == Texts{"received " + romeo + "/orchard " + juliet + "/desk 1"});
    for (int i = 0; i < 2; ++i)
        CHECK(outcome(phone.ask("set", "<disable xmlns='urn:xmpp:carbons:2'/>")) == "result");
    friendly.send(message(juliet + "/desk", "2"));
    CHECK(messages(phone) == Texts{});
    CHECK(messages(desk).size() == 3);
}

TEST_CASE("nobody enables or disables copies for somebody else") {
    TestServer server;
    auto& phone = withCarbons(server, juliet + "/phone");
    server.login(juliet + "/desk");
    auto& stranger = server.login(romeo + "/orchard");
    for (const auto* to : {"juliet@capulet.example", "nobody@capulet.example"}) {
        CHECK(outcome(stranger.ask("set", enableCarbons, to)) == "cancel not-allowed");
        CHECK(outcome(stranger.ask("set", "<disable xmlns='urn:xmpp:carbons:2'/>", to)) ==
              "cancel not-allowed");
    }
    CHECK(outcome(stranger.ask("get", enableCarbons)) == "cancel service-unavailable");
    stranger.send(message(juliet + "/desk", "1"));
    CHECK(messages(phone).size() == 1);
}

TEST_CASE("a copy is of the account's own address, of the same type, and has the stanza-id") {
    TestServer server;
    auto& phone = withCarbons(server, juliet + "/phone");
    server.login(juliet + "/desk");
    phone.forget();
    server.login(romeo + "/orchard")
        .send("<message to='" + juliet +
              "/desk' type='chat' id='m1' xml:lang='it'>"
              "<body>a &lt; b</body><thread>t</thread></message>");
    const auto xml = phone.next();
    const auto copy = Stanza::parse(xml);
    REQUIRE(copy);
    CHECK(copy->from().text() == juliet);
    CHECK(copy->to().text() == juliet + "/phone");
    CHECK(copy->type() == StanzaType::Chat);
    const Element* received = copy->child("received", carbonsNs);
    REQUIRE(received);
    const Element* inner = received->child("forwarded", ns::forward)->child("message", ns::client);
    REQUIRE(inner);
    CHECK(inner->get("id") == "m1");
    CHECK(inner->get("type") == "chat");
    CHECK(inner->find("lang", ns::xml) == "it");
    CHECK(inner->childText("body") == "a < b");
    CHECK(inner->childText("thread") == "t");
    const Element* id = inner->child("stanza-id", ns::stanzaIds);
    REQUIRE(id);
    CHECK(id->get("by") == juliet);
    CHECK_FALSE(copy->child("stanza-id", ns::stanzaIds));
}

TEST_CASE("what one client sends, the others are shown; not itself, nor those who have not asked") {
    TestServer server{"", GENERATE(1u, 3u)};
    auto& phone = withCarbons(server, juliet + "/phone");
    auto& desk = withCarbons(server, juliet + "/desk");
    auto& tablet = server.login(juliet + "/tablet");
    auto& unseen = server.login(juliet + "/unseen", false);
    enable(unseen);
    auto& friendly = server.login(romeo + "/orchard");
    desk.send(message(romeo, "hello"));
    const Texts copy{"sent " + juliet + "/desk " + romeo + " hello"};
    CHECK(messages(phone) == copy);
    CHECK(messages(unseen) == copy);
    CHECK(messages(desk) == Texts{});
    CHECK(messages(tablet) == Texts{});
    CHECK(messages(friendly) == Texts{juliet + "/desk hello"});
    // A client that has none enabled is copied as well.
    tablet.send(message(romeo + "/orchard", "again"));
    CHECK(messages(phone) == Texts{"sent " + juliet + "/tablet " + romeo + "/orchard again"});
    CHECK(messages(desk).size() == 1);
}

TEST_CASE("who gets a message by the rules of RFC 6121 gets no copy of it") {
    TestServer server;
    auto& phone = withCarbons(server, juliet + "/phone", 5);
    auto& desk = withCarbons(server, juliet + "/desk", 5);
    auto& low = withCarbons(server, juliet + "/low", 1);
    auto& negative = withCarbons(server, juliet + "/negative", -1);
    auto& friendly = server.login(romeo + "/orchard");
    friendly.send(message(juliet, "to all"));
    CHECK(messages(phone) == Texts{romeo + "/orchard to all"});
    CHECK(messages(desk) == Texts{romeo + "/orchard to all"});
    const Texts copy{"received " + romeo + "/orchard " + juliet + " to all"};
    CHECK(messages(low) == copy);
    CHECK(messages(negative) == copy);
    friendly.send(message(juliet + "/low", "to one"));
    CHECK(messages(low) == Texts{romeo + "/orchard to one"});
    CHECK(messages(phone) == Texts{"received " + romeo + "/orchard " + juliet + "/low to one"});
}

TEST_CASE("a message to oneself is not copied to the client that has sent it") {
    TestServer server;
    auto& phone = withCarbons(server, juliet + "/phone");
    auto& desk = withCarbons(server, juliet + "/desk");
    auto& tablet = withCarbons(server, juliet + "/tablet");
    phone.send(message(juliet + "/desk", "note"));
    CHECK(messages(desk) == Texts{juliet + "/phone note"});
    CHECK(messages(tablet) == Texts{"received " + juliet + "/phone " + juliet + "/desk note"});
    CHECK(messages(phone) == Texts{});
}

TEST_CASE("eligible is what belongs to a conversation (XEP-0280, 6.1)") {
    struct Row {
        const char* type;
        const char* content;
        bool received;
        bool sent;
    };
    const Row rows[] = {
        {"chat", "<body>x</body>", true, true},
        {"chat", "", true, true},
        {"chat", "<composing xmlns='http://jabber.org/protocol/chatstates'/>", true, true},
        {"normal", "<body>x</body>", true, true},
        {"normal", "<subject>x</subject>", false, false},
        {"normal", "", false, false},
        {"normal", "<data xmlns='urn:example:data'/>", false, false},
        {"normal", "<body xmlns='urn:example:data'>x</body>", false, false},
        {"normal", "<received xmlns='urn:xmpp:receipts' id='1'/>", true, true},
        {"normal", "<active xmlns='http://jabber.org/protocol/chatstates'/>", true, true},
        {"normal", "<displayed xmlns='urn:xmpp:chat-markers:0' id='1'/>", true, true},
        {"normal", "<encrypted xmlns='urn:xmpp:omemo:2'/>", true, true},
        {"normal", "<x xmlns='jabber:x:conference' jid='room@rooms.example'/>", true, true},
        {"normal", "<x xmlns='http://jabber.org/protocol/muc#user'><invite to='a@b.example'/></x>",
         true, true},
        {"normal", "<x xmlns='http://jabber.org/protocol/muc#user'/>", false, false},
        {"chat", "<body>x</body><x xmlns='http://jabber.org/protocol/muc#user'/>", false, true},
        {"headline", "<body>x</body>", false, false},
        {"groupchat", "<body>x</body>", false, false},
        {"groupchat", "<x xmlns='jabber:x:conference' jid='room@rooms.example'/>", false, false},
        {"chat", "<body>x</body><private xmlns='urn:xmpp:carbons:2'/>", false, false},
        {"chat", "<body>x</body><no-copy xmlns='urn:xmpp:hints'/>", false, false},
        {"chat", "<body>x</body><private xmlns='urn:example:other'/>", true, true},
        {"chat", "<body>x</body><no-store xmlns='urn:xmpp:hints'/>", true, true},
        {"error",
         "<error type='cancel'><gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error>", false,
         false},
    };
    TestServer server;
    auto& phone = withCarbons(server, juliet + "/phone");
    auto& desk = server.login(juliet + "/desk");
    auto& friendly = server.login(romeo + "/orchard");
    int number = 0;
    for (const Row& row : rows) {
        INFO(row.type << " " << row.content);
        const std::string id = "m" + std::to_string(++number);
        const auto xml = [&row, &id](const std::string& to) {
            return "<message to='" + to + "' type='" + row.type + "' id='" + id + "'>" +
                   row.content + "</message>";
        };
        friendly.send(xml(juliet + "/desk"));
        CHECK(messages(phone).size() == (row.received ? 1 : 0));
        CHECK(messages(desk).size() == 1);
        desk.send(xml(romeo + "/orchard"));
        CHECK(messages(phone).size() == (row.sent ? 1 : 0));
        CHECK(messages(friendly).size() == 1);
        desk.forget();
    }
}

TEST_CASE("an error is copied when it answers a message that was") {
    TestServer server;
    auto& phone = withCarbons(server, juliet + "/phone");
    auto& desk = withCarbons(server, juliet + "/desk");
    phone.forget();
    const auto bounce = [&](std::string_view id) {
        desk.send("<message to='nobody@montague.example' type='chat' id='" + std::string{id} +
                  "'><body>x</body></message>");
    };
    bounce("m1");
    CHECK(messages(desk) == Texts{"nobody@montague.example "});
    const auto got = phone.all();
    REQUIRE(got.size() == 2);
    CHECK(told(got[0]).starts_with("sent "));
    CHECK(told(got[1]) == "received nobody@montague.example " + juliet + "/desk ");
    CHECK(Stanza::parse(got[1])->isError());

    // Somebody else's error under the same id is none that answers it; nor one of a private
    // message.
    auto& stranger = server.login(romeo + "/orchard");
    stranger.send("<message to='" + juliet +
                  "/desk' type='error' id='m1'><error type='cancel'>"
                  "<gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>");
    desk.send(
        "<message to='nobody@montague.example' type='chat' id='m2'><body>x</body>"
        "<private xmlns='urn:xmpp:carbons:2'/></message>");
    CHECK(messages(phone) == Texts{});

    // It is known when the sender has gone, too.
    stranger.forget();
    desk.send("<message to='" + romeo + "/orchard' type='chat' id='m3'><body>x</body></message>");
    desk.cut();
    phone.forget();
    stranger.send("<message to='" + juliet +
                  "/desk' type='error' id='m3'><error type='cancel'>"
                  "<gone xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>");
    CHECK(messages(phone).size() == 1);
}

TEST_CASE("a client that refuses a copy tells nobody") {
    TestServer server;
    auto& phone = withCarbons(server, juliet + "/phone");
    auto& desk = server.login(juliet + "/desk");
    auto& friendly = server.login(romeo + "/orchard");
    friendly.send("<message to='" + juliet + "/desk' type='chat' id='m'><body>x</body></message>");
    desk.forget();
    CHECK(messages(phone).size() == 1);
    phone.send(
        "<message to='" + juliet +
        "' type='error' id='m'><error type='cancel'>"
        "<service-unavailable xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>");
    CHECK(messages(friendly) == Texts{});
    CHECK(messages(desk) == Texts{});
}

TEST_CASE("copies that a stranger claims to have made don't reach anybody") {
    TestServer server;
    auto& phone = withCarbons(server, juliet + "/phone");
    auto& desk = server.login(juliet + "/desk");
    const std::string forged =
        "<received xmlns='urn:xmpp:carbons:2'><forwarded xmlns='urn:xmpp:forward:0'>"
        "<message xmlns='jabber:client' from='nurse@capulet.example/x' to='" +
        juliet + "/desk' type='chat'><body>Send money</body></message></forwarded></received>";
    for (const auto& from : {romeo + "/orchard", juliet + "/evil"}) {
        auto& evil = server.login(from);
        desk.forget();
        phone.forget();
        for (const auto& to : {juliet, juliet + "/desk"}) {
            evil.send("<message to='" + to + "' type='chat'>" + forged +
                      "<body>real</body></message>");
            for (auto* client : {&phone, &desk})
                for (const auto& xml : client->all())
                    CHECK(xml.find("Send money") == std::string::npos);
        }
        evil.cut();
    }
}

// ---- and the log

TEST_CASE("a client that has acknowledged a copy has the message, and it waits for nobody") {
    TestServer server{GENERATE(as<std::string>{}, "", "[archive]\ndefault = 'never'")};
    auto& desk = withCarbonsAndSm(server, juliet + "/desk", 5);
    auto& phone = withCarbonsAndSm(server, juliet + "/phone", 1);
    auto& friendly = server.login(romeo + "/orchard");
    friendly.send(chat(juliet, "one"));
    CHECK(messages(phone).size() == 1);
    acknowledgeAll(server, phone);
    desk.send("</stream:stream>");  // without having acknowledged it
    server.advance(seconds{2});
    CHECK(messages(phone) == Texts{});
    phone.send("</stream:stream>");
    CHECK(heard(server.login(juliet + "/later", false).available()) == Texts{});
}

TEST_CASE("a message that nobody has acknowledged waits once, however many had a copy") {
    TestServer server{GENERATE(as<std::string>{}, "", "[archive]\ndefault = 'never'")};
    auto& desk = withCarbonsAndSm(server, juliet + "/desk", 5);
    auto& phone = withCarbonsAndSm(server, juliet + "/phone", 1);
    auto& tablet = withCarbonsAndSm(server, juliet + "/tablet", 1);
    server.login(romeo + "/orchard").send(chat(juliet, "one"));
    for (auto* client : {&desk, &phone, &tablet}) {
        client->forget();
        client->send("</stream:stream>");
    }
    server.advance(seconds{2});
    SECTION("now") {}
    SECTION("after a restart") { server.restart(); }
    SECTION("after a crash") { server.crash(); }
    auto& later = server.login(juliet + "/later", false);
    CHECK(heard(later.available()) == Texts{"late one"});
}

TEST_CASE(
    "the addressee's client ends without it while a copy is under way: it comes to nobody twice") {
    TestServer server;
    auto& desk = withCarbonsAndSm(server, juliet + "/desk", 5);
    auto& phone = withCarbonsAndSm(server, juliet + "/phone", 1);
    server.login(romeo + "/orchard").send(chat(juliet, "one"));
    CHECK(messages(phone).size() == 1);
    desk.send("</stream:stream>");
    server.advance(seconds{1});
    CHECK(messages(phone) == Texts{});
    // It was not acknowledged: whoever comes next needs it.
    phone.send("</stream:stream>");
    CHECK(heard(server.login(juliet + "/later", false).available()) == Texts{"late one"});
}

TEST_CASE("a copy that waits for a lost client is resumed, also after a restart") {
    TestServer server;
    server.addAccount(juliet);
    auto& desk = withCarbonsAndSm(server, juliet + "/desk", 5);
    auto& phone = server.login(juliet + "/phone", false);
    phone.forget().send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
    const auto enabled = parseXml(phone.next(), ns::client);
    const std::string id{(*enabled)->get("id")};
    enable(phone);
    phone.available();
    const auto handled = phone.handled();
    auto& friendly = server.login(romeo + "/orchard");
    phone.cut();
    friendly.send(chat(juliet, "one"));
    desk.send(message(romeo, "two"));
    SECTION("at once") {}
    SECTION("after a restart") { server.restart(); }
    auto& back = server.connect({}, true);
    back.sendHeader().logIn("juliet").sendHeader().forget();
    back.send("<resume xmlns='urn:xmpp:sm:3' previd='" + id + "' h='" + std::to_string(handled) +
              "'/>");
    CHECK(messages(back) == Texts{"received " + romeo + "/orchard " + juliet + " one",
                                  "sent " + juliet + "/desk " + romeo + " two"});
    // It is still one that gets copies.
    auto& again = server.login(juliet + "/again");
    again.send(message(romeo, "three"));
    CHECK(messages(back) == Texts{"sent " + juliet + "/again " + romeo + " three"});
}

TEST_CASE("what waits is copied when it is taken, to those who were there when it came") {
    TestServer server;
    auto& friendly = server.login(romeo + "/orchard");
    auto& first = server.login(juliet + "/first", false);
    auto& second = server.login(juliet + "/second", false);
    for (auto* client : {&first, &second}) {
        enable(*client);
        enableSm(*client);
        client->forget();
    }
    auto& negative = withCarbons(server, juliet + "/negative", -1);
    server.advance(seconds{1});
    friendly.send(chat(juliet, "one"));
    CHECK(messages(negative) == Texts{"received " + romeo + "/orchard " + juliet + " one"});
    CHECK(messages(first) == Texts{});
    server.advance(seconds{1});
    auto& late = server.login(juliet + "/late", false);
    enable(late);
    server.database().setDelay(std::chrono::milliseconds{50});
    for (auto* client : {&first, &second, &late}) client->sendSoon("<presence/>");
    server.advance(seconds{1});
    CHECK(heard(first) == Texts{"late one"});
    CHECK(messages(second) == Texts{"received " + romeo + "/orchard " + juliet + " one"});
    CHECK(messages(late) == Texts{});
    CHECK(messages(negative) == Texts{});
}

TEST_CASE("who has a waiting message as a copy is not given the message besides") {
    TestServer server;
    auto& friendly = server.login(romeo + "/orchard");
    const Texts copy{"received " + romeo + "/orchard " + juliet + " one"};
    const auto later = [&server] {
        auto& phone = server.login(juliet + "/phone", false);
        phone.available();
        server.advance(seconds{1});
        return heard(phone);
    };

    SECTION("without stream management") {
        auto& desk = withCarbons(server, juliet + "/desk", -1);
        friendly.send(chat(juliet, "one"));
        CHECK(messages(desk) == copy);
        desk.send("<presence/>");
        server.advance(seconds{1});
        CHECK(messages(desk) == Texts{});
        CHECK(later() == Texts{});
    }
    SECTION("when it has acknowledged the copy") {
        auto& desk = withCarbonsAndSm(server, juliet + "/desk", -1);
        friendly.send(chat(juliet, "one"));
        CHECK(messages(desk) == copy);
        acknowledgeAll(server, desk);
        friendly.send(chat(juliet, "two"));
        desk.forget().send("<presence/>");
        server.advance(seconds{1});
        CHECK(messages(desk) == Texts{});
        friendly.send(chat(juliet, "three"));
        CHECK(messages(desk) == Texts{romeo + "/orchard three"});
        acknowledgeAll(server, desk);
        CHECK(later() == Texts{});
    }
    SECTION("but who may have lost the copy with its connection leaves the message to others") {
        auto& desk = withCarbonsAndSm(server, juliet + "/desk", -1);
        friendly.send(chat(juliet, "one"));
        CHECK(messages(desk) == copy);
        desk.send("<presence/>");
        server.advance(seconds{1});
        CHECK(messages(desk) == Texts{});
        desk.cut();
        server.advance(std::chrono::hours{1});
        CHECK(later() == Texts{"late one"});
    }
    SECTION("also when another client takes the message from the log") {
        auto& desk = withCarbonsAndSm(server, juliet + "/desk", -1);
        friendly.send(chat(juliet, "one"));
        CHECK(messages(desk) == copy);
        auto& phone = server.login(juliet + "/phone", false).forget();
        server.database().setDelay(std::chrono::milliseconds{50});
        phone.sendSoon("<presence><priority>5</priority></presence>");
        desk.sendSoon("<presence/>");
        server.advance(seconds{1});
        CHECK(heard(phone) == Texts{"late one"});
        CHECK(messages(desk) == Texts{});
    }
    SECTION("over a restart as well") {
        auto& desk = server.login(juliet + "/desk", false);
        desk.forget().send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
        const auto enabled = parseXml(desk.next(), ns::client);
        const std::string id{(*enabled)->get("id")};
        enable(desk);
        desk.available(-1);
        friendly.send(chat(juliet, "one"));
        const bool isAcknowledged = GENERATE(true, false);
        const auto handled = desk.handled();
        if (isAcknowledged) acknowledgeAll(server, desk);
        desk.cut();
        server.restart();
        auto& back = server.connect({}, true);
        back.sendHeader().logIn("juliet").sendHeader().forget();
        back.send("<resume xmlns='urn:xmpp:sm:3' previd='" + id + "' h='" +
                  std::to_string(handled) + "'/>");
        back.forget().send("<presence/>");
        server.advance(seconds{1});
        CHECK(messages(back) == Texts{});
        CHECK(later() == Texts{});
    }
}

TEST_CASE("a copy takes no message from a client that has no copies") {
    TestServer server;
    auto& desk = withCarbonsAndSm(server, juliet + "/desk", -1);
    auto& friendly = server.login(romeo + "/orchard");
    friendly.send(chat(juliet, "one"));
    CHECK(messages(desk).size() == 1);
    acknowledgeAll(server, desk);
    auto& phone = server.login(juliet + "/phone", false);
    phone.available();
    server.advance(seconds{1});
    CHECK(heard(phone) == Texts{"late one"});
    desk.send("<presence/>");
    server.advance(seconds{1});
    CHECK(messages(desk) == Texts{});
}

TEST_CASE("every client sees what comes while older messages are read from the log, once") {
    TestServer server;
    auto& friendly = server.login(romeo + "/orchard");
    server.addAccount(juliet);
    for (int i = 0; i < 3; ++i) friendly.send(chat(juliet, "old" + std::to_string(i)));
    auto& desk = server.login(juliet + "/desk", false);
    auto& phone = server.login(juliet + "/phone", false);
    for (auto* client : {&desk, &phone}) {
        enable(*client);
        client->forget();
    }
    server.database().setDelay(std::chrono::milliseconds{50});
    desk.send("<presence><priority>2</priority></presence>");
    phone.send("<presence/>");
    server.advance(std::chrono::milliseconds{10});
    friendly.send(chat(juliet, "new"));
    server.advance(seconds{2});
    CHECK(heard(desk) == Texts{"late old0", "late old1", "late old2", "new"});
    CHECK(messages(phone) == Texts{"received " + romeo + "/orchard " + juliet + " new"});
}
