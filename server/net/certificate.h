// What certificates say about the names of XMPP (RFC 6120, 13.7; XEP-0178), and a way to make one.
#pragma once

#include "core/time.h"

#include <string>
#include <string_view>
#include <vector>

namespace epode {

struct CertificateInfo {
    std::vector<std::string>
        dnsNames;  // subjectAltName DNS: "capulet.example", "*.capulet.example"
    std::vector<std::string> serviceNames;   // id-on-dnsSRV: "_xmpp-client.capulet.example"
    std::vector<std::string> xmppAddresses;  // id-on-xmppAddr: "juliet@capulet.example"
    std::string commonName;                  // for people; names are not taken from it
    std::string issuer;                      // for people
    std::string keyDigest;                   // SHA-256 of its public key, as TLSA records have it
    WallTime notBefore{};
    WallTime notAfter{};
    bool isSelfSigned = false;
};

// Of a certificate in DER, or of the first one in a PEM text. Both throw TlsError when it is
// neither.
CertificateInfo readCertificate(std::string_view der);
CertificateInfo readPemCertificate(std::string_view pem);

// Whether the certificate speaks for `domain` in the service ("xmpp-client", "xmpp-server"): by
// exact or wildcard DNS name, by SRV name, or by an xmppAddr that is the domain itself (RFC 6125;
// RFC 6120, 13.7.1.2). A wildcard stands for one whole leftmost label.
bool namesDomain(const CertificateInfo& certificate, std::string_view domain,
                 std::string_view service);

// A key on P-256 and a certificate signed by itself, both PEM. The first name becomes the common
// name; all are DNS names of subjectAltName, so that they must be ASCII (A-labels).
struct SelfSigned {
    std::string certificatePem;
    std::string keyPem;
};
SelfSigned makeSelfSigned(const std::vector<std::string>& names, Duration validity);

// As above with xmppAddr entries beside the names: a client's certificate (XEP-0178), for tests.
SelfSigned makeSelfSigned(const std::vector<std::string>& names,
                          const std::vector<std::string>& xmppAddresses, Duration validity);

}  // namespace epode
