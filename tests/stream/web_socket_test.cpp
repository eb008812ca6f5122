// Streams over WebSocket (RFC 7395).
#include "tests/stream/web_client.h"

using namespace epode;

namespace {

constexpr std::string_view framingClose = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";

}  // namespace

TEST_CASE("a client logs in over WebSocket, and every element has a frame of its own") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    SocketClient juliet{server};
    CHECK(juliet.handshake.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
    CHECK(has(juliet.handshake, "Upgrade: websocket\r\n"));
    CHECK(has(juliet.handshake, "Connection: Upgrade\r\n"));
    CHECK(has(juliet.handshake, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
    CHECK(has(juliet.handshake, "Sec-WebSocket-Protocol: xmpp\r\n"));
    CHECK(!has(juliet.handshake, "Content-Length"));

    juliet.open();
    const auto open = juliet.next();
    CHECK(open.starts_with("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' "));
    CHECK(attribute(open, "from") == "capulet.example");
    CHECK(attribute(open, "version") == "1.0");
    CHECK(attribute(open, "id").size() > 10);
    const auto features = juliet.next();
    CHECK(
        features.starts_with("<stream:features xmlns:stream='http://etherx.jabber.org/streams'>"));
    CHECK(has(features, "<mechanism>PLAIN</mechanism>"));
    CHECK(!has(features, "starttls"));
    CHECK(juliet.next() == "");
}

TEST_CASE("messages go to and fro between WebSocket and TCP") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    SocketClient juliet{server};
    juliet.logIn("juliet", "balcony");
    const auto bound = juliet.next();
    CHECK(bound.starts_with("<iq xmlns='jabber:client' "));
    CHECK(has(bound, "<jid>juliet@capulet.example/balcony</jid>"));
    juliet.say("<presence xmlns='jabber:client'/>").forget();
    auto& romeo = server.login("romeo@montague.example/garden");
    romeo.send(
        "<message to='juliet@capulet.example/balcony' type='chat' id='m1'><body>&lt;3 "
        "\xE2\x82\xAC</body></message>");
    const auto message = juliet.next();
    CHECK(message.starts_with("<message xmlns='jabber:client' "));
    CHECK(has(message, "<body>&lt;3 \xE2\x82\xAC</body>"));
    juliet.say("<message xmlns='jabber:client' to='romeo@montague.example' type='chat'><body>" +
               std::string(70000, 'x') + "</body></message>");
    CHECK(has(romeo.next(), std::string(70000, 'x')));
    // In fragments, with a ping between them.
    juliet.send(clientFrame("<message xmlns='jabber:client' to='romeo@montague", 0x01) +
                clientFrame("still?", 0x89) +
                clientFrame(".example' type='chat'><body>in</body>", 0x00) +
                clientFrame("</message>", 0x80));
    CHECK(has(romeo.next(), "<body>in</body>"));
    CHECK(juliet.next() == "pong still?");
    // Several at once, and cut anywhere.
    const std::string two =
        clientFrame(
            "<message xmlns='jabber:client' to='romeo@montague.example'><body>1</body></message>") +
        clientFrame(
            "<message xmlns='jabber:client' to='romeo@montague.example'><body>2</body></message>");
    for (const std::size_t cut : {1, 5, 6, 7, 50, 100}) {
        juliet.send(two.substr(0, cut));
        juliet.send(two.substr(cut));
        CHECK(has(romeo.next(), "<body>1</body>"));
        CHECK(has(romeo.next(), "<body>2</body>"));
    }
}

TEST_CASE("a stream over WebSocket is closed by an element, then by a frame") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    SocketClient juliet{server};
    juliet.logIn("juliet", "balcony").forget();
    juliet.say(framingClose);
    CHECK(juliet.next() == framingClose);
    CHECK(juliet.next() == "close 1000");
    server.advance(10s);
    CHECK(juliet.isClosed);
    CHECK(server.streamCount() == 0);

    SocketClient other{server};
    other.open().forget();
    other.send(clientFrame(std::string{"\x03\xE8", 2}, 0x88));
    CHECK(other.next() == "close 1000");
    server.advance(10s);
    CHECK(other.isClosed);
    CHECK(server.streamCount() == 0);
}

