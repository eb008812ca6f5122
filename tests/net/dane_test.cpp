// Certificates as the signed DNS wants them, judged in handshakes without a network.
#include "net/dane.h"

#include "core/digest.h"
#include "net/tls_error.h"
#include "net/tls_session.h"
#include "tests/net/net_support.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>

using namespace epode;
using namespace epode::test;
using namespace std::chrono_literals;

namespace {

template <typename T, void (*release)(T*)>
struct Release {
    void operator()(T* object) const { release(object); }
};
using Certificate = std::unique_ptr<X509, Release<X509, X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Release<EVP_PKEY, EVP_PKEY_free>>;
using Text = std::unique_ptr<BIO, Release<BIO, BIO_free_all>>;

Certificate certificateOf(const std::string& pem) {
    const Text text{BIO_new_mem_buf(pem.data(), int(pem.size()))};
    return Certificate{PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr)};
}

template <typename T, typename Write>
std::string der(T* object, Write write) {
    unsigned char* bytes = nullptr;
    const int size = write(object, &bytes);
    std::string text(reinterpret_cast<const char*>(bytes), std::size_t(size));
    OPENSSL_free(bytes);
    return text;
}

std::string certificateDer(const std::string& pem) {
    return der(certificateOf(pem).get(), i2d_X509);
}
std::string keyDer(const std::string& pem) {
    return der(X509_get0_pubkey(certificateOf(pem).get()), i2d_PUBKEY);
}

TlsaRecord record(int usage, int selector, int matching, const std::string& pem) {
    std::string data = selector == 0 ? certificateDer(pem) : keyDer(pem);
    if (matching == 1) data = digest(Hash::Sha256, data);
    if (matching == 2) data = digest(Hash::Sha512, data);
    return {std::uint8_t(usage), std::uint8_t(selector), std::uint8_t(matching), std::move(data)};
}

// Signs certificates that others have made.
struct Authority {
    Authority() : made{makeSelfSigned({"authority.example"}, 48h)} {
        const auto own = certificateOf(made.certificatePem);
        auto* isOne = X509V3_EXT_conf_nid(nullptr, nullptr, NID_basic_constraints, "CA:TRUE");
        X509_add_ext(own.get(), isOne, -1);
        X509_EXTENSION_free(isOne);
        made.certificatePem = sign(own.get());
    }
    SelfSigned certify(const std::vector<std::string>& names, Duration validity = 24h) {
        SelfSigned leaf = makeSelfSigned(names, validity);
        const auto certificate = certificateOf(leaf.certificatePem);
        const auto own = certificateOf(made.certificatePem);
        X509_set_issuer_name(certificate.get(), X509_get_subject_name(own.get()));
        leaf.certificatePem = sign(certificate.get());
        return leaf;
    }
    std::string sign(X509* certificate) {
        const Text text{BIO_new_mem_buf(made.keyPem.data(), int(made.keyPem.size()))};
        const Key key{PEM_read_bio_PrivateKey(text.get(), nullptr, nullptr, nullptr)};
        REQUIRE(X509_sign(certificate, key.get(), EVP_sha256()) > 0);
        const Text pem{BIO_new(BIO_s_mem())};
        PEM_write_bio_X509(pem.get(), certificate);
        char* data = nullptr;
        const auto size = BIO_get_mem_data(pem.get(), &data);
        return {data, std::size_t(size)};
    }
    SelfSigned made;
};

// What a client that has the demand finds about a server.
TlsInfo shake(const SelfSigned& presented, const std::shared_ptr<const DaneDemand>& demand,
              const std::string& trusted = {}) {
    TemporaryFolder folder;
    TlsStore store{{{{},
                     folder.write("server.crt", presented.certificatePem),
                     folder.write("server.key", presented.keyPem)}}};
    const auto nobody = makeSelfSigned({"nobody.example"}, 1h).certificatePem;
    TlsClientContext context{
        {.alpn = {},
         .certificate = {},
         .trustFile = folder.write("trusted", trusted.empty() ? nobody : trusted)}};
    if (demand) context = context.demanding(demand);
    const auto server = TlsSession::server(store.context({}).current());
    const auto client = TlsSession::client(context, "capulet.example");
    std::string toServer, toClient;
    for (int i = 0; i < 6; ++i) {
        std::string_view input = toClient;
        std::string output;
        if (client->state() == TlsSession::State::Handshaking) client->handshake(input, output);
        toClient.clear();
        toServer += output;
        input = toServer;
        output.clear();
        if (server->state() == TlsSession::State::Handshaking) server->handshake(input, output);
        toServer.clear();
        toClient += output;
    }
    REQUIRE(client->state() == TlsSession::State::Open);
    return client->info();
}

