#include "stream/client_options.h"

namespace epode {

namespace {

const Option<Bytes> bytesBeforeLogin{
    .key = "client.stanza_bytes_max_before_login",
    .fallback = 16_KiB,
    .range = {10000_B, 1_MiB},
    .help = "The largest element that is taken from a client which hasn't logged in.",
};
const Option<Bytes> bytesAfterLogin{
    .key = "client.stanza_bytes_max",
    .fallback = 256_KiB,
    .range = {10000_B, 16_MiB},
    .help = "The largest stanza that is taken from a client.",
};
const Option<std::int64_t> depthMax{
    .key = "client.stanza_depth_max",
    .fallback = 64,
    .range = {16, 1000},
    .help = "How deep the elements of a stanza may be nested.",
};
const Option<std::int64_t> nodesMax{
    .key = "client.stanza_nodes_max",
    .fallback = 10000,
    .range = {100, 1000000},
    .help = "How many elements and texts a stanza may have.",
};
const Option<bool> tlsRequired{
    .key = "client.require_tls",
    .fallback = true,
    .help = "Whether clients must use TLS before they log in.",
};
const Option<bool> plainAllowed{
    .key = "client.allow_plain",
    .fallback = true,
    .help = "Whether the mechanism PLAIN is offered; never without TLS.",
};
const Option<Duration> loginTimeout{
    .key = "client.login_timeout",
    .fallback = std::chrono::seconds{60},
    .range = {std::chrono::seconds{5}, std::chrono::hours{1}},
    .help = "How long a client may take from its connection until it has logged in.",
};
const Option<std::int64_t> loginAttemptsMax{
    .key = "client.login_attempts_max",
    .fallback = 5,
    .range = {1, 100},
    .help = "After so many failed attempts the stream ends.",
};
const Option<std::int64_t> resourcesMax{
    .key = "client.resources_max",
    .fallback = 20,
    .range = {1, 1000},
    .help = "How many sessions an account may have at once.",
};
const Option<Duration> pingAfter{
    .key = "client.ping_after",
    .fallback = std::chrono::minutes{5},
    .range = {std::chrono::seconds{10}, std::chrono::hours{24}},
    .help = "A client that has been silent for so long is pinged.",
};
const Option<Duration> pingTimeout{
    .key = "client.ping_timeout",
    .fallback = std::chrono::minutes{1},
    .range = {std::chrono::seconds{5}, std::chrono::hours{1}},
    .help = "A client that doesn't answer a ping for so long has lost its connection.",
};
const Option<Bytes> bytesPerSecond{
    .key = "client.bytes_per_second",
    .fallback = 1_MiB,
    .range = {0_B, 1_GiB},
    .help = "How much a client may send on average; what comes faster is read more slowly. 0: no limit.",
};
const Option<Bytes> bytesBurst{
    .key = "client.bytes_burst",
    .fallback = 8_MiB,
    .range = {64_KiB, 1_GiB},
    .help = "How much a client may send at once before bytes_per_second holds.",
};

XmlLimits xmlLimits(const Settings& settings, std::string_view host, Bytes bytes) {
    XmlLimits limits;
    limits.elementBytesMax = bytes;
    limits.depthMax = std::size_t(settings.get(depthMax, host));
    limits.nodesMax = std::size_t(settings.get(nodesMax, host));
    limits.parserBytesMax = bytes * 4 + 1_MiB;
    return limits;
}

}  // namespace

std::vector<OptionRef> clientOptions() {
    return {&bytesBeforeLogin, &bytesAfterLogin,  &depthMax,       &nodesMax,     &tlsRequired,
            &plainAllowed,     &loginTimeout,     &loginAttemptsMax, &resourcesMax, &pingAfter,
            &pingTimeout,      &bytesPerSecond,   &bytesBurst};
}

ClientLimits::ClientLimits(const Settings& settings, std::string_view host)
    : beforeLogin{xmlLimits(settings, host, settings.get(bytesBeforeLogin, host))},
      afterLogin{xmlLimits(settings, host, settings.get(bytesAfterLogin, host))},
      tlsRequired{settings.get(::epode::tlsRequired, host)},
      plainAllowed{settings.get(::epode::plainAllowed, host)},
      loginTimeout{settings.get(::epode::loginTimeout, host)},
      loginAttemptsMax{settings.get(::epode::loginAttemptsMax, host)},
      resourcesMax{settings.get(::epode::resourcesMax, host)},
      pingAfter{settings.get(::epode::pingAfter, host)},
      pingTimeout{settings.get(::epode::pingTimeout, host)},
      bytesPerSecond{double(settings.get(::epode::bytesPerSecond, host))},
      bytesBurst{double(settings.get(::epode::bytesBurst, host))} {}

}  // namespace epode
