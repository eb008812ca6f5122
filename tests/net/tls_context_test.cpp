#include "net/tls_context.h"

#include "net/tls_error.h"
#include "tests/net/net_support.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

using namespace epode;
using namespace epode::test;

namespace {

// The common name of the certificate that a client gets.
std::string shown(Server& server, const std::string& serverName) {
    RawClient raw{server.port()};
    TlsClient client{raw, {.serverName = serverName}};
    return client.isConnected ? client.certificateName() : "none";
}

Listener::Settings direct(TlsStore& store) {
    return {.address = {}, .directTls = &store.context({}), .limit = nullptr};
}

}  // namespace

TEST_CASE("the server name chooses the certificate") {
    TemporaryFolder folder;
    TlsStore store{{
        folder.certificate("first", {"first.example"}, {"first.example"}),
        folder.certificate("capulet", {"capulet.example", "*.capulet.example"}, {}),
        folder.certificate("host", {"other-name.example"}, {"montague.example"}),
    }};
    Server server{direct(store)};
    struct Row {
        std::string serverName;
        std::string expected;
    };
    const auto row = GENERATE(values<Row>({
        {"", "first.example"},
        {"first.example", "first.example"},
        {"unknown.example", "first.example"},
        {"a.b.capulet.example", "first.example"},
        {"capulet.example", "capulet.example"},
        {"CAPULET.example", "capulet.example"},
        {"chat.capulet.example", "capulet.example"},
        {"montague.example", "other-name.example"},
        {"other-name.example", "other-name.example"},
    }));
    CAPTURE(row.serverName);
    CHECK(shown(server, row.serverName) == row.expected);
}

TEST_CASE("a reload shows new certificates to new connections and leaves the old ones alone") {
    TemporaryFolder folder;
    const auto files = folder.certificate("capulet", {"old.example"});
    TlsStore store{{files}};
    Server server{direct(store)};
    server.whenAccepted = [](RecordingUser& user) {
        user.whenData = [&user](std::string_view bytes) { user.transport->send(bytes); };
    };
    RawClient raw{server.port()};
    TlsClient client{raw, {}};
    REQUIRE(client.isConnected);
    CHECK_FALSE(store.hasChangedOnDisk());

    folder.certificate("capulet", {"new.example"});
    std::filesystem::last_write_time(
        files.certificateFile,
        std::filesystem::last_write_time(files.certificateFile) + std::chrono::seconds{5});
    CHECK(store.hasChangedOnDisk());
    CHECK(shown(server, "") == "old.example");
    CHECK(store.reload().empty());
    CHECK_FALSE(store.hasChangedOnDisk());
    CHECK(shown(server, "") == "new.example");
    REQUIRE(store.presented().size() == 1);
    CHECK(store.presented().front().certificate.dnsNames ==
          std::vector<std::string>{"new.example"});

    client.send("still here");
    CHECK(client.receive(10) == "still here");
}

TEST_CASE("a reload that finds a broken file keeps what it had and says which file it was") {
    TemporaryFolder folder;
    const auto good = folder.certificate("good", {"good.example"});
    const auto other = folder.certificate("other", {"other.example"});
    TlsStore store{{good, other}};
    Server server{direct(store)};
    std::string culprit = good.certificateFile;
    SECTION("it is gone") { std::filesystem::remove(good.certificateFile); }
    SECTION("it is empty") { folder.write("good.crt", ""); }
    SECTION("it is something else") { folder.write("good.crt", "hello"); }
    SECTION("the key is another one's") {
        culprit = good.keyFile;
        folder.write("good.key", makeSelfSigned({"x.example"}, std::chrono::hours{1}).keyPem);
    }
    SECTION("the key is locked by a pass phrase") {
        culprit = good.keyFile;
        auto* key = EVP_EC_gen("P-256");
        auto* bio = BIO_new(BIO_s_mem());
        char phrase[] = "secret";
        PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), phrase, 6, nullptr, nullptr);
        char* data = nullptr;
        const auto size = BIO_get_mem_data(bio, &data);
        folder.write("good.key", std::string(data, static_cast<std::size_t>(size)));
        BIO_free(bio);
        EVP_PKEY_free(key);
    }
    const auto problems = store.reload();
    REQUIRE(problems.size() == 1);
    CHECK(problems.front().starts_with(culprit + ": "));
    CHECK(shown(server, "good.example") == "good.example");
    CHECK(shown(server, "other.example") == "other.example");
}