const std::string host = "xmpp.montague.example";  // the target of the service
const std::string domain = "capulet.example";      // the source
const std::vector<std::string> names{host, domain};

}  // namespace

TEST_CASE("dane: a record is read as it is written, and shown as zones have it") {
    const TlsaRecord record{3, 1, 1, std::string(32, '\xab')};
    CHECK(readTlsa(writeTlsa(record)) == record);
    CHECK(toText({3, 1, 1, "\x01\xff"}) == "3 1 1 01ff");
    CHECK(toText({2, 0, 0, std::string(1000, 'x')}).size() < 150);
    CHECK_FALSE(readTlsa(""));
    CHECK_FALSE(readTlsa(std::string("\3\1", 2)));
    CHECK_FALSE(readTlsa(std::string("\3\1\1", 3)));
}

TEST_CASE("dane: records of unknown kinds, or with data that doesn't fit, are of no use") {
    const auto own = makeSelfSigned({domain}, 24h);
    const std::string sha256(32, 'x');
    const std::string sha512(64, 'x');
    const std::vector<TlsaRecord> good{
        {3, 1, 1, sha256}, {2, 0, 2, sha512}, {1, 1, 1, sha256}, {0, 0, 1, sha256}};
    CHECK(usableOf(good) == good);
    CHECK(usableOf({record(3, 0, 0, own.certificatePem), record(3, 1, 0, own.certificatePem)})
              .size() == 2);
    CHECK(usableOf({}).empty());
    for (const auto& bad : std::vector<TlsaRecord>{
             {4, 1, 1, sha256},
             {255, 1, 1, sha256},
             {3, 2, 1, sha256},
             {3, 1, 3, sha256},
             {3, 1, 1, sha256.substr(1)},
             {3, 1, 1, sha512},
             {3, 1, 2, sha256},
             {3, 0, 0, "no certificate"},
             {3, 1, 0, "no key"},
             {3, 0, 0, record(3, 0, 0, own.certificatePem).data + "x"},
         }) {
        INFO(toText(bad));
        CHECK(usableOf({bad}).empty());
        CHECK(usableOf({bad, good.front()}).size() == 1);
        // Nobody is told to judge by nothing.
        CHECK_THROWS_AS(daneProblem({{bad}, {host}}, certificateDer(own.certificatePem)), TlsError);
    }
    CHECK_THROWS_AS(daneProblem({{good.front()}, {}}, certificateDer(own.certificatePem)),
                    TlsError);
}

