#include "net/connector.h"
#include "net/tcp_transport.h"
#include "net/tls_error.h"
#include "tests/net/net_support.h"

#include <openssl/x509.h>

#include <fcntl.h>

using namespace epode;
using namespace epode::test;

namespace {

// A server whose connections begin with TLS and which echoes.
struct SecureServer {
    explicit SecureServer(const TlsProfile& profile = {})
        : files{folder.certificate("capulet", {"capulet.example"})},
          store{{files}},
          server{{.address = {}, .directTls = &store.context(profile), .limit = nullptr}} {
        server.whenAccepted = [](RecordingUser& user) {
            user.whenData = [&user](std::string_view bytes) { user.transport->send(bytes); };
        };
    }

    TlsInfo info() {
        auto& user = server.only();
        REQUIRE(server.eventually([&] { return user.isSecured; }));
        return server.run([&] { return *user.transport->tls(); });
    }

    TemporaryFolder folder;
    TlsFiles files;
    TlsStore store;
    Server server;
};

std::string certificateHash(const TlsClient& client) {
    unsigned char hash[32];
    unsigned size = 0;
    X509_digest(SSL_get0_peer_certificate(client.ssl), EVP_sha256(), hash, &size);
    return {reinterpret_cast<const char*>(hash), size};
}

}  // namespace

TEST_CASE("bytes come back from an echo over TLS, small and large") {
    const auto version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    SecureServer secure;
    RawClient raw{secure.server.port()};
    TlsClient client{raw, {.version = version}};
    REQUIRE(client.isConnected);
    client.send("hello");
    CHECK(client.receive(5) == "hello");

    // Records come in many reads, and answers leave in many writes.
    const auto bytes = pattern(1 << 20);
    std::string answer;
    for (std::size_t at = 0; at < bytes.size(); at += 65536) {
        client.send(std::string_view{bytes}.substr(at, 65536));
        answer += client.receive(std::min<std::size_t>(65536, bytes.size() - at));
    }
    CHECK((answer == bytes));
}

TEST_CASE("both sides agree on what TLS was about") {
    const auto version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    SecureServer secure{{.alpn = {"xmpp-client"}}};
    RawClient raw{secure.server.port()};
    TlsClient client{raw,
                     {.version = version,
                      .serverName = "capulet.example",
                      .alpn = "\x08http/1.1\x0bxmpp-client"}};
    REQUIRE(client.isConnected);
    const auto info = secure.info();
    CHECK(info.version == (version == TLS1_3_VERSION ? "TLSv1.3" : "TLSv1.2"));
    CHECK(info.cipher == SSL_CIPHER_standard_name(SSL_get_current_cipher(client.ssl)));
    CHECK(info.cipher.find("AES_128_GCM") != std::string::npos);
    CHECK(info.serverName == "capulet.example");
    CHECK(info.alpn == "xmpp-client");
    CHECK(info.exporter == client.exporter());
    CHECK(info.exporter.size() == 32);
    CHECK(info.serverEndPoint == certificateHash(client));
    CHECK(info.peerCertificate.empty());
    CHECK_FALSE(info.peerVerified);
}

TEST_CASE("after login only version and cipher are remembered") {
    SecureServer secure;
    RawClient raw{secure.server.port()};
    TlsClient client{raw, {.serverName = "capulet.example"}};
    REQUIRE(client.isConnected);
    secure.info();
    const auto info = secure.server.run([&] {
        auto& transport = *secure.server.users.front()->transport;
        transport.forgetLoginSecrets();
        transport.forgetLoginSecrets();
        return *transport.tls();
    });
    CHECK(info.version == "TLSv1.3");
    CHECK(info.cipher == "TLS_AES_128_GCM_SHA256");
    CHECK(info.serverName.empty());
    CHECK(info.exporter.empty());
    CHECK(info.serverEndPoint.empty());
    client.send("still works");
    CHECK(client.receive(11) == "still works");
}