TEST_CASE("stream errors come in the open stream, and end it") {
    TestServer server;
    SocketClient client{server};
    client.open("denmark.example");
    CHECK(client.next().starts_with("<open "));
    const auto error = client.next();
    CHECK(error.starts_with("<stream:error xmlns:stream='http://etherx.jabber.org/streams'>"));
    CHECK(has(error, "<host-unknown "));
    CHECK(client.next() == framingClose);
    CHECK(client.next() == "close 1000");
}

TEST_CASE("frames that are no single element end the stream") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    const std::vector<std::string> first{
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' "
        "to='capulet.example' version='1.0'>",
        "<?xml version='1.0'?><open xmlns='urn:ietf:params:xml:ns:xmpp-framing' "
        "to='capulet.example' version='1.0'/>",
        "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='capulet.example' version='1.0'>",
        "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='capulet.example' "
        "version='1.0'><x/></open>",
        "<open to='capulet.example' version='1.0'/>",
        "<open xmlns='jabber:client' to='capulet.example' version='1.0'/>",
        "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='capulet.example' "
        "version='1.0'/><presence/>",
        "<presence xmlns='jabber:client'/>",
        " ",
        "",
        "hello",
    };
    for (const auto& frame : first) {
        INFO(frame);
        SocketClient client{server};
        client.say(frame);
        CHECK(client.next().starts_with("<open "));
        CHECK(has(client.next(), "<stream:error "));
        CHECK(client.next() == framingClose);
        server.advance(10s);
        CHECK(client.isClosed);
    }
    const std::vector<std::string> later{
        "<message xmlns='jabber:client'>",
        "<message xmlns='jabber:client'/><message xmlns='jabber:client'/>",
        "<!-- a comment --><message xmlns='jabber:client'/>",
        "<message xmlns='jabber:client'><!-- a comment --></message>",
        "<?xml version='1.0'?><message xmlns='jabber:client'/>",
        "</stream:stream>",
        "<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='capulet.example' version='1.0'/>",
        "<message xmlns='jabber:client'/>x",
        "x<message xmlns='jabber:client'/>",
        "<message xmlns='jabber:client'></presence>",
        "<message xmlns='jabber:client'",
        " ",
    };
    for (const auto& frame : later) {
        INFO(frame);
        SocketClient client{server};
        client.logIn("juliet", "balcony").forget();
        client.say(frame);
        CHECK(has(client.next(), "<stream:error "));
        CHECK(client.next() == framingClose);
    }
    CHECK(server.streamCount() == 0);
}

TEST_CASE("a client that breaks the rules of WebSocket is told by which code") {
    TestServer server{"[client]\nstanza_bytes_max_before_login = '10000 B'"};
    const auto codeFor = [&](const std::string& bytes) {
        SocketClient client{server};
        client.open().forget();
        client.send(bytes);
        const auto code = client.next();
        server.advance(10s);
        CHECK(client.isClosed);
        return code;
    };
    CHECK(codeFor(std::string{"\x81\x05Hello", 7}) == "close 1002");
    CHECK(codeFor(clientFrame("x", 0x83)) == "close 1002");
    CHECK(codeFor(clientFrame("x", 0x80)) == "close 1002");
    CHECK(codeFor(clientFrame("x", 0xC1)) == "close 1002");
    CHECK(codeFor(clientFrame("\xFF")) == "close 1007");
    CHECK(codeFor(clientFrame("<x/>", 0x82)) == "close 1003");
    CHECK(codeFor(clientFrame("<x>" + std::string(10001, 'x') + "</x>")) == "close 1009");
    CHECK(server.streamCount() == 0);
}