TEST_CASE("dane: a certificate is what the records say, or it isn't") {
    Authority authority;
    const std::string& top = authority.made.certificatePem;
    const auto own = makeSelfSigned({host}, 24h);
    const auto expired = makeSelfSigned({host}, -30min);
    const auto stranger = makeSelfSigned({"verona.example"}, 24h);
    const auto other = makeSelfSigned({host}, 24h);
    const auto with = [&top](SelfSigned leaf) {
        leaf.certificatePem += top;
        return leaf;
    };
    const auto alone = authority.certify({host});
    const auto chain = with(alone);
    const auto chainOfDomain = with(authority.certify({domain}));
    const auto chainOfWildcard = with(authority.certify({"*.montague.example"}));
    const auto chainOfStranger = with(authority.certify({"verona.example"}));
    const auto chainExpired = with(authority.certify({host}, -30min));
    const auto of = [](int usage, int selector, int matching, const SelfSigned& what) {
        return record(usage, selector, matching, what.certificatePem);
    };
    const auto ofTop = [&top](int usage, int selector, int matching) {
        return record(usage, selector, matching, top);
    };
    struct Row {
        const char* what;
        const SelfSigned& shown;
        std::vector<TlsaRecord> records;
        bool isTrusted;  // the authority
        bool isGood;
    };
    const std::vector<Row> rows{
        {"3 1 1: the key", own, {of(3, 1, 1, own)}, false, true},
        {"3 1 1: another key", own, {of(3, 1, 1, other)}, false, false},
        {"3 0 1: the certificate", own, {of(3, 0, 1, own)}, false, true},
        {"3 0 1: the key's digest", own, {{3, 0, 1, of(3, 1, 1, own).data}}, false, false},
        {"3 1 2", own, {of(3, 1, 2, own)}, false, true},
        {"3 1 2: another key", own, {of(3, 1, 2, other)}, false, false},
        {"3 0 0", own, {of(3, 0, 0, own)}, false, true},
        {"3 0 0: another one", own, {of(3, 0, 0, other)}, false, false},
        {"3 1 0", own, {of(3, 1, 0, own)}, false, true},
        {"3 1 0: another one", own, {of(3, 1, 0, other)}, false, false},
        // RFC 7671, 5.1: only the key counts.
        {"3 1 1: expired", expired, {of(3, 1, 1, expired)}, false, true},
        {"3 1 1: for somebody else", stranger, {of(3, 1, 1, stranger)}, false, true},
        {"3 1 1: next and present", own, {of(3, 1, 1, other), of(3, 1, 1, own)}, false, true},
        {"3 1 1: next and former", own, {of(3, 1, 1, other), of(3, 1, 1, stranger)}, false, false},
        // RFC 7671, 9: of several digests of one kind the strongest counts.
        {"3 1 2 wrong, 3 1 1 right", own, {of(3, 1, 2, other), of(3, 1, 1, own)}, false, false},
        {"3 1 1 of the authority", chain, {ofTop(3, 1, 1)}, false, false},
        {"a trusted one that isn't it", chain, {of(3, 1, 1, other)}, true, false},
        {"2 0 1", chain, {ofTop(2, 0, 1)}, false, true},
        {"2 0 1: another authority", chain, {of(2, 0, 1, own)}, false, false},
        {"2 1 1", chain, {ofTop(2, 1, 1)}, false, true},
        {"2 0 1: for the domain", chainOfDomain, {ofTop(2, 0, 1)}, false, true},
        {"2 0 1: by a wildcard", chainOfWildcard, {ofTop(2, 0, 1)}, false, true},
        {"2 0 1: for somebody else", chainOfStranger, {ofTop(2, 0, 1)}, false, false},
        {"2 0 1: expired", chainExpired, {ofTop(2, 0, 1)}, false, false},
        {"2 0 1: without the authority", alone, {ofTop(2, 0, 1)}, false, false},
        {"2 0 0: the record has it", alone, {ofTop(2, 0, 0)}, false, true},
        {"1 1 1", chain, {of(1, 1, 1, chain)}, true, true},
        {"1 1 1: not trusted", chain, {of(1, 1, 1, chain)}, false, false},
        {"1 1 1: another key", chain, {of(1, 1, 1, other)}, true, false},
        {"1 1 1: somebody else", chainOfStranger, {of(1, 1, 1, chainOfStranger)}, true, false},
        {"0 0 1", chain, {ofTop(0, 0, 1)}, true, true},
        {"0 0 1: not trusted", chain, {ofTop(0, 0, 1)}, false, false},
        {"0 0 1: another authority", chain, {of(0, 0, 1, own)}, true, false},
    };
    for (const auto& row : rows) {
        INFO(row.what);
        const auto demand = std::make_shared<const DaneDemand>(DaneDemand{row.records, names});
        const TlsInfo info = shake(row.shown, demand, row.isTrusted ? top : "");
        CHECK(info.peerVerified == row.isGood);
        CHECK(info.peerProblem.empty() == row.isGood);
    }
    // Without a demand all is as ever.
    CHECK(shake(chain, nullptr, top).peerVerified);
    CHECK_FALSE(shake(chain, nullptr).peerVerified);
    CHECK_FALSE(shake(own, nullptr, top).peerVerified);
}

TEST_CASE("dane: a certificate is judged without a connection, too") {
    const auto own = makeSelfSigned({host}, 24h);
    const auto other = makeSelfSigned({host}, 24h);
    const DaneDemand wanted{{record(3, 1, 1, own.certificatePem)}, names};
    CHECK(daneProblem(wanted, certificateDer(own.certificatePem)) == "");
    CHECK(daneProblem(wanted, certificateDer(other.certificatePem)) != "");
    CHECK(daneProblem(wanted, "") != "");
    CHECK(daneProblem(wanted, "rubbish") != "");
    CHECK(readPemCertificate(own.certificatePem).keyDigest == wanted.records.front().data);
}
