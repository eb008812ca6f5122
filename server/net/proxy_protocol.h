// The header that a proxy sends before anything else, to say for whom it speaks: PROXY protocol,
// versions 1 (text) and 2 (binary).
#pragma once

#include "net/ip_address.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace epode {

struct ProxyHeader {
    enum class Kind : std::uint8_t { NeedMore, Bad, Taken };
    Kind kind = Kind::Bad;
    std::size_t bytes = 0;  // of the header, when it is taken
    // The client; nothing when the proxy speaks for itself (LOCAL, UNKNOWN).
    std::optional<IpAddress> client;
    bool isSecure = false;  // the client has come over TLS (version 2 says so)
};

// Of the bytes that have come so far.
ProxyHeader readProxyHeader(std::string_view input);

}  // namespace epode
