#include "stream/remote_options.h"

#include <algorithm>

namespace epode {

namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

const Option<std::string> enabled{
    .key = "s2s.enabled",
    .fallback = "auto",
    .choices = {"auto", "true", "false"},
    .help =
        "Whether the server talks with other servers (federation); docs/federation.md leads there. "
        "\"auto\": as soon as a host has a certificate of an authority that others trust, also "
        "when "
        "it comes with a reload.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<std::vector<std::string>> addresses{
    .key = "s2s.addresses",
    .fallback = {"0.0.0.0", "::"},
    .help = "The addresses of this machine on which other servers are served.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<std::int64_t> port{
    .key = "s2s.port",
    .fallback = 5269,
    .range = {0, 65535},
    .help =
        "The port for servers that begin without TLS (STARTTLS), which is where they look without "
        "further records in the DNS; 0: none.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
    .listensOn = "s2s.addresses",
};
const Option<std::int64_t> tlsPort{
    .key = "s2s.tls_port",
    .fallback = 5270,
    .range = {0, 65535},
    .help = "The port for servers that begin with TLS (XEP-0368); 0: none.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
    .listensOn = "s2s.addresses",
};
const Option<std::string> authorities{
    .key = "s2s.authorities",
    .fallback = "",
    .help =
        "A PEM file of authorities that certificates of other servers are trusted from. Empty: the "
        "system's.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<std::string> dialback{
    .key = "s2s.dialback",
    .fallback = "over-tls",
    .choices = {"never", "over-tls", "always"},
    .help =
        "When a server without a trusted certificate for its domain may show by a dialback "
        "(XEP-0220), hence by the DNS alone, who it is. \"always\" takes servers without TLS as "
        "well: "
        "everybody on the way can then read and change what is said.",
    .scope = Scope::Server,
};
const Option<std::vector<std::string>> allowed{
    .key = "s2s.allow",
    .fallback = {},
    .help =
        "The only domains there are links with: \"example.org\", or \"*.example.org\" for those "
        "below "
        "it. Empty: all.",
    .scope = Scope::Server,
};
const Option<std::vector<std::string>> denied{
    .key = "s2s.deny",
    .fallback = {},
    .help = "Domains there are no links with, written as in s2s.allow. It is stronger.",
    .scope = Scope::Server,
};
const Option<std::vector<std::string>> resolvers{
    .key = "s2s.resolvers",
    .fallback = {},
    .help =
        "The name servers that are asked, such as \"192.0.2.53\" or \"127.0.0.1@5353\" with a "
        "port. "
        "Empty: those of /etc/resolv.conf.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<std::string> trustAnchors{
    .key = "s2s.dns_trust_anchors",
    .fallback = "",
    .help =
        "A file with the keys that signed answers of the DNS (DNSSEC) are checked by, such as "
        "/usr/share/dns/root.key. Empty: they are not checked.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<bool> dane{
    .key = "s2s.dane",
    .fallback = true,
    .help =
        "Whether servers that we connect to are judged by what the signed DNS says of their "
        "certificates (TLSA records, RFC 7673), where it says anything. It needs "
        "s2s.dns_trust_anchors.",
    .scope = Scope::Server,
};
const Option<Duration> dnsTimeout{
    .key = "s2s.dns_timeout",
    .fallback = seconds{8},
    .range = {seconds{1}, minutes{1}},
    .help = "How long an answer of the DNS is waited for.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<Duration> connectTimeout{
    .key = "s2s.connect_timeout",
    .fallback = seconds{15},
    .range = {seconds{1}, minutes{2}},
    .help = "How long one address of another server may take to answer.",
    .scope = Scope::Server,
};
const Option<Duration> negotiationTimeout{
    .key = "s2s.negotiation_timeout",
    .fallback = seconds{30},
    .range = {seconds{5}, minutes{10}},
    .help = "How long another server may take from its connection until it is known who it is.",
    .scope = Scope::Server,
};
const Option<Bytes> handshakeBytesMax{
    .key = "s2s.handshake_bytes_max",
    .fallback = 16_KiB,
    .range = {4_KiB, 1_MiB},
    .help = "The largest element that is taken from a server that hasn't shown who it is.",
    .scope = Scope::Server,
};
const Option<std::int64_t> unauthenticatedMax{
    .key = "s2s.unauthenticated_per_address_max",
    .fallback = 20,
    .range = {1, 10000},
    .help =
        "How many connections one address (with IPv6: its /64) may have that haven't shown yet "
        "whose "
        "they are.",
    .scope = Scope::Server,
};
const Option<Bytes> stanzaBytesMax{
    .key = "s2s.stanza_bytes_max",
    .fallback = 512_KiB,
    .range = {10000_B, 16_MiB},
    .help = "The largest stanza that is taken from another server.",
    .scope = Scope::Server,
};
const Option<std::int64_t> depthMax{
    .key = "s2s.stanza_depth_max",
    .fallback = 64,
    .range = {16, 1000},
    .help = "How deep the elements of a stanza may be nested.",
    .scope = Scope::Server,
};
const Option<std::int64_t> nodesMax{
    .key = "s2s.stanza_nodes_max",
    .fallback = 20000,
    .range = {100, 1000000},
    .help = "How many elements and texts a stanza may have.",
    .scope = Scope::Server,
};
const Option<Bytes> bytesPerSecond{
    .key = "s2s.bytes_per_second",
    .fallback = 8_MiB,
    .range = {0_B, 1_GiB},
    .help =
        "How much the connections of another domain may send on average, all together; what comes "
        "faster is read more slowly. 0: no limit.",
    .scope = Scope::Server,
};
const Option<Bytes> bytesBurst{
    .key = "s2s.bytes_burst",
    .fallback = 32_MiB,
    .range = {64_KiB, 1_GiB},
    .help = "How much a domain may send at once before bytes_per_second holds.",
    .scope = Scope::Server,
};
const Option<std::int64_t> stanzasPerSecond{
    .key = "s2s.stanzas_per_second",
    .fallback = 10000,
    .range = {0, 10000000},
    .help =
        "How many stanzas the connections of another domain may send on average, all together; "
        "what comes faster is read more slowly. 0: no limit.",
    .scope = Scope::Server,
};
const Option<std::int64_t> stanzasBurst{
    .key = "s2s.stanzas_burst",
    .fallback = 50000,
    .range = {10, 100000000},
    .help = "How many stanzas a domain may send at once before stanzas_per_second holds.",
    .scope = Scope::Server,
};
const Option<std::vector<std::string>> domainRates{
    .key = "s2s.domain_rates",
    .fallback = {},
    .help =
        "Other rates for some domains: \"example.org 64 KiB\" is so much each second for this one, "
        "\"*.example.org 1 MiB, 200 stanzas\" for each of those below it. The first that fits "
        "holds, and four seconds' worth may come at once.",
    .scope = Scope::Server,
};
const Option<std::int64_t> connectionsMax{
    .key = "s2s.connections_per_domain_max",
    .fallback = 200,
    .range = {1, 100000},
    .help = "How many connections another domain may have to this server.",
    .scope = Scope::Server,
};
const Option<bool> bidirectional{
    .key = "s2s.bidirectional",
    .fallback = true,
    .help =
        "Whether one connection is used in both directions (XEP-0288) with servers that know how "
        "to.",
    .scope = Scope::Server,
};
const Option<std::int64_t> pairsMax{
    .key = "s2s.pairs_per_stream_max",
    .fallback = 100,
    .range = {1, 10000},
    .help = "For how many pairs of domains one connection of another server may speak (XEP-0220).",
    .scope = Scope::Server,
};
const Option<Bytes> queueBytesMax{
    .key = "s2s.queue_bytes_max",
    .fallback = 32_MiB,
    .range = {64_KiB, 1_GiB},
    .help =
        "How much may wait for one domain that can't be reached, or takes its time; more is "
        "refused "
        "(resource-constraint).",
    .scope = Scope::Server,
};
const Option<Bytes> queuesBytesMax{
    .key = "s2s.queues_bytes_max",
    .fallback = 256_MiB,
    .range = {1_MiB, 64_GiB},
    .help = "The same for all domains together.",
    .scope = Scope::Server,
};
const Option<Duration> queueTime{
    .key = "s2s.queue_time",
    .fallback = hours{2},
    .range = {seconds{10}, hours{24 * 7}},
    .help =
        "How long a message waits for a domain that can't be reached; then its sender gets the "
        "error "
        "remote-server-timeout. Requests and the messages of rooms don't wait.",
    .scope = Scope::Server,
};
const Option<Duration> retryMost{
    .key = "s2s.retry_most",
    .fallback = minutes{2},
    .range = {seconds{5}, hours{1}},
    .help =
        "The longest time between two attempts to reach a domain for which something waits; the "
        "first "
        "ones follow faster.",
    .scope = Scope::Server,
};
const Option<Duration> idleTimeout{
    .key = "s2s.idle_timeout",
    .fallback = minutes{10},
    .range = {seconds{30}, hours{24 * 7}},
    .help = "A connection that nobody has said anything on for so long is closed.",
    .scope = Scope::Server,
};
const Option<Duration> answerTimeout{
    .key = "s2s.answer_timeout",
    .fallback = minutes{1},
    .range = {seconds{5}, minutes{30}},
    .help =
        "A server that hasn't acknowledged for so long what was sent to it has lost its "
        "connection.",
    .scope = Scope::Server,
};
const Option<Duration> resumeTimeout{
    .key = "s2s.resume_timeout",
    .fallback = minutes{5},
    .range = {seconds{0}, hours{24}},
    .help =
        "How long a lost connection of another server can be resumed without losing or repeating "
        "anything (XEP-0198).",
    .scope = Scope::Server,
};
const Option<std::int64_t> resumableMax{
    .key = "s2s.resumable_max",
    .fallback = 20000,
    .range = {1, 10000000},
    .help =
        "How many connections of other servers, lost ones among them, can be resumed at a time; "
        "further ones do without.",
    .scope = Scope::Server,
};
const Option<std::int64_t> resumablePerDomainMax{
    .key = "s2s.resumable_per_domain_max",
    .fallback = 200,
    .range = {1, 1000000},
    .help = "How many of them may be of one domain.",
    .scope = Scope::Server,
};
const Option<std::int64_t> domainsMax{
    .key = "s2s.domains_max",
    .fallback = 20000,
    .range = {10, 1000000},
    .help = "How many domains may be talked with, or tried, at a time.",
    .scope = Scope::Server,
};

// What a domain's own rate allows at once.
constexpr double burstSeconds = 4;

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(' ');
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(' ') - first + 1);
}