TEST_CASE("TLS 1.2 without the extended master secret has no exporter") {
    SecureServer secure;
    RawClient raw{secure.server.port()};
    auto* ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    auto* ssl = SSL_new(ctx);
    SSL_set_fd(ssl, raw.socket.get());
    REQUIRE(SSL_connect(ssl) == 1);
    const auto info = secure.info();
    CHECK(info.exporter.empty());
    CHECK_FALSE(info.serverEndPoint.empty());
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

TEST_CASE("old versions, foreign protocols and garbage are refused with a reason") {
    SecureServer secure{{.alpn = {"xmpp-client"}}};
    RawClient raw{secure.server.port()};
    SECTION("TLS 1.1") {
        auto* ctx = SSL_CTX_new(TLS_client_method());
        SSL_CTX_set_security_level(ctx, 0);
        SSL_CTX_set_min_proto_version(ctx, TLS1_1_VERSION);
        SSL_CTX_set_max_proto_version(ctx, TLS1_1_VERSION);
        auto* ssl = SSL_new(ctx);
        SSL_set_fd(ssl, raw.socket.get());
        CHECK(SSL_connect(ssl) != 1);
        ERR_clear_error();
        SSL_free(ssl);
        SSL_CTX_free(ctx);
    }
    SECTION("a web browser") {
        TlsClient client{raw, {.alpn = "\x08http/1.1"}};
        CHECK_FALSE(client.isConnected);
    }
    SECTION("plain text") {
        raw.send("<?xml version='1.0'?><stream:stream to='capulet.example'>");
        raw.receiveAll();
    }
    auto& user = secure.server.only();
    REQUIRE(secure.server.eventually([&] { return user.closes == 1; }));
    CHECK(user.closeReason.starts_with("TLS handshake failed: "));
    CHECK(user.data.empty());
    CHECK_FALSE(user.isSecured);
}

TEST_CASE("a client that leaves during the handshake is heard of") {
    SecureServer secure;
    RawClient raw{secure.server.port()};
    auto& user = secure.server.only();
    raw.socket.reset();
    REQUIRE(secure.server.eventually([&] { return user.closes == 1; }));
    CHECK(user.closeReason == "closed by peer during the TLS handshake");
}

TEST_CASE("a damaged record ends the connection and gives nothing to the user") {
    SecureServer secure;
    RawClient raw{secure.server.port()};
    TlsClient client{raw, {}};
    REQUIRE(client.isConnected);
    secure.info();
    raw.send(std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'x'));
    auto& user = secure.server.only();
    REQUIRE(secure.server.eventually([&] { return user.closes == 1; }));
    CHECK(user.closeReason.starts_with("TLS failed: "));
    CHECK(user.data.empty());
}

TEST_CASE("the end of TLS is the end of the connection") {
    SecureServer secure;
    RawClient raw{secure.server.port()};
    TlsClient client{raw, {}};
    REQUIRE(client.isConnected);
    secure.info();
    auto& user = secure.server.only();
    SECTION("the peer says so") {
        client.send("last words");
        SSL_shutdown(client.ssl);
        REQUIRE(secure.server.eventually([&] { return user.closes == 1; }));
        CHECK(user.data == "last words");
        CHECK(user.closeReason == "closed by peer");
    }
    SECTION("we say so, after what is queued") {
        const auto bytes = pattern(4 << 20);
        secure.server.run([&] {
            user.transport->send(bytes);
            user.transport->closeGracefully();
        });
        CHECK((client.receive(bytes.size() + 1) == bytes));
        CHECK(client.hasCloseNotify());
        raw.socket.reset();
        REQUIRE(secure.server.eventually([&] { return user.closes == 1; }));
        CHECK(user.closeReason == "closed");
    }
    SECTION("nothing follows our end, least of all in the clear") {
        secure.server.run([&] { user.transport->closeGracefully(); });
        secure.server.run([&] { user.transport->send("too late"); });
        CHECK(client.receive(100) == "");
        CHECK(client.hasCloseNotify());
        CHECK(raw.receiveAll() == "");
    }
    SECTION("the peer says so while reading is paused") {
        secure.server.run(
            [&] { user.whenData = [&](std::string_view) { user.transport->pauseReading(); }; });
        client.send("pause");
        SSL_shutdown(client.ssl);
        REQUIRE(secure.server.eventually([&] { return user.data == "pause"; }));
        CHECK(secure.server.run([&] { return user.closes; }) == 0);
        secure.server.run([&] { user.transport->resumeReading(); });
        REQUIRE(secure.server.eventually([&] { return user.closes == 1; }));
    }
}

