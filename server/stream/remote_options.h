// Options of federation, and their values as the streams read them.
#pragma once

#include "core/option.h"
#include "core/xml_stream.h"

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

std::vector<OptionRef> remoteOptions();

// Where other servers are waited for.
struct RemoteListen {
    explicit RemoteListen(const Settings& settings);
    bool isEnabled;
    std::vector<std::string> addresses;
    std::uint16_t starttlsPort;  // 0: none
    std::uint16_t tlsPort;
};

// How the DNS is asked.
struct RemoteDns {
    explicit RemoteDns(const Settings& settings);
    std::vector<std::string> servers;
    std::string trustAnchors;
    Duration patience;
};

// Authorities that other servers' certificates are trusted from; "" for the system's.
std::string remoteAuthorities(const Settings& settings);

struct RemoteSettings {
    // When a server may show by a dialback (XEP-0220) who it is, in place of a certificate.
    enum class Dialback : std::uint8_t { Never, OverTls, Always };

    explicit RemoteSettings(const Settings& settings);

    bool isEnabled;
    Dialback dialback;
    std::vector<std::string> allowed;  // none: everybody
    std::vector<std::string> denied;
    XmlLimits beforeAuthentication;
    XmlLimits afterAuthentication;
    Duration connectTimeout;
    Duration negotiationTimeout;
    Duration idleTimeout;
    Duration answerTimeout;
    Duration resumeTimeout;
    Duration retryMost;
    Duration queueTime;
    std::size_t queueBytesMax;
    std::size_t queuesBytesMax;
    std::size_t domainsMax;
    std::size_t pairsMax;
    std::int64_t unauthenticatedMax;
    double bytesPerSecond;  // 0: unlimited
    double bytesBurst;

    // Whether there may be links with this domain at all.
    bool allows(std::string_view domain) const;
};
using RemoteSettingsPtr = std::shared_ptr<const RemoteSettings>;

}  // namespace epode