XmlLimits xmlLimits(std::size_t bytes) {
    XmlLimits limits;
    limits.elementBytesMax = bytes;
    limits.parserBytesMax = bytes * 4 + 1_MiB;
    return limits;
}

bool fits(std::string_view pattern, std::string_view domain) {
    if (!pattern.starts_with("*.")) return pattern == domain;
    pattern.remove_prefix(1);
    return domain.size() > pattern.size() && domain.ends_with(pattern);
}

bool anyFits(const std::vector<std::string>& patterns, std::string_view domain) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [domain](const auto& pattern) { return fits(pattern, domain); });
}

}  // namespace

std::optional<DomainRate> readDomainRate(std::string_view text, const RemoteRate& usual) {
    text = trimmed(text);
    const auto space = text.find(' ');
    if (space == text.npos) return std::nullopt;
    DomainRate read{.domain = std::string{text.substr(0, space)}, .rate = usual};
    for (text.remove_prefix(space + 1); !text.empty();) {
        const auto comma = std::min(text.find(','), text.size());
        std::string_view part = trimmed(text.substr(0, comma));
        text.remove_prefix(std::min(comma + 1, text.size()));
        constexpr std::string_view stanzas = "stanzas";
        if (part.ends_with(stanzas)) {
            part = trimmed(part.substr(0, part.size() - stanzas.size()));
            const auto count = parseBytes(part);
            if (!count || part.find_first_not_of("0123456789") != part.npos) return std::nullopt;
            read.rate.stanzasPerSecond = double(count->value);
            read.rate.stanzasBurst = burstSeconds * read.rate.stanzasPerSecond;
        } else {
            const auto bytes = parseBytes(part);
            if (!bytes) return std::nullopt;
            read.rate.bytesPerSecond = double(bytes->value);
            read.rate.bytesBurst = burstSeconds * read.rate.bytesPerSecond;
        }
    }
    return read;
}

