// An address or a block of addresses: "192.0.2.1", "10.0.0.0/8", "2001:db8::/32".
#pragma once

#include "net/ip_address.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

class IpNetwork {
public:
    // Nothing when it is something else, or when bits behind the prefix are set.
    static std::optional<IpNetwork> parse(std::string_view text);
    bool contains(const IpAddress& address) const;

private:
    std::array<std::uint8_t, 16> bytes_{};
    unsigned bits_ = 128;
};

inline bool anyContains(const std::vector<IpNetwork>& networks, const IpAddress& address) {
    return std::any_of(networks.begin(), networks.end(),
                       [&](const IpNetwork& network) { return network.contains(address); });
}

}  // namespace epode
