// How streams open, and how they end when they don't (RFC 6120, 4).
#include "tests/stream/conversation.h"

#include "stream/client_stream.h"

using namespace epode;

namespace {

const std::string opening =
    "<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
    "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='capulet.example'>";

std::string headerWith(std::string_view attributes) {
    return "<stream:stream xmlns:stream='http://etherx.jabber.org/streams' " +
           std::string{attributes} + ">";
}

std::string repeated(std::string_view text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
}

std::string manyAttributes(int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += " a" + std::to_string(i) + "=''";
    return all;
}

// A stream which has ended in good order: one header, the error with a text, and the end.
void checkEnd(TestServer& server, TestClient& client, std::string_view condition) {
    isEndedWith(server, client, condition);
    const std::string& bytes = client.bytes();
    INFO(bytes);
    CHECK(bytes.starts_with("<?xml version='1.0'?><stream:stream "));
    CHECK(bytes.ends_with("</stream:error></stream:stream>"));
    const auto error = parseXml(client.streamErrorXml(), ns::client);
    REQUIRE(error);
    CHECK((*error)->child("text", "urn:ietf:params:xml:ns:xmpp-streams"));
    CHECK((*error)->firstChild()->ns() == "urn:ietf:params:xml:ns:xmpp-streams");
}

}  // namespace

TEST_CASE("a stream header is answered with the server's name, a new id and the features") {
    TestServer server;
    auto& client = server.connect({}, true);
    client.sendHeader("capulet.example", " from='Juliet@capulet.example/x' xml:lang='de'");

    CHECK(client.header().from == "capulet.example");
    CHECK(client.header().to == "juliet@capulet.example");
    CHECK(client.header().version == "1.0");
    CHECK(client.header().lang == "en");
    CHECK(client.header().defaultNs == "jabber:client");
    CHECK(client.header().hasDeclaration);
    CHECK(client.header().id.size() >= 16);
    const std::string first = client.header().id;
    CHECK(client.next().starts_with("<features xmlns='http://etherx.jabber.org/streams'>"));

    auto& other = server.connect({}, true);
    other.sendHeader("montague.example");
    CHECK(other.header().from == "montague.example");
    CHECK(other.header().to == "");
    CHECK(other.header().id != first);
}

TEST_CASE("a host is found whatever the case of its name, and with a trailing dot") {
    const std::string to = GENERATE("CAPULET.example", "capulet.example.");
    TestServer server;
    auto& client = server.connect({}, true);
    client.sendHeader(to);
    CHECK(client.header().from == "capulet.example");
    CHECK(client.streamError() == "");
}

TEST_CASE("a later version of XMPP is answered with 1.0") {
    const std::string version = GENERATE("1.0", "1.1", "01.0", "2.0", "12.13");
    TestServer server;
    auto& client = server.connect({}, true);
    client.send(headerWith("xmlns='jabber:client' to='capulet.example' version='" + version + "'"));
    CHECK(client.streamError() == "");
    CHECK(client.header().version == "1.0");
}

