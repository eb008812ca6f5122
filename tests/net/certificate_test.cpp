#include "net/certificate.h"

#include "net/tls_error.h"
#include "tests/support/catch.h"

using namespace epode;

TEST_CASE("a self-signed certificate has the names it was made for") {
    const auto made =
        makeSelfSigned({"capulet.example", "*.Capulet.example"}, std::chrono::hours{48});
    const auto info = readPemCertificate(made.certificatePem);
    CHECK(info.commonName == "capulet.example");
    CHECK(info.issuer == "CN=capulet.example");
    CHECK(info.dnsNames == std::vector<std::string>{"capulet.example", "*.capulet.example"});
    CHECK(info.xmppAddresses.empty());
    CHECK(info.isSelfSigned);
    CHECK(info.notAfter - info.notBefore == std::chrono::hours{49});
    CHECK(made.keyPem.find("PRIVATE KEY") != std::string::npos);
}

TEST_CASE("the XMPP addresses of a client's certificate are read") {
    const auto made = makeSelfSigned({}, {"juliet@capulet.example", "juliet@verona.example"},
                                     std::chrono::hours{1});
    const auto info = readPemCertificate(made.certificatePem);
    CHECK(info.xmppAddresses ==
          std::vector<std::string>{"juliet@capulet.example", "juliet@verona.example"});
    CHECK(info.dnsNames.empty());
}

TEST_CASE("a name with a NUL inside is no name") {
    const auto made =
        makeSelfSigned({std::string("capulet.example\0.evil.example", 29)},
                       {std::string("juliet@capulet.example\0x", 24)}, std::chrono::hours{1});
    const auto info = readPemCertificate(made.certificatePem);
    CHECK(info.dnsNames.empty());
    CHECK(info.xmppAddresses.empty());
}

TEST_CASE("a very long name makes a certificate all the same") {
    const auto name = std::string(60, 'a') + "." + std::string(60, 'b') + ".example";
    const auto info =
        readPemCertificate(makeSelfSigned({name}, std::chrono::hours{1}).certificatePem);
    CHECK(info.dnsNames == std::vector<std::string>{name});
}

TEST_CASE("what is no certificate is refused") {
    const auto text = GENERATE(values<std::string>(
        {"", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
         std::string("\x30\x82\x01\x00", 4)}));
    CHECK_THROWS_AS(readPemCertificate(text), TlsError);
    CHECK_THROWS_AS(readCertificate(text), TlsError);
}

TEST_CASE("a certificate speaks for the domains it names") {
    CertificateInfo info;
    info.dnsNames = {"capulet.example", "*.verona.example"};
    info.serviceNames = {"_xmpp-server.montague.example"};
    info.xmppAddresses = {"paris.example", "romeo@mantua.example"};
    info.commonName = "common.example";
    struct Row {
        std::string domain;
        std::string service;
        bool expected;
    };
    const auto row = GENERATE(values<Row>({
        {"capulet.example", "xmpp-server", true},
        {"Capulet.Example", "xmpp-client", true},
        {"chat.verona.example", "xmpp-server", true},
        {"montague.example", "xmpp-server", true},
        {"paris.example", "xmpp-server", true},
        {"", "xmpp-server", false},
        {"example", "xmpp-server", false},
        {"chat.capulet.example", "xmpp-server", false},
        {"verona.example", "xmpp-server", false},
        {"a.chat.verona.example", "xmpp-server", false},
        {".verona.example", "xmpp-server", false},
        {"montague.example", "xmpp-client", false},
        {"mantua.example", "xmpp-server", false},
        {"common.example", "xmpp-server", false},
        {"xcapulet.example", "xmpp-server", false},
    }));
    CAPTURE(row.domain, row.service);
    CHECK(namesDomain(info, row.domain, row.service) == row.expected);
}
