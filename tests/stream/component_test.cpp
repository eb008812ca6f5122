// The streams of external components (XEP-0114): header, handshake, and what they may send.
#include "tests/stream/component.h"
#include "tests/stream/conversation.h"

#include "stream/component_streams.h"

using namespace epode;

namespace {

const std::string body = "<body>hi</body></message>";

struct Ending {
    std::string sent;
    std::string_view condition;
};

std::string headerOf(std::string_view ns, std::string_view more) {
    return "<stream:stream xmlns='" + std::string{ns} +
           "' xmlns:stream='http://etherx.jabber.org/streams'" + std::string{more} + ">";
}

}  // namespace

TEST_CASE("a component that shows its secret is let in, and speaks and is spoken to") {
    TestServer server{bridgeConfig, GENERATE(1u, 3u)};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = server.connectComponent(server.server().shardCount() - 1);
    component.send(componentHeader());
    CHECK(component.header().from == bridge);
    CHECK(component.header().defaultNs == "jabber:component:accept");
    CHECK(component.header().id.size() >= 16);
    CHECK(component.next() == "");
    component.send(handshake(component));
    CHECK(component.next() == "<handshake/>");

    component.send(
        "<message from='romeo@bridge.capulet.example/x' to='juliet@capulet.example' type='chat' "
        "id='1'>" +
        body);
    gets(juliet,
         "<message type='chat' from='romeo@bridge.capulet.example/x'>"
         "<body>hi</body><stanza-id xmlns='urn:xmpp:sid:0' by='juliet@capulet.example' "
         "id='*'/></message>");
    juliet.send(message("romeo@bridge.capulet.example/x", "ay", "2"));
    gets(component,
         "<message type='chat' from='juliet@capulet.example/balcony'>"
         "<body>ay</body></message>");
    CHECK(component.bytes().find("jabber:client") == std::string::npos);
    juliet.send(
        "<iq type='get' to='bridge.capulet.example' id='q'><query "
        "xmlns='jabber:iq:version'/></iq>");
    gets(component,
         "<iq type='get' id='q' from='juliet@capulet.example/balcony' "
         "to='bridge.capulet.example'><query xmlns='jabber:iq:version'/></iq>");
    component.send(
        "<iq type='result' from='bridge.capulet.example' to='juliet@capulet.example/balcony' "
        "id='q'>"
        "<query xmlns='jabber:iq:version'><name>Bridge</name></query></iq>");
    gets(juliet,
         "<iq type='result' id='q' from='bridge.capulet.example'>"
         "<query xmlns='jabber:iq:version'><name>Bridge</name></query></iq>");
    component.send("</stream:stream>");
    CHECK(component.isStreamClosed());
    server.advance(10s);
    CHECK(component.isClosed());
}