TEST_CASE("what a stream can't begin with ends it with the error that RFC 6120 has for it") {
    struct Row {
        std::string bytes;
        std::string_view condition;
    };
    const auto row = GENERATE(values<Row>({
        {headerWith("xmlns='jabber:server' to='capulet.example' version='1.0'"),
         "invalid-namespace"},
        {headerWith("to='capulet.example' version='1.0'"), "invalid-namespace"},
        {"<stream:stream xmlns='jabber:client' xmlns:stream='http://wrong.example/' version='1.0' "
         "to='capulet.example'>",
         "invalid-namespace"},
        {"<x:stream xmlns='jabber:client' xmlns:x='http://etherx.jabber.org/streams' version='1.0' "
         "to='capulet.example'>",
         "bad-namespace-prefix"},
        {"<stream:open xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
         "version='1.0' to='capulet.example'>",
         "bad-format"},
        {headerWith("xmlns='jabber:client' version='1.0'"), "improper-addressing"},
        {headerWith("xmlns='jabber:client' to='' version='1.0'"), "improper-addressing"},
        {headerWith("xmlns='jabber:client' to='verona.example' version='1.0'"), "host-unknown"},
        {headerWith("xmlns='jabber:client' to='juliet@capulet.example' version='1.0'"),
         "host-unknown"},
        {headerWith("xmlns='jabber:client' to='a b' version='1.0'"), "host-unknown"},
        {headerWith("xmlns='jabber:client' to='capulet.example'"), "unsupported-version"},
        {headerWith("xmlns='jabber:client' to='capulet.example' version='0.9'"),
         "unsupported-version"},
        {headerWith("xmlns='jabber:client' to='capulet.example' version='1'"),
         "unsupported-version"},
        {headerWith("xmlns='jabber:client' to='capulet.example' version='x.y'"),
         "unsupported-version"},
        {"<?xml version='1.0' encoding='iso-8859-1'?>" + opening.substr(21),
         "unsupported-encoding"},
        {"\xEF\xBB\xBF" + opening, "unsupported-encoding"},
        {std::string{"\xFF\xFE<\0?\0", 6}, "unsupported-encoding"},
        {std::string{"<\0?\0x\0", 6}, "unsupported-encoding"},
        {"<!DOCTYPE stream>" + opening.substr(21), "restricted-xml"},
        {"<!-- hello -->" + opening.substr(21), "restricted-xml"},
        {"<?php echo?>" + opening.substr(21), "restricted-xml"},
        {"GET / HTTP/1.1\r\n\r\n", "not-well-formed"},
        {"\x16\x03\x01\x02\x01\x01\x01\x01", "not-well-formed"},
        {"</stream:stream>", "not-well-formed"},
        {"<stream:stream to='<'>", "not-well-formed"},
        {"<stream:stream <", "not-well-formed"},
        {"<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
         "version='1.0' to='capulet.example' x='" +
             std::string(20000, 'x') + "'>",
         "policy-violation"},
    }));
    const std::size_t chunkMax = GENERATE(0, 3);
    INFO(row.bytes.substr(0, 200) << "\nchunks of at most " << chunkMax);
    TestServer server;
    auto& other = server.login("juliet@capulet.example/balcony");
    auto& client = server.connect({.chunkMax = chunkMax}, true);

    client.send(row.bytes);

    checkEnd(server, client, row.condition);
    CHECK(mismatch("<iq type='result'/>",
                   other.ask("get", "<ping xmlns='urn:xmpp:ping'/>", "capulet.example")) ==
          "unexpected attribute from");
}

TEST_CASE("what is no XML of a stream ends it, before login and after") {
    struct Row {
        std::string bytes;
        std::string_view condition;
    };
    const auto row = GENERATE(values<Row>({
        {"<message><!-- hidden --></message>", "restricted-xml"},
        {"<!-- hidden -->", "restricted-xml"},
        {"<message><?php echo?></message>", "restricted-xml"},
        {"<?php echo?>", "restricted-xml"},
        {"<message>&bomb;</message>", "restricted-xml"},
        {"<!DOCTYPE x>", "not-well-formed"},
        {"<message></presence>", "not-well-formed"},
        {"<message a='1' a='2'/>", "not-well-formed"},
        {"<message a=1/>", "not-well-formed"},
        {"<x:message/>", "not-well-formed"},
        {"<message>\xC0\xAF</message>", "not-well-formed"},
        {"<message>\xED\xA0\x80</message>", "not-well-formed"},
        {"<message>\xFF</message>", "not-well-formed"},
        {"<message>&#1;</message>", "not-well-formed"},
        {"<message>\x01</message>", "not-well-formed"},
        {"hello", "bad-format"},
        {"<![CDATA[hello]]>", "bad-format"},
        {"<c:message xmlns:c='jabber:client'/>", "bad-namespace-prefix"},
        {repeated("<a>", 65), "policy-violation"},
        {"<message>" + repeated("<a/>", 10000) + "</message>", "policy-violation"},
        {"<message" + manyAttributes(65) + "/>", "policy-violation"},
    }));
    const bool isLoggedIn = GENERATE(false, true);
    const std::size_t chunkMax = GENERATE(0, 5);
    INFO(row.bytes.substr(0, 100) << "\nlogged in: " << isLoggedIn);
    // Small enough for both limits.
    TestServer server{"[client]\nstanza_bytes_max_before_login = '64 KiB'"};
    auto& client = isLoggedIn ? loggedIn(server, "juliet", {.chunkMax = chunkMax})
                              : server.connect({.chunkMax = chunkMax}, true).sendHeader();
    if (isLoggedIn) client.send(bindRequest);
    CHECK(client.streamError() == "");

    client.send(row.bytes);

    checkEnd(server, client, row.condition);
}

