#include "net/certificate.h"

#include "core/digest.h"
#include "net/openssl_owned.h"
#include "net/tls_error.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <memory>

namespace epode {

namespace {

using X509Ptr = Owned<X509, X509_free>;
using KeyPtr = Owned<EVP_PKEY, EVP_PKEY_free>;
using NamesPtr = Owned<GENERAL_NAMES, GENERAL_NAMES_free>;
using BioPtr = Owned<BIO, BIO_free_all>;

WallTime toWallTime(const ASN1_TIME* time) {
    std::tm parts{};
    if (!time || ASN1_TIME_to_tm(time, &parts) != 1) return {};
    return WallTime{std::chrono::seconds{::timegm(&parts)}};
}

std::string lower(std::string_view text) {
    std::string result{text};
    for (auto& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return result;
}

// Nothing for a name with a NUL inside, which once fooled programs that read up to it.
std::string textOf(const ASN1_STRING* string) {
    const std::string_view bytes{reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
                                 static_cast<std::size_t>(ASN1_STRING_length(string))};
    return bytes.find('\0') == bytes.npos ? std::string{bytes} : std::string{};
}

std::string commonNameOf(const X509_NAME* name) {
    const int at = X509_NAME_get_index_by_NID(const_cast<X509_NAME*>(name), NID_commonName, -1);
    if (at < 0) return {};
    return textOf(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
}

std::string onOneLine(const X509_NAME* name) {
    const BioPtr bio{BIO_new(BIO_s_mem())};
    X509_NAME_print_ex(bio.get(), name, 0, XN_FLAG_RFC2253);
    char* data = nullptr;
    const auto size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

// With its algorithm (SubjectPublicKeyInfo).
std::string digestOf(const X509_PUBKEY* key) {
    unsigned char* der = nullptr;
    const int size = i2d_X509_PUBKEY(key, &der);
    if (size <= 0) return {};
    std::string text{reinterpret_cast<const char*>(der), static_cast<std::size_t>(size)};
    OPENSSL_free(der);
    return digest(Hash::Sha256, text);
}

void readOtherName(const OTHERNAME& other, CertificateInfo& info) {
    switch (OBJ_obj2nid(other.type_id)) {
        case NID_XmppAddr:
            if (other.value->type == V_ASN1_UTF8STRING) {
                if (auto text = textOf(other.value->value.utf8string); !text.empty()) {
                    info.xmppAddresses.push_back(std::move(text));
                }
            }
            break;
        case NID_SRVName:
            if (other.value->type == V_ASN1_IA5STRING) {
                if (auto text = textOf(other.value->value.ia5string); !text.empty()) {
                    info.serviceNames.push_back(lower(text));
                }
            }
            break;
        default:
            break;
    }
}

CertificateInfo describe(X509& certificate) {
    CertificateInfo info;
    info.commonName = commonNameOf(X509_get_subject_name(&certificate));
    info.issuer = onOneLine(X509_get_issuer_name(&certificate));
    info.notBefore = toWallTime(X509_get0_notBefore(&certificate));
    info.notAfter = toWallTime(X509_get0_notAfter(&certificate));
    info.isSelfSigned = X509_self_signed(&certificate, 0) == 1;
    info.keyDigest = digestOf(X509_get_X509_PUBKEY(&certificate));
    const NamesPtr names{static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr))};
    for (auto i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        const auto* name = sk_GENERAL_NAME_value(names.get(), i);
        if (name->type == GEN_DNS) {
            if (auto text = textOf(name->d.dNSName); !text.empty()) {
                info.dnsNames.push_back(lower(text));
            }
        } else if (name->type == GEN_OTHERNAME) {
            readOtherName(*name->d.otherName, info);
        }
    }
    return info;
}

bool matches(std::string_view pattern, std::string_view domain) {
    if (pattern == domain) return true;
    if (!pattern.starts_with("*.")) return false;
    const auto dot = domain.find('.');
    return dot != domain.npos && dot > 0 && domain.substr(dot) == pattern.substr(1);
}

void addOtherName(GENERAL_NAMES& names, const std::string& xmppAddress) {
    auto* name = GENERAL_NAME_new();
    auto* value = ASN1_TYPE_new();
    auto* text = ASN1_UTF8STRING_new();
    ASN1_STRING_set(text, xmppAddress.data(), static_cast<int>(xmppAddress.size()));
    ASN1_TYPE_set(value, V_ASN1_UTF8STRING, text);
    GENERAL_NAME_set0_othername(name, OBJ_nid2obj(NID_XmppAddr), value);
    sk_GENERAL_NAME_push(&names, name);
}

void addDnsName(GENERAL_NAMES& names, const std::string& dnsName) {
    auto* name = GENERAL_NAME_new();
    auto* text = ASN1_IA5STRING_new();
    ASN1_STRING_set(text, dnsName.data(), static_cast<int>(dnsName.size()));
    GENERAL_NAME_set0_value(name, GEN_DNS, text);
    sk_GENERAL_NAME_push(&names, name);
}

std::string contents(const BioPtr& bio) {
    char* data = nullptr;
    const auto size = BIO_get_mem_data(bio.get(), &data);
    return {data, static_cast<std::size_t>(size)};
}

}  // namespace

CertificateInfo readCertificate(std::string_view der) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
    const X509Ptr certificate{d2i_X509(nullptr, &bytes, static_cast<long>(der.size()))};
    if (!certificate) throw TlsError{"not a certificate: " + takeOpensslError()};
    return describe(*certificate);
}

CertificateInfo readPemCertificate(std::string_view pem) {
    const BioPtr bio{BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))};
    const X509Ptr certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)};
    if (!certificate) throw TlsError{"not a certificate: " + takeOpensslError()};
    return describe(*certificate);
}