TEST_CASE("STARTTLS drops what came before the handshake") {
    TemporaryFolder folder;
    TlsStore store{{folder.certificate("capulet", {"capulet.example"})}};
    const auto& context = store.context({});
    Server server;
    server.whenAccepted = [&](RecordingUser& user) {
        user.whenData = [&](std::string_view) {
            if (user.isSecured) return;
            user.transport->send("<proceed/>");
            user.transport->startTls(context);
        };
    };
    RawClient raw{server.port()};
    auto& user = server.only();
    SECTION("nothing came, as it should be") { raw.send("<starttls/>"); }
    SECTION("something came with the request") {
        // The loop is held until both are in the socket; but a read takes what is there, so that
        // the second has to come between the read and the answer.
        server.run([&] {
            user.whenData = [&](std::string_view) {
                if (user.isSecured) return;
                user.transport->send("<proceed/>");
                user.transport->startTls(context);
                raw.send("<message>from somebody in between</message>");
            };
        });
        raw.send("<starttls/>");
    }
    CHECK(raw.receive(10) == "<proceed/>");
    TlsClient client{raw, {}};
    REQUIRE(client.isConnected);
    client.send("secret");
    REQUIRE(server.eventually([&] { return user.data.size() > 11; }));
    CHECK(user.data == "<starttls/>secret");
    CHECK(server.run([&] { return user.transport->tls() != nullptr; }));
}

TEST_CASE("what is queued after the handshake was asked for leaves under TLS") {
    TemporaryFolder folder;
    TlsStore store{{folder.certificate("capulet", {"capulet.example"})}};
    const auto& context = store.context({});
    Server server;
    server.whenAccepted = [&](RecordingUser& user) {
        user.transport->send("<proceed/>");
        user.transport->startTls(context);
        user.transport->send("in the same turn, ");
    };
    RawClient raw{server.port()};
    CHECK(raw.receive(10) == "<proceed/>");
    server.run([&] { server.users.front()->transport->send("later"); });
    TlsClient client{raw, {}};
    REQUIRE(client.isConnected);
    CHECK(client.receive(23) == "in the same turn, later");
}

TEST_CASE("a slow reader under TLS gets everything in order") {
    SecureServer secure;
    RawClient raw{secure.server.port()};
    TlsClient client{raw, {}};
    REQUIRE(client.isConnected);
    secure.info();
    auto& user = secure.server.only();
    const auto bytes = pattern(12 << 20);
    secure.server.run([&] { user.transport->send(bytes); });
    REQUIRE(secure.server.eventually(
        [&] { return user.transport->unsentBytes() > TcpTransport::highMark; }));
    secure.server.run([&] { user.transport->send("the end"); });
    CHECK((client.receive(bytes.size()) == bytes));
    CHECK(client.receive(7) == "the end");
    REQUIRE(secure.server.eventually([&] { return user.drains == 1; }));
}