TEST_CASE("a stanza may be as large as its limit says, before login and after") {
    TestServer server;
    auto& stranger = server.connect({}, true).sendHeader();
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto stanza = [](std::size_t bytes) {
        const std::string start = "<message to='juliet@capulet.example/balcony'><body>";
        const std::string end = "</body></message>";
        return start + std::string(bytes - start.size() - end.size(), 'x') + end;
    };

    juliet.send(stanza(262144));
    CHECK(juliet.next().size() > 262144);
    juliet.send(stanza(262145));
    stranger.send(stanza(16385));

    checkEnd(server, juliet, "policy-violation");
    CHECK(juliet.streamErrorXml().find("<stanza-too-big xmlns='urn:xmpp:errors'/>") !=
          std::string::npos);
    checkEnd(server, stranger, "policy-violation");
}

TEST_CASE("an element that never ends is refused when it is too large, not later") {
    TestServer server;
    auto& client = server.connect({.chunkMax = 1000}, true).sendHeader();
    client.send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl'>" + std::string(16384, 'A'));
    checkEnd(server, client, "policy-violation");
}

TEST_CASE("white space keeps a connection alive and means nothing") {
    TestServer server;
    auto& client = server.connect({}, true);
    client.send(" \r\n").send(opening).send(" \n\t \r\n ");
    client.forget();
    server.addAccount("juliet@capulet.example");
    client.send("\n").logIn("juliet").send("  ").bind("balcony").send("   ");
    CHECK(client.jid() == "juliet@capulet.example/balcony");
    CHECK(client.streamError() == "");
    CHECK(client.next() == "");
}

TEST_CASE("the client's end of the stream is answered with ours, and the connection closes") {
    const bool isLoggedIn = GENERATE(false, true);
    TestServer server;
    auto& client = isLoggedIn ? server.login("juliet@capulet.example/balcony")
                              : server.connect({}, true).sendHeader();
    client.forget().send("</stream:stream>");
    CHECK(client.isStreamClosed());
    CHECK(client.streamError() == "");
    CHECK(client.bytes().ends_with("</stream:stream>"));
    server.advance(10s);
    CHECK(client.isClosed());
}

TEST_CASE("a stream that is opened and closed in one tag is answered") {
    TestServer server;
    auto& client = server.connect({}, true);
    client.send(
        "<stream:stream xmlns='jabber:client' "
        "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' "
        "to='capulet.example'/>");
    CHECK(client.isStreamClosed());
    CHECK(client.streamError() == "");
}

TEST_CASE("a stream error of the client closes the stream without another error") {
    const bool isLoggedIn = GENERATE(false, true);
    TestServer server;
    auto& client = isLoggedIn ? server.login("juliet@capulet.example/balcony")
                              : server.connect({}, true).sendHeader();
    client.send(
        "<stream:error><not-well-formed xmlns='urn:ietf:params:xml:ns:xmpp-streams'/>"
        "</stream:error></stream:stream>");
    CHECK(client.isStreamClosed());
    CHECK(client.streamError() == "");
}

