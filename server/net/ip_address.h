// An address and port of IPv4 or IPv6, small enough to be kept by every connection.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct sockaddr;
struct sockaddr_storage;

namespace epode {

class IpAddress {
public:
    IpAddress() = default;

    // "192.0.2.1", "2001:db8::1", also in brackets; no names. Nothing when it is something else.
    static std::optional<IpAddress> parse(std::string_view text, std::uint16_t port = 0);
    // IPv4 that comes mapped into IPv6 (::ffff:192.0.2.1) is taken as IPv4. Another family than
    // the two gives an address of zeros.
    static IpAddress from(const sockaddr* address);
    static IpAddress ofPeer(int socket);
    static IpAddress ofLocal(int socket);

    // Fills `storage` and returns how many of its bytes count.
    unsigned toSockaddr(sockaddr_storage& storage) const;

    bool isV4() const;
    bool isLoopback() const;
    std::uint16_t port() const { return port_; }
    std::string toText() const;  // without the port and without brackets

    // What counts as one stranger: an IPv4 address, or the /64 of an IPv6 address, because a single
    // host is usually given that many.
    std::array<std::uint8_t, 16> network() const;

    bool operator==(const IpAddress&) const = default;

private:
    std::array<std::uint8_t, 16> bytes_{};  // IPv4 as ::ffff:a.b.c.d
    std::uint16_t port_ = 0;
};

// The same for an address as text: bytes for comparing, or the text itself when it is no address.
std::string networkOf(const std::string& address);

}  // namespace epode