TEST_CASE("a TLS connection moves between loops under traffic") {
    SecureServer secure;
    LoopThread other;
    std::atomic<int> moves{0};
    LoopThread* here = &secure.server;
    secure.server.whenAccepted = [&](RecordingUser& user) {
        user.whenData = [&](std::string_view bytes) {
            user.transport->send(bytes);
            auto* there = here == &other ? static_cast<LoopThread*>(&secure.server) : &other;
            Transport::move(std::move(user.transport), there->loop,
                            [&, there](std::unique_ptr<Transport> arrived) {
                                here = there;
                                ++moves;
                                user.take(std::move(arrived));
                            });
        };
        // Moved by what it does in onSecured, too: records that came with the client's Finished
        // wait.
        user.whenSecured = [&] {
            Transport::move(std::move(user.transport), other.loop,
                            [&](std::unique_ptr<Transport> arrived) {
                                here = &other;
                                user.take(std::move(arrived));
                            });
        };
    };
    RawClient raw{secure.server.port()};
    TlsClient client{raw, {}};
    REQUIRE(client.isConnected);
    const auto bytes = pattern(1 << 20);
    std::string answer;
    for (std::size_t at = 0; at < bytes.size(); at += 20000) {
        const auto part = std::string_view{bytes}.substr(at, 20000);
        client.send(part);
        answer += client.receive(part.size());
    }
    CHECK((answer == bytes));
    CHECK(moves > 10);
    // No traffic any more, so that `here` stands still.
    auto& user = *secure.server.users.front();
    REQUIRE(here->eventually([&] { return user.transport != nullptr; }));
    here->run([&] { user.transport.reset(); });
    settle(secure.server, other);
}

TEST_CASE("a transport may be destroyed when its handshake is done") {
    SecureServer secure;
    secure.server.whenAccepted = [](RecordingUser& user) {
        user.whenSecured = [&user] { user.transport.reset(); };
    };
    RawClient raw{secure.server.port()};
    TlsClient client{raw, {}};
    CHECK(client.receive(1) == "");
}

TEST_CASE("records that came with the handshake wait for a user that pauses") {
    SecureServer secure;
    secure.server.whenAccepted = [](RecordingUser& user) {
        user.whenSecured = [&user] { user.transport->pauseReading(); };
    };
    RawClient raw{secure.server.port()};
    // Both leave in one write, so that they come in one read: the BIO of the client buffers.
    auto* ctx = SSL_CTX_new(TLS_client_method());
    auto* ssl = SSL_new(ctx);
    auto* in = BIO_new(BIO_s_mem());
    auto* out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    const auto flush = [&] {
        char* data = nullptr;
        const auto size = BIO_get_mem_data(out, &data);
        raw.send({data, static_cast<std::size_t>(size)});
        static_cast<void>(BIO_reset(out));
    };
    SSL_do_handshake(ssl);
    flush();
    while (!SSL_is_init_finished(ssl)) {
        char buffer[4096];
        const auto got = ::recv(raw.socket.get(), buffer, sizeof buffer, 0);
        REQUIRE(got > 0);
        BIO_write(in, buffer, static_cast<int>(got));
        SSL_do_handshake(ssl);
    }
    REQUIRE(SSL_write(ssl, "together", 8) == 8);
    flush();
    auto& user = secure.server.only();
    REQUIRE(secure.server.eventually([&] { return user.isSecured; }));
    CHECK(user.data.empty());
    REQUIRE(SSL_write(ssl, " and after", 10) == 10);
    flush();
    secure.server.run([&] { user.transport->resumeReading(); });
    CHECK(secure.server.eventually([&] { return user.data == "together and after"; }));
    SSL_free(ssl);
    SSL_CTX_free(ctx);
}

TEST_CASE("a session is resumed by its ticket") {
    const auto version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    SecureServer secure;
    SSL_SESSION* session = nullptr;
    std::string endPoint;
    {
        RawClient raw{secure.server.port()};
        TlsClient client{raw, {.version = version}};
        REQUIRE(client.isConnected);
        client.send("x");
        CHECK(client.receive(1) == "x");  // behind the ticket
        endPoint = secure.info().serverEndPoint;
        session = SSL_get1_session(client.ssl);
        SSL_shutdown(client.ssl);
    }
    RawClient raw{secure.server.port()};
    TlsClient client{raw, {.version = version, .session = session}};
    REQUIRE(client.isConnected);
    CHECK(SSL_session_reused(client.ssl) == 1);
    REQUIRE(secure.server.eventually(
        [&] { return secure.server.users.size() == 2 && secure.server.users.back()->isSecured; }));
    const auto info =
        secure.server.run([&] { return *secure.server.users.back()->transport->tls(); });
    CHECK(info.exporter == client.exporter());
    CHECK(info.serverEndPoint == endPoint);
    SSL_SESSION_free(session);
}