TEST_CASE("a request that is none for a WebSocket with XMPP is refused") {
    TestServer server{"[http]\norigins = ['https://chat.example']"};
    struct Row {
        std::string without;
        std::string with;
        std::string status;
    };
    const std::vector<Row> rows{
        {"", "", "101"},
        {"", "Origin: https://chat.example\r\n", "101"},
        {"Sec-WebSocket-Protocol: xmpp\r\n", "Sec-WebSocket-Protocol: soap, xmpp\r\n", "101"},
        {"", "Origin: https://evil.example\r\n", "403"},
        {"", "Origin: null\r\n", "403"},
        {"Sec-WebSocket-Protocol: xmpp\r\n", "", "400"},
        {"Sec-WebSocket-Protocol: xmpp\r\n", "Sec-WebSocket-Protocol: soap\r\n", "400"},
        {"Sec-WebSocket-Version: 13\r\n", "Sec-WebSocket-Version: 8\r\n", "426"},
        {"Sec-WebSocket-Version: 13\r\n", "", "426"},
        {"Upgrade: websocket\r\n", "", "426"},
        {"Upgrade: websocket\r\n", "Upgrade: h2c\r\n", "426"},
        {"Connection: keep-alive, Upgrade\r\n", "Connection: close\r\n", "426"},
        {"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", "400"},
        {"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "Sec-WebSocket-Key: c2hvcnQ=\r\n",
         "400"},
        {"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "Sec-WebSocket-Key: !\r\n", "400"},
        {"", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "400"},
    };
    for (const auto& [without, with, status] : rows) {
        std::string fields{upgradeFields};
        if (!without.empty()) fields.erase(fields.find(without), without.size());
        INFO(fields << with);
        WebClient client{server};
        CHECK(statusOf(client.get("/xmpp-websocket", fields + with)) == status);
    }
    WebClient post{server};
    CHECK(statusOf(post.ask(
              "POST /xmpp-websocket HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")) == "405");
    WebClient old{server};
    CHECK(statusOf(old.ask("GET /xmpp-websocket HTTP/1.0\r\n" + std::string{upgradeFields} +
                           "\r\n")) == "426");
}

TEST_CASE("without TLS nobody logs in, unless nobody is between or a trusted proxy has it") {
    TestServer server;
    const auto firstFeatures = [&](SimLinkSettings link, bool isTls, std::string_view fields) {
        SocketClient client{server, link, isTls, fields};
        client.open();
        client.next();
        return client.next();
    };
    const auto secure = firstFeatures({}, true, "");
    CHECK(has(secure, "<mechanism>SCRAM-SHA-256</mechanism>"));
    // Browsers have nothing to bind to.
    CHECK(!has(secure, "-PLUS"));
    CHECK(!has(secure, "tls-exporter"));
    CHECK(has(firstFeatures({}, false, ""), "<policy-violation "));
    CHECK(has(firstFeatures({}, false, "X-Forwarded-Proto: https\r\n"), "<policy-violation "));
    SimLinkSettings local;
    local.clientAddress = "127.0.0.1";
    const auto localFeatures = firstFeatures(local, false, "");
    CHECK(has(localFeatures, "<mechanism>PLAIN</mechanism>"));
    CHECK(!has(localFeatures, "starttls"));
    CHECK(
        has(firstFeatures(local, false, "X-Forwarded-For: 203.0.113.9\r\n"), "<policy-violation "));
    const auto proxied =
        firstFeatures(local, false, "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n");
    CHECK(has(proxied, "<mechanism>PLAIN</mechanism>"));
    CHECK(!has(proxied, "-PLUS"));
    CHECK(!has(proxied, "tls-exporter"));
    SocketClient client{server, local, false};
    client.open().forget();
    client.say("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    CHECK(client.next() == "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
}

TEST_CASE("a session is resumed over WebSocket, and between WebSocket and TCP") {
    for (const unsigned shards : {1u, 3u}) {
        TestServer server{{}, shards};
        server.addAccount("juliet@capulet.example");
        auto& romeo = server.login("romeo@montague.example/garden");
        SocketClient first{server};
        first.logIn("juliet", "balcony").say("<presence xmlns='jabber:client'/>").forget();
        first.say(enableResumption);
        const auto id = attribute(first.next(), "id");
        REQUIRE(id != "");
        first.forget();
        first.cut();
        romeo.send(
            "<message to='juliet@capulet.example/balcony' type='chat' "
            "id='m1'><body>one</body></message>");

        SocketClient second{server};
        second.open().forget();
        second.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
                   encodeBase64(std::string{'\0'} + "juliet" + '\0' + "secret") + "</auth>");
        second.forget().open().forget();
        second.say(resume(id, 0));
        CHECK(has(second.next(), "<resumed "));
        std::string got;
        for (const auto& frame : second.all()) got += frame;
        CHECK(has(got, "<body>one</body>"));

        // It goes on over TCP; the WebSocket hears of it.
        auto& third = server.connect({}, true);
        third.sendHeader().logIn("juliet").sendHeader().forget();
        third.send(resume(id, 0));
        CHECK(has(third.next(), "<resumed "));
        const auto words = second.all();
        REQUIRE(words.size() == 3);
        CHECK(has(words[0], "<conflict "));
        CHECK(words[1] == framingClose);
        CHECK(words[2] == "close 1000");
    }
}

TEST_CASE("a login in one round trip works over WebSocket, on whichever shard the account lives") {
    TestServer server{{}, 3};
    for (const std::string name : {"juliet", "romeo", "nurse", "tybalt"}) {
        server.addAccount(name + "@capulet.example");
        SocketClient client{server};
        client.open().forget();
        client.say("<authenticate xmlns='urn:xmpp:sasl:2' mechanism='PLAIN'><initial-response>" +
                   encodeBase64(std::string{'\0'} + name + '\0' + "secret") +
                   "</initial-response><bind xmlns='urn:xmpp:bind:0'><enable xmlns='urn:xmpp:sm:3' "
                   "resume='true'/>"
                   "</bind></authenticate>");
        const auto success = client.next();
        CHECK(has(success, "<success xmlns='urn:xmpp:sasl:2'>"));
        CHECK(has(success, "<enabled xmlns='urn:xmpp:sm:3'"));
        CHECK(client.next().starts_with("<stream:features "));
        client.say(
            "<iq xmlns='jabber:client' type='get' id='p' to='capulet.example'><ping "
            "xmlns='urn:xmpp:ping'/></iq>");
        std::string got;
        for (const auto& frame : client.all()) got += frame;
        CHECK(has(got, "id='p'"));
    }
}

TEST_CASE("a client that sends faster than it may is read more slowly, and loses nothing") {
    TestServer server{"[client]\nbytes_per_second = '10000 B'\nbytes_burst = '64 KiB'"};
    server.addAccount("juliet@capulet.example");
    auto& romeo = server.login("romeo@montague.example/garden");
    SocketClient juliet{server};
    juliet.logIn("juliet", "balcony").forget();
    std::string bytes;
    for (int i = 0; i < 100; ++i)
        bytes += clientFrame("<message xmlns='jabber:client' to='romeo@montague.example' id='m" +
                             std::to_string(i) + "'><body>" + std::string(2000, 'x') +
                             "</body></message>");
    juliet.send(bytes);
    CHECK(romeo.all().size() < 100);
    server.advance(30s);
    romeo.forget();
    juliet.say(
        "<message xmlns='jabber:client' to='romeo@montague.example' "
        "id='last'><body>y</body></message>");
    server.advance(60s);
    CHECK(has(romeo.all().back(), "id='last'"));
}

TEST_CASE(
    "a stop of the server tells WebSockets that it goes away, and their sessions are there again") {
    TestServer server;
    server.addAccount("juliet@capulet.example");
    SocketClient juliet{server};
    juliet.logIn("juliet", "balcony").forget();
    juliet.say(enableResumption);
    const auto id = attribute(juliet.next(), "id");
    server.restart();
    const auto words = juliet.all();
    REQUIRE(!words.empty());
    CHECK(words.back() == "close 1001");
    SocketClient again{server};
    again.open().forget();
    again.say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
              encodeBase64(std::string{'\0'} + "juliet" + '\0' + "secret") + "</auth>");
    again.forget().open().forget();
    again.say(resume(id, 0));
    CHECK(has(again.next(), "<resumed "));
}