std::vector<std::string> badDomainRates(const Settings& settings) {
    std::vector<std::string> bad;
    for (const auto& text : settings.get(domainRates))
        if (!readDomainRate(text, {})) bad.push_back(text);
    return bad;
}

std::vector<OptionRef> remoteOptions() {
    return {&enabled,
            &addresses,
            &port,
            &tlsPort,
            &authorities,
            &dialback,
            &allowed,
            &denied,
            &resolvers,
            &trustAnchors,
            &dane,
            &dnsTimeout,
            &connectTimeout,
            &negotiationTimeout,
            &handshakeBytesMax,
            &unauthenticatedMax,
            &stanzaBytesMax,
            &depthMax,
            &nodesMax,
            &bytesPerSecond,
            &bytesBurst,
            &stanzasPerSecond,
            &stanzasBurst,
            &domainRates,
            &connectionsMax,
            &bidirectional,
            &pairsMax,
            &queueBytesMax,
            &queuesBytesMax,
            &queueTime,
            &retryMost,
            &idleTimeout,
            &answerTimeout,
            &resumeTimeout,
            &resumableMax,
            &resumablePerDomainMax,
            &domainsMax};
}

RemoteMode remoteMode(const Settings& settings) {
    const std::string& mode = settings.get(enabled);
    return mode == "auto"   ? RemoteMode::Auto
           : mode == "true" ? RemoteMode::Always
                            : RemoteMode::Never;
}