TEST_CASE("a component need not be below a host, and a host's name in capitals is the same") {
    TestServer server{"[component.'Bot.Example']\nsecret = 's'\n"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& bot = server.connectComponent();
    bot.send(componentHeader("BOT.example"));
    bot.send(handshake(bot, "s"));
    CHECK(bot.next() == "<handshake/>");
    juliet.send(message("Bot.Example", "hi"));
    gets(bot,
         "<message to='bot.example' type='chat' from='juliet@capulet.example/balcony'>"
         "<body>hi</body></message>");
    // It is no item of a host that it is not below.
    const auto items = juliet.ask("get", "<query xmlns='http://jabber.org/protocol/disco#items'/>",
                                  "capulet.example");
    CHECK(items.find("bot.example") == std::string::npos);
}

TEST_CASE("a header that names no component of this server ends the stream, in a stream") {
    const auto [sent, condition] = GENERATE(values<Ending>({
        {componentHeader("capulet.example"), "host-unknown"},
        {componentHeader("other.capulet.example"), "host-unknown"},
        {componentHeader("romeo@bridge.capulet.example"), "host-unknown"},
        {componentHeader("bridge.capulet.example/x"), "host-unknown"},
        {componentHeader("bad..example"), "host-unknown"},
        {componentHeader("@"), "host-unknown"},
        {componentHeader(""), "improper-addressing"},
        {headerOf("jabber:component:accept", ""), "improper-addressing"},
        {headerOf("jabber:client", " to='bridge.capulet.example' version='1.0'"),
         "invalid-namespace"},
        {headerOf("jabber:server", " to='bridge.capulet.example'"), "invalid-namespace"},
        {headerOf("jabber:component:connect", " to='bridge.capulet.example'"), "invalid-namespace"},
        {"<stream:stream xmlns='jabber:component:accept' xmlns:stream='urn:other' "
         "to='bridge.capulet.example'>",
         "invalid-namespace"},
        {"<handshake/>", "invalid-namespace"},
        {"GET / HTTP/1.1\r\n\r\n", "not-well-formed"},
        {"<!DOCTYPE x><stream:stream>", "restricted-xml"},
        {headerOf("jabber:component:accept", " to='" + std::string(20000, 'a') + "'"),
         "policy-violation"},
    }));
    TestServer server{bridgeConfig};
    auto& component = server.connectComponent();
    INFO(sent.substr(0, 200));
    component.send(sent);
    isEndedWith(server, component, condition);
    CHECK(component.bytes().starts_with("<?xml version='1.0'?><stream:stream "));
    CHECK(component.bytes().ends_with("</stream:error></stream:stream>"));
    CHECK(server.components().streams(0).count() == 0);
}

TEST_CASE("without the right handshake nobody is let in") {
    TestServer server{bridgeConfig + "[component.'other.example']\nsecret = 'other'\n"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = server.connectComponent();
    component.send(componentHeader());
    const std::string id = component.header().id;
    const auto hash = [&](std::string_view secret) {
        return encodeHex(digest(Hash::Sha1, id + std::string{secret}));
    };
    std::string upper = hash("mab");
    for (char& letter : upper) letter = char(std::toupper(letter));
    const int row = GENERATE(range(0, 11));
    const std::string right = hash("mab");
    const std::vector<std::string> sent{
        "<handshake>" + hash("other") + "</handshake>",
        "<handshake>" + hash("") + "</handshake>",
        "<handshake/>",
        "<handshake>mab</handshake>",
        "<handshake>" + upper + "</handshake>",
        "<handshake>" + right.substr(0, 39) + "</handshake>",
        "<handshake>" + right + "0</handshake>",
        "<handshake xmlns='jabber:other'>" + right + "</handshake>",
        "<message from='bridge.capulet.example' to='juliet@capulet.example'>" + body,
        "<iq type='get' id='1' from='bridge.capulet.example' to='capulet.example'><ping "
        "xmlns='urn:xmpp:ping'/></iq>",
        "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
    };
    INFO(sent[std::size_t(row)]);
    // What comes along is never looked at.
    component.send(sent[std::size_t(row)] +
                   "<message from='x@bridge.capulet.example' to='juliet@capulet.example'>" + body);
    isEndedWith(server, component, "not-authorized");
    getsNothing(juliet);
    // The one stream's id is of no use for another.
    auto& second = server.connectComponent();
    second.send(componentHeader()).send("<handshake>" + right + "</handshake>");
    isEndedWith(server, second, "not-authorized");
}

TEST_CASE("who takes too long with the handshake, or sends too much before it, is sent away") {
    TestServer server{bridgeConfig +
                      "[component]\nhandshake_timeout = '5 s'\nhandshake_bytes_max = '1 KiB'\n"};
    auto& silent = server.connectComponent();
    auto& slow = server.connectComponent();
    slow.send(componentHeader());
    server.advance(4900ms);
    CHECK(!silent.isStreamClosed());
    CHECK(!slow.isStreamClosed());
    server.advance(200ms);
    isEndedWith(server, silent, "connection-timeout");
    isEndedWith(server, slow, "connection-timeout");

    auto& large = server.connectComponent();
    large.send(componentHeader()).send("<handshake>" + std::string(2000, 'a'));
    isEndedWith(server, large, "policy-violation");
    // Afterwards it may send more, and take its time.
    auto& component = join(server);
    server.advance(6s);
    component.send("<message from='bridge.capulet.example' to='bridge.capulet.example'><body>" +
                   std::string(5000, 'a') + "</body></message>");
    CHECK(component.streamError() == "");
    CHECK(bodies(component).size() == 5000);
}

TEST_CASE("a stanza that a component may not send ends its stream") {
    const auto [sent, condition] = GENERATE(values<Ending>({
        {"<message to='juliet@capulet.example'>" + body, "invalid-from"},
        {"<message from='' to='juliet@capulet.example'>" + body, "invalid-from"},
        {"<message from='@@' to='juliet@capulet.example'>" + body, "invalid-from"},
        {"<message from='juliet@capulet.example' to='juliet@capulet.example'>" + body,
         "invalid-from"},
        {"<message from='capulet.example' to='juliet@capulet.example'>" + body, "invalid-from"},
        {"<message from='a.bridge.capulet.example' to='juliet@capulet.example'>" + body,
         "invalid-from"},
        {"<message from='xbridge.capulet.example' to='juliet@capulet.example'>" + body,
         "invalid-from"},
        {"<presence from='romeo@montague.example' to='juliet@capulet.example'/>", "invalid-from"},
        {"<iq type='get' id='1' from='montague.example' to='capulet.example'><ping "
         "xmlns='urn:xmpp:ping'/></iq>",
         "invalid-from"},
        {"<iq type='get' id='1' from='montague.example' to='@@'><ping xmlns='urn:xmpp:ping'/></iq>",
         "invalid-from"},
        {"<message from='bridge.capulet.example'>" + body, "improper-addressing"},
        {"<presence from='bridge.capulet.example'/>", "improper-addressing"},
        {"<iq type='get' id='1' from='bridge.capulet.example'><ping xmlns='urn:xmpp:ping'/></iq>",
         "improper-addressing"},
        {"<handshake/>", "unsupported-stanza-type"},
        {"<r xmlns='urn:xmpp:sm:3'/>", "unsupported-stanza-type"},
        {"<message xmlns='jabber:other' from='bridge.capulet.example' "
         "to='juliet@capulet.example'/>",
         "unsupported-stanza-type"},
        {"<message from='bridge.capulet.example' to='juliet@capulet.example'></presence>",
         "not-well-formed"},
        {"<message from='bridge.capulet.example' to='juliet@capulet.example'><body>" +
             std::string(20000, 'a'),
         "policy-violation"},
        {"text", "bad-format"},
    }));
    TestServer server{bridgeConfig + "stanza_bytes_max = 10000\n"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = join(server);
    INFO(sent.substr(0, 200));
    // What comes after it is never looked at.
    component.send(sent + "<message from='bridge.capulet.example' to='juliet@capulet.example'>" +
                   body);
    isEndedWith(server, component, condition);
    getsNothing(juliet);
    CHECK(server.components().status().front().instances.empty());
}

TEST_CASE("what is wrong with a stanza alone is answered to the component that sent it") {
    struct Row {
        std::string sent, answer;
    };
    const auto [sent, answer] = GENERATE(values<Row>({
        {"<message id='1' from='a@bridge.capulet.example' to='@@'>" + body,
         "<message id='1' type='error' from='capulet.example' to='a@bridge.capulet.example'>"
         "<error type='modify'><jid-malformed "
         "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"},
        {"<message id='0' from='a@bridge.capulet.example' to=''>" + body,
         "<message id='0' type='error' from='capulet.example' to='a@bridge.capulet.example'>"
         "<error type='modify'><jid-malformed "
         "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"},
        {"<presence id='2' type='odd' from='a@bridge.capulet.example' "
         "to='juliet@capulet.example'/>",
         "<presence id='2' type='error' from='juliet@capulet.example' "
         "to='a@bridge.capulet.example'>"
         "<error type='modify'><bad-request "
         "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></presence>"},
        {"<iq type='get' from='a@bridge.capulet.example' to='capulet.example'><ping "
         "xmlns='urn:xmpp:ping'/></iq>",
         "<iq xmlns='jabber:client' type='error' from='capulet.example' "
         "to='a@bridge.capulet.example'>"
         "<error type='modify'><bad-request "
         "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></iq>"},
        {"<iq type='get' id='3' from='a@bridge.capulet.example' to='capulet.example'><ping "
         "xmlns='urn:xmpp:ping'/></iq>",
         "<iq xmlns='jabber:client' type='result' id='3' from='capulet.example' "
         "to='a@bridge.capulet.example'/>"},
        {"<message id='4' type='chat' from='a@bridge.capulet.example' "
         "to='nobody@capulet.example'>" +
             body,
         "<message id='4' type='error' from='nobody@capulet.example' to='a@bridge.capulet.example'>"
         "<error type='cancel'><service-unavailable "
         "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"},
        {"<message id='5' type='chat' from='a@bridge.capulet.example' to='b@far.example'>" + body,
         "<message id='5' type='error' from='b@far.example' to='a@bridge.capulet.example'>"
         "<error type='cancel'><remote-server-not-found "
         "xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>"},
    }));
    TestServer server{bridgeConfig};
    auto& component = join(server);
    INFO(sent);
    component.send(sent);
    gets(component, answer);
    CHECK(component.streamError() == "");
}

TEST_CASE("a component's forwarded stanzas and other namespaces arrive as they were meant") {
    TestServer server{bridgeConfig};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = join(server);
    component.send(
        "<message from='a@bridge.capulet.example' to='juliet@capulet.example'><body>x</body>"
        "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' to='b@c.example'>"
        "<body>inner</body></message></forwarded><x xmlns='urn:x'><y/></x></message>");
    gets(juliet,
         "<message from='a@bridge.capulet.example'><body>x</body>"
         "<forwarded xmlns='urn:xmpp:forward:0'><message xmlns='jabber:client' to='b@c.example'>"
         "<body>inner</body></message></forwarded><x xmlns='urn:x'><y/></x>"
         "<stanza-id xmlns='urn:xmpp:sid:0' by='juliet@capulet.example' id='*'/></message>");
    CHECK(juliet.bytes().find("jabber:component") == std::string::npos);
}

TEST_CASE("a component that says it is in error, or just goes, is gone") {
    TestServer server{bridgeConfig};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = join(server);
    SECTION("error") {
        component.send(
            "<stream:error><undefined-condition "
            "xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error>");
        CHECK(component.isStreamClosed());
    }
    SECTION("cut") { component.cut(); }
    SECTION("end") { component.send("</stream:stream>"); }
    juliet.send(message("a@bridge.capulet.example", "hi"));
    gets(juliet,
         "<message type='error' from='a@bridge.capulet.example'><error type='wait'>"
         "<remote-server-timeout xmlns='urn:ietf:params:xml:ns:xmpp-stanzas'/></error></message>");
}

TEST_CASE("a component that sends too fast is read more slowly, and nothing is lost") {
    TestServer server{bridgeConfig + "bytes_burst = '64 KiB'\nbytes_per_second = '16 KiB'\n"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = join(server);
    std::string expected;
    for (int i = 0; i < 40; ++i) {
        const std::string number = std::to_string(i);
        component.sendSoon(
            "<message from='bridge.capulet.example' to='juliet@capulet.example/balcony' "
            "type='headline'>"
            "<body>" +
            number + "</body><x xmlns='urn:x'>" + std::string(4000, 'x') + "</x></message>");
        expected += (i == 0 ? "" : " ") + number;
    }
    server.run();
    std::string got = bodies(juliet);
    CHECK(got.size() < expected.size());
    server.advance(20s);
    const auto rest = bodies(juliet);
    CHECK(got + (rest.empty() ? "" : " ") + rest == expected);
}

TEST_CASE("a component is held back while the database has too much to do") {
    TestServer server{bridgeConfig};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = join(server);
    server.database().setDelay(50ms);
    server.database().setPressedAbove(6);
    std::string all, expected;
    for (int i = 1; i <= 20; ++i) {
        all +=
            "<message type='chat' from='a@bridge.capulet.example' "
            "to='juliet@capulet.example'><body>" +
            std::to_string(i) + "</body></message>";
        expected += (i == 1 ? "" : " ") + std::to_string(i);
    }
    component.send(all);
    const auto first = bodies(juliet);
    CHECK(first != "");
    CHECK(first.size() < expected.size());
    server.advance(5s);
    CHECK(first + " " + bodies(juliet) == expected);
}
