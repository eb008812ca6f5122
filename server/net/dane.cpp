#include "net/dane.h"

#include "core/digest.h"
#include "net/openssl_owned.h"
#include "net/tls_error.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <memory>

namespace epode {

namespace {

constexpr std::size_t shownBytes = 64;  // SHA-512

// A connection that is never made, for what OpenSSL ties to one.
Owned<SSL, SSL_free> blank() {
    static SSL_CTX* const context = [] {
        SSL_CTX* made = SSL_CTX_new(TLS_client_method());
        if (made && SSL_CTX_dane_enable(made) == 1)
            SSL_CTX_dane_set_flags(made, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
        return made;
    }();
    Owned<SSL, SSL_free> ssl{context ? SSL_new(context) : nullptr};
    if (!ssl) throw TlsError{"DANE: " + takeOpensslError()};
    return ssl;
}

bool add(SSL* ssl, const TlsaRecord& record) {
    const int added = SSL_dane_tlsa_add(ssl, record.usage, record.selector, record.matching,
                                        reinterpret_cast<const unsigned char*>(record.data.data()),
                                        record.data.size());
    ERR_clear_error();
    return added == 1;
}

}  // namespace

std::optional<TlsaRecord> readTlsa(std::string_view data) {
    if (data.size() < 4) return std::nullopt;
    return TlsaRecord{.usage = std::uint8_t(data[0]),
                      .selector = std::uint8_t(data[1]),
                      .matching = std::uint8_t(data[2]),
                      .data = std::string{data.substr(3)}};
}

std::string writeTlsa(const TlsaRecord& record) {
    std::string data;
    for (const auto field : {record.usage, record.selector, record.matching}) data += char(field);
    return data + record.data;
}

std::string toText(const TlsaRecord& record) {
    std::string text;
    for (const auto field : {record.usage, record.selector, record.matching})
        text += std::to_string(field) + " ";
    text += encodeHex(std::string_view{record.data}.substr(0, shownBytes));
    return record.data.size() > shownBytes ? text + "…" : text;
}

std::vector<TlsaRecord> usableOf(const std::vector<TlsaRecord>& records) {
    std::vector<TlsaRecord> usable;
    if (records.empty()) return usable;
    const auto ssl = blank();
    if (SSL_dane_enable(ssl.get(), "usable.invalid") != 1)
        throw TlsError{"DANE: " + takeOpensslError()};
    for (const auto& record : records)
        if (add(ssl.get(), record)) usable.push_back(record);
    return usable;
}

void demand(ssl_st* ssl, const DaneDemand& demand) {
    if (demand.names.empty() || SSL_dane_enable(ssl, demand.names.front().c_str()) != 1)
        throw TlsError{"DANE: " + takeOpensslError()};
    for (std::size_t i = 1; i < demand.names.size(); ++i)
        if (SSL_add1_host(ssl, demand.names[i].c_str()) != 1)
            throw TlsError{"DANE: " + takeOpensslError()};
    SSL_set_hostflags(ssl,
                      X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    bool isAny = false;
    for (const auto& record : demand.records) isAny = add(ssl, record) || isAny;
    // Without one OpenSSL would judge as if there were no DANE.
    if (!isAny) throw TlsError{"DANE: no record is usable"};
}

std::string daneProblem(const DaneDemand& wanted, std::string_view certificate) {
    if (certificate.empty()) return "no certificate was shown";
    const auto ssl = blank();
    demand(ssl.get(), wanted);
    const auto* bytes = reinterpret_cast<const unsigned char*>(certificate.data());
    const Owned<X509, X509_free> leaf{
        d2i_X509(nullptr, &bytes, static_cast<long>(certificate.size()))};
    if (!leaf) return "not a certificate: " + takeOpensslError();
    const Owned<X509_STORE, X509_STORE_free> nobody{X509_STORE_new()};
    const Owned<X509_STORE_CTX, X509_STORE_CTX_free> check{X509_STORE_CTX_new()};
    X509_STORE_CTX_init(check.get(), nobody.get(), leaf.get(), nullptr);
    X509_VERIFY_PARAM_set1(X509_STORE_CTX_get0_param(check.get()), SSL_get0_param(ssl.get()));
    X509_STORE_CTX_set0_dane(check.get(), SSL_get0_dane(ssl.get()));
    const bool isGood = X509_verify_cert(check.get()) == 1;
    const int verdict = X509_STORE_CTX_get_error(check.get());
    ERR_clear_error();
    return isGood ? std::string{} : X509_verify_cert_error_string(verdict);
}

}  // namespace epode