RemoteListen::RemoteListen(const Settings& settings)
    : addresses{settings.get(::epode::addresses)},
      starttlsPort{std::uint16_t(settings.get(port))},
      tlsPort{std::uint16_t(settings.get(::epode::tlsPort))} {}

RemoteDns::RemoteDns(const Settings& settings)
    : servers{settings.get(resolvers)},
      trustAnchors{settings.get(::epode::trustAnchors)},
      patience{settings.get(dnsTimeout)} {}

std::string remoteAuthorities(const Settings& settings) { return settings.get(authorities); }

RemoteSettings::RemoteSettings(const Settings& settings, bool isOn)
    : isOn{isOn},
      dialback{settings.get(::epode::dialback) == "never"      ? Dialback::Never
               : settings.get(::epode::dialback) == "over-tls" ? Dialback::OverTls
                                                               : Dialback::Always},
      allowed{settings.get(::epode::allowed)},
      denied{settings.get(::epode::denied)},
      beforeAuthentication{xmlLimits(settings.get(handshakeBytesMax))},
      afterAuthentication{xmlLimits(settings.get(stanzaBytesMax))},
      connectTimeout{settings.get(::epode::connectTimeout)},
      negotiationTimeout{settings.get(::epode::negotiationTimeout)},
      idleTimeout{settings.get(::epode::idleTimeout)},
      answerTimeout{settings.get(::epode::answerTimeout)},
      resumeTimeout{settings.get(::epode::resumeTimeout)},
      retryMost{settings.get(::epode::retryMost)},
      queueTime{settings.get(::epode::queueTime)},
      queueBytesMax{settings.get(::epode::queueBytesMax)},
      queuesBytesMax{settings.get(::epode::queuesBytesMax)},
      domainsMax{std::size_t(settings.get(::epode::domainsMax))},
      pairsMax{std::size_t(settings.get(::epode::pairsMax))},
      unauthenticatedMax{settings.get(::epode::unauthenticatedMax)},
      connectionsMax{std::size_t(settings.get(::epode::connectionsMax))},
      resumableMax{std::size_t(settings.get(::epode::resumableMax))},
      resumablePerDomainMax{std::size_t(settings.get(::epode::resumablePerDomainMax))},
      isBidirectional{settings.get(bidirectional)},
      usesDane{settings.get(dane)},
      rate{.bytesPerSecond = double(settings.get(bytesPerSecond)),
           .bytesBurst = double(settings.get(bytesBurst)),
           .stanzasPerSecond = double(settings.get(stanzasPerSecond)),
           .stanzasBurst = double(settings.get(stanzasBurst))} {
    for (const auto& text : settings.get(domainRates))
        if (auto read = readDomainRate(text, rate)) domainRates_.push_back(std::move(*read));
    afterAuthentication.depthMax = std::size_t(settings.get(depthMax));
    afterAuthentication.nodesMax = std::size_t(settings.get(nodesMax));
}

const RemoteRate& RemoteSettings::rateOf(std::string_view domain) const {
    for (const auto& one : domainRates_)
        if (fits(one.domain, domain)) return one.rate;
    return rate;
}

bool RemoteSettings::allows(std::string_view domain) const {
    if (anyFits(denied, domain)) return false;
    return allowed.empty() || anyFits(allowed, domain);
}

}  // namespace epode