namespace {

constexpr std::string_view offersDeflate =
    "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";

std::string packed(std::string_view text, unsigned first = 0xC1) {
    std::string compressed;
    REQUIRE(deflateMessage(text, 15, compressed));
    return clientFrame(compressed, first);
}

}  // namespace

TEST_CASE("messages are compressed when the operator wants it and the client offers it") {
    TestServer server{"[http]\nwebsocket_compression = true"};
    server.addAccount("juliet@capulet.example");
    SocketClient without{server};
    CHECK(!has(without.handshake, "Sec-WebSocket-Extensions"));
    SocketClient unknown{server, {}, true, "Sec-WebSocket-Extensions: permessage-lzma\r\n"};
    CHECK(unknown.handshake.starts_with("HTTP/1.1 101 "));
    CHECK(!has(unknown.handshake, "Sec-WebSocket-Extensions"));
    SocketClient juliet{
        server,
        {},
        true,
        "Sec-WebSocket-Extensions: permessage-lzma\r\n" + std::string{offersDeflate}};
    CHECK(has(juliet.handshake,
              "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover; "
              "client_no_context_takeover\r\n"));
    juliet.logIn("juliet", "balcony").forget();
    CHECK(juliet.compressedFrames > 0);
    juliet.say("<presence xmlns='jabber:client'/>").forget();
    auto& romeo = server.login("romeo@montague.example/garden");
    const std::string text(3000, 'r');
    romeo.send("<message to='juliet@capulet.example/balcony' type='chat' id='m1'><body>" + text +
               "</body></message>");
    const int before = juliet.compressedFrames;
    CHECK(has(juliet.next(), "<body>" + text + "</body>"));
    CHECK(juliet.compressedFrames == before + 1);
    // Hers are compressed or not, as she likes, whole or in fragments, with a ping between them.
    const auto message = [](std::string_view body) {
        return "<message xmlns='jabber:client' to='romeo@montague.example/garden' "
               "type='chat'><body>" +
               std::string{body} + "</body></message>";
    };
    juliet.send(packed(message("one " + text)));
    juliet.say(message("two"));
    std::string compressed;
    REQUIRE(deflateMessage(message("three " + text), 15, compressed));
    juliet.send(clientFrame(compressed.substr(0, 20), 0x41) + clientFrame("still?", 0x89) +
                clientFrame(compressed.substr(20, 1), 0x00) +
                clientFrame(compressed.substr(21), 0x80));
    CHECK(has(romeo.next(), "one rrr"));
    CHECK(has(romeo.next(), "two"));
    CHECK(has(romeo.next(), "three rrr"));
    CHECK(juliet.next() == "pong still?");
    CHECK(juliet.next() == "");
}