TEST_CASE("what comes behind the end of a stream is not looked at") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    romeo.send("</stream:stream>" + message("juliet@capulet.example/balcony", "late"));
    getsNothing(juliet);
}

TEST_CASE("whole conversations don't depend on where reads cut them") {
    const auto talk = [](std::size_t chunkMax, std::uint64_t seed) {
        TestServer server{"[archive]\ndefault = 'never'", 1, seed};
        auto& juliet = server.login("juliet@capulet.example/balcony");
        auto& romeo = loggedIn(server, "romeo", {.chunkMax = chunkMax});
        romeo.send(
            "<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'>"
            "<resource>orchard</resource></bind></iq>");
        romeo.send("<presence/>" + message("juliet@capulet.example", "&lt;\xC3\xA9\xE2\x82\xAC") +
                   " <message to='juliet@capulet.example/balcony' id='2'><x xmlns='a:b' c='&apos;'>"
                   "<y/>z</x></message>\n<iq type='get' id='q'><x xmlns='nobody'/></iq>");
        std::vector<std::string> all;
        for (auto* client : {&juliet, &romeo})
            for (auto& xml : client->all()) all.push_back(std::move(xml));
        return all;
    };
    const auto whole = talk(0, 1);
    REQUIRE(whole.size() >= 5);
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        CHECK(talk(1, seed) == whole);
        CHECK(talk(17, seed) == whole);
    }
}

TEST_CASE("a stream's language is that of its stanzas when they don't say theirs") {
    TestServer server;
    auto& juliet = server.login("juliet@capulet.example/balcony");
    server.addAccount("romeo@capulet.example");
    auto& romeo = server.connect({}, true);
    romeo.sendHeader().logIn("romeo").sendHeader("capulet.example", " xml:lang='de-CH'");
    romeo.send(bindRequest).forget();
    const std::string to = "<message to='juliet@capulet.example/balcony'";
    romeo.send(to + "><body>a</body></message>")
        .send(to + " xml:lang='it'><body>b</body></message>");
    CHECK(juliet.next().find("xml:lang='de-CH'") != std::string::npos);
    CHECK(juliet.next().find("xml:lang='it'") != std::string::npos);
}

TEST_CASE("the features tell the limits of the stream (XEP-0478)") {
    TestServer server{"[client]\nstanza_bytes_max = '128 KiB'\nping_after = '2 min'"};
    auto& client = server.connect({}, true).sendHeader();
    const std::string limits = "<limits xmlns='urn:xmpp:stream-limits:0'>";
    CHECK(client.next().find(limits + "<max-bytes>16384</max-bytes></limits>") !=
          std::string::npos);
    server.addAccount("juliet@capulet.example");
    client.logIn("juliet").forget().sendHeader();
    CHECK(client.next().find(limits +
                             "<max-bytes>131072</max-bytes><idle-seconds>120</idle-seconds>"
                             "</limits>") != std::string::npos);
}

TEST_CASE("who has not logged in when the time is over is sent away") {
    TestServer server{"[client]\nlogin_timeout = '30s'"};
    auto& silent = server.connect({}, true);
    auto& slow = server.connect({}, true).sendHeader();
    auto& unbound = loggedIn(server, "juliet");
    auto& bound = server.login("romeo@capulet.example/orchard");
    server.advance(29s);
    CHECK(silent.streamError() == "");
    slow.send(" ");
    server.advance(2s);
    checkEnd(server, silent, "connection-timeout");
    checkEnd(server, slow, "connection-timeout");
    CHECK(unbound.streamError() == "connection-timeout");
    CHECK(bound.streamError() == "");
}

TEST_CASE("a stop ends every stream with system-shutdown, also those without a session") {
    TestServer server{{}, 2};
    auto& stranger = server.connect({}, true).sendHeader();
    auto& unbound = loggedIn(server, "nurse");
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    server.restart();
    for (auto* client : {&stranger, &unbound, &juliet, &romeo}) {
        CHECK(client->streamError() == "system-shutdown");
        CHECK(client->isStreamClosed());
    }
}
