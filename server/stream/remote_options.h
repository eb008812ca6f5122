// Options of federation, and their values as the streams read them.
#pragma once

#include "core/option.h"
#include "core/xml_stream.h"
#include "stream/remote_allowance.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

std::vector<OptionRef> remoteOptions();

// Whether there are links with other servers.
enum class RemoteMode : std::uint8_t {
    Never,
    Auto,  // when others can trust us
    Always,
};
RemoteMode remoteMode(const Settings& settings);

// Where other servers are waited for.
struct RemoteListen {
    explicit RemoteListen(const Settings& settings);
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

// A rate of its own for a domain, as s2s.domain_rates has it; nothing when the text is none.
struct DomainRate {
    std::string domain;
    RemoteRate rate;
};
std::optional<DomainRate> readDomainRate(std::string_view text, const RemoteRate& usual);
// Those of s2s.domain_rates that are none.
std::vector<std::string> badDomainRates(const Settings& settings);

struct RemoteSettings {
    // When a server may show by a dialback (XEP-0220) who it is, in place of a certificate.
    enum class Dialback : std::uint8_t { Never, OverTls, Always };

    RemoteSettings(const Settings& settings, bool isOn);

    bool isOn;
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
    std::size_t connectionsMax;  // of one domain
    std::size_t resumableMax;
    std::size_t resumablePerDomainMax;
    bool isBidirectional;
    bool usesDane;
    RemoteRate rate;

    // Whether there may be links with this domain at all.
    bool allows(std::string_view domain) const;
    const RemoteRate& rateOf(std::string_view domain) const;

private:
    std::vector<DomainRate> domainRates_;
};
using RemoteSettingsPtr = std::shared_ptr<const RemoteSettings>;

}  // namespace epode