TEST_CASE("what breaks the rules of compression ends a WebSocket") {
    const std::string bomb = packed(std::string(2'000'000, ' '));
    struct Row {
        std::string frames;
        std::string end;
    };
    const std::vector<Row> rows{
        // More than a message may be before the login, out of fewer bytes.
        {bomb, "close 1009"},
        {clientFrame("no deflated text at all, I am afraid", 0xC1), "close 1007"},
        // Not UTF-8.
        {packed("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='" +
                std::string(100, '\xFF')),
         "close 1007"},
        // The bit belongs to the first frame of a message, and to no ping.
        {clientFrame("a", 0x01) + clientFrame("b", 0xC0), "close 1002"},
        {clientFrame("ping", 0xC9), "close 1002"},
        {clientFrame("a", 0xA1), "close 1002"},
        {clientFrame("a", 0x91), "close 1002"},
        {packed(std::string(200, 'b'), 0xC2), "close 1003"},
    };
    TestServer server{"[http]\nwebsocket_compression = true"};
    for (const Row& row : rows) {
        SocketClient client{server, {}, true, offersDeflate};
        client.send(row.frames);
        const auto all = client.all();
        REQUIRE(!all.empty());
        CHECK(all.back() == row.end);
    }
    // Who hasn't agreed on it, or can't, because it is off.
    SocketClient plain{server};
    plain.send(packed(std::string(200, 'x')));
    CHECK(plain.next() == "close 1002");
    TestServer off;
    SocketClient refused{off, {}, true, offersDeflate};
    CHECK(refused.handshake.starts_with("HTTP/1.1 101 "));
    CHECK(!has(refused.handshake, "Sec-WebSocket-Extensions"));
    refused.send(packed(std::string(200, 'x')));
    CHECK(refused.next() == "close 1002");
}