TEST_CASE("a client's certificate is told when it is asked for") {
    TemporaryFolder clientFolder;
    const auto made = makeSelfSigned({}, {"juliet@capulet.example"}, std::chrono::hours{1});
    const auto certificate = clientFolder.write("juliet.crt", made.certificatePem);
    const auto key = clientFolder.write("juliet.key", made.keyPem);
    SECTION("asked, and shown") {
        SecureServer secure{{.askClientCertificate = true}};
        RawClient raw{secure.server.port()};
        TlsClient client{raw, {.certificateFile = certificate, .keyFile = key}};
        REQUIRE(client.isConnected);
        const auto info = secure.info();
        CHECK(readCertificate(info.peerCertificate).xmppAddresses ==
              std::vector<std::string>{"juliet@capulet.example"});
        CHECK_FALSE(info.peerVerified);
    }
    SECTION("asked, but there is none") {
        SecureServer secure{{.askClientCertificate = true}};
        RawClient raw{secure.server.port()};
        TlsClient client{raw, {}};
        REQUIRE(client.isConnected);
        const auto info = secure.info();
        CHECK(info.peerCertificate.empty());
        CHECK_FALSE(info.peerVerified);
    }
    SECTION("not asked") {
        SecureServer secure;
        RawClient raw{secure.server.port()};
        TlsClient client{raw, {.certificateFile = certificate, .keyFile = key}};
        REQUIRE(client.isConnected);
        CHECK(secure.info().peerCertificate.empty());
    }
    SECTION("from an authority that we trust") {
        TemporaryFolder folder;
        TlsStore store{{folder.certificate("capulet", {"capulet.example"})}, certificate};
        Server server{{.address = {},
                       .directTls = &store.context({.askClientCertificate = true}),
                       .limit = nullptr}};
        RawClient raw{server.port()};
        TlsClient client{raw, {.certificateFile = certificate, .keyFile = key}};
        REQUIRE(client.isConnected);
        auto& user = server.only();
        REQUIRE(server.eventually([&] { return user.isSecured; }));
        CHECK(server.run([&] { return user.transport->tls()->peerVerified; }));
    }
}

TEST_CASE("our own client talks to our own server over TLS") {
    SecureServer secure{{.alpn = {"xmpp-server"}}};
    const TlsClientContext context{
        {.alpn = {"xmpp-server"}, .certificate = {}, .trustFile = secure.files.certificateFile}};
    LoopThread clients;
    RecordingUser user;
    std::unique_ptr<Connector> connector;
    clients.run([&] {
        connector = std::make_unique<Connector>(
            clients.loop, *IpAddress::parse("127.0.0.1", secure.server.port()), patience,
            [&](std::unique_ptr<Transport> transport, std::string_view) {
                user.take(std::move(transport));
                user.transport->startTls(context, "capulet.example");
                user.transport->send("first");
            });
    });
    REQUIRE(clients.eventually([&] { return user.data == "first"; }));
    const auto ours = clients.run([&] { return *user.transport->tls(); });
    const auto theirs = secure.info();
    CHECK(ours.exporter == theirs.exporter);
    CHECK(ours.serverEndPoint == theirs.serverEndPoint);
    CHECK(ours.alpn == "xmpp-server");
    CHECK(theirs.serverName == "capulet.example");
    CHECK(ours.peerVerified);
    CHECK(namesDomain(readCertificate(ours.peerCertificate), "capulet.example", "xmpp-server"));
    clients.run([&] { user.transport->closeGracefully(); });
    // The server hears close_notify and closes; our end is over with that.
    REQUIRE(secure.server.eventually([&] { return secure.server.users.front()->closes == 1; }));
    secure.server.run([&] { secure.server.users.front()->transport.reset(); });
    REQUIRE(clients.eventually([&] { return user.closes == 1; }));
    CHECK(user.closeReason == "closed");
    clients.run([&] {
        user.transport.reset();
        connector.reset();
    });
}