TEST_CASE("a store names all files that are wrong at once") {
    TemporaryFolder folder;
    const TlsFiles missing{{}, (folder.path / "missing.crt").string(), "missing.key"};
    const TlsFiles broken{{}, folder.write("broken.crt", "hello"), "broken.key"};
    try {
        TlsStore store{{missing, broken}};
        FAIL("made of nothing");
    } catch (const TlsError& error) {
        const std::string text = error.what();
        CHECK(text.find("missing.crt: No such file or directory") != std::string::npos);
        CHECK(text.find("broken.crt: no certificate in PEM form") != std::string::npos);
    }
}

TEST_CASE("a host may have certificates of two kinds, and the client gets the one it can use") {
    TemporaryFolder folder;
    // An RSA key for the same name, signed by itself.
    auto* key = EVP_RSA_gen(2048);
    auto* certificate = X509_new();
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("rsa"), -1, -1, 0);
    X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
    X509_sign(certificate, key, EVP_sha384());
    const auto pem = [](auto write) {
        auto* bio = BIO_new(BIO_s_mem());
        write(bio);
        char* data = nullptr;
        const auto size = BIO_get_mem_data(bio, &data);
        std::string text(data, static_cast<std::size_t>(size));
        BIO_free(bio);
        return text;
    };
    const TlsFiles rsa{
        {"capulet.example"},
        folder.write("rsa.crt", pem([&](BIO* bio) { PEM_write_bio_X509(bio, certificate); })),
        folder.write("rsa.key", pem([&](BIO* bio) {
                         PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
                     }))};
    TlsStore store{{folder.certificate("ec", {"capulet.example"}, {"capulet.example"}), rsa}};
    Server server{direct(store)};
    for (const auto* algorithms : {"ECDSA+SHA256", "RSA-PSS+SHA256"}) {
        RawClient raw{server.port()};
        auto* ctx = SSL_CTX_new(TLS_client_method());
        auto* ssl = SSL_new(ctx);
        SSL_set1_sigalgs_list(ssl, algorithms);
        SSL_set_fd(ssl, raw.socket.get());
        REQUIRE(SSL_connect(ssl) == 1);
        auto* peer = SSL_get0_peer_certificate(ssl);
        const bool isRsa = EVP_PKEY_get_base_id(X509_get0_pubkey(peer)) == EVP_PKEY_RSA;
        CHECK(isRsa == (std::string_view{algorithms}.starts_with("RSA")));

        // Its binding is the hash of the signature, which differs here.
        REQUIRE(server.eventually(
            [&] { return !server.users.empty() && server.users.back()->isSecured; }));
        unsigned char hash[64];
        unsigned size = 0;
        X509_digest(peer, isRsa ? EVP_sha384() : EVP_sha256(), hash, &size);
        CHECK(server.run([&] { return server.users.back()->transport->tls()->serverEndPoint; }) ==
              std::string(reinterpret_cast<const char*>(hash), size));
        server.run([&] { server.users.clear(); });
        SSL_free(ssl);
        SSL_CTX_free(ctx);
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
}

TEST_CASE("a context without a certificate ends the connection that needs one") {
    const TlsServerContext empty;
    Server server;
    server.whenAccepted = [&](RecordingUser& user) { user.transport->startTls(empty); };
    RawClient raw{server.port()};
    CHECK(raw.receiveAll() == "");
    auto& user = server.only();
    REQUIRE(server.eventually([&] { return user.closes == 1; }));
    CHECK(user.closeReason == "TLS is not possible: there is no certificate");
}