bool namesDomain(const CertificateInfo& certificate, std::string_view domain,
                 std::string_view service) {
    const auto wanted = lower(domain);
    if (wanted.empty()) return false;
    const auto srv = "_" + std::string{service} + "." + wanted;
    const auto& names = certificate.dnsNames;
    return std::any_of(names.begin(), names.end(),
                       [&](const auto& name) { return matches(name, wanted); }) ||
           std::find(certificate.serviceNames.begin(), certificate.serviceNames.end(), srv) !=
               certificate.serviceNames.end() ||
           std::find(certificate.xmppAddresses.begin(), certificate.xmppAddresses.end(), wanted) !=
               certificate.xmppAddresses.end();
}

SelfSigned makeSelfSigned(const std::vector<std::string>& names, Duration validity) {
    return makeSelfSigned(names, {}, validity);
}

SelfSigned makeSelfSigned(const std::vector<std::string>& names,
                          const std::vector<std::string>& xmppAddresses, Duration validity) {
    const KeyPtr key{EVP_EC_gen("P-256")};
    const X509Ptr certificate{X509_new()};
    if (!key || !certificate) throw TlsError{"cannot make a key: " + takeOpensslError()};
    auto* x509 = certificate.get();

    X509_set_version(x509, 2);
    std::uint64_t serial = 0;
    RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), serial >> 1);
    // An hour back, for clients whose clock is late.
    X509_gmtime_adj(X509_getm_notBefore(x509), -3600);
    X509_gmtime_adj(
        X509_getm_notAfter(x509),
        static_cast<long>(std::chrono::duration_cast<std::chrono::seconds>(validity).count()));
    X509_set_pubkey(x509, key.get());

    const std::string common = !names.empty()           ? names.front()
                               : !xmppAddresses.empty() ? xmppAddresses.front()
                                                        : std::string{};
    auto* subject = X509_get_subject_name(x509);
    // A common name has at most 64 characters (RFC 5280); the names that count are below.
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(common.data()),
                               static_cast<int>(std::min<std::size_t>(common.size(), 64)), -1, 0);
    X509_set_issuer_name(x509, subject);

    const NamesPtr alternatives{GENERAL_NAMES_new()};
    for (const auto& name : names) addDnsName(*alternatives, name);
    for (const auto& address : xmppAddresses) addOtherName(*alternatives, address);
    X509_add1_ext_i2d(x509, NID_subject_alt_name, alternatives.get(), 0, X509V3_ADD_DEFAULT);

    if (X509_sign(x509, key.get(), EVP_sha256()) == 0) {
        throw TlsError{"cannot sign the certificate: " + takeOpensslError()};
    }
    const BioPtr certificateText{BIO_new(BIO_s_mem())};
    const BioPtr keyText{BIO_new(BIO_s_mem())};
    if (PEM_write_bio_X509(certificateText.get(), x509) != 1 ||
        PEM_write_bio_PrivateKey(keyText.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) !=
            1) {
        throw TlsError{"cannot write the certificate: " + takeOpensslError()};
    }
    return {contents(certificateText), contents(keyText)};
}

}  // namespace epode
