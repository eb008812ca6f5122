#include "net/ip_network.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <charconv>
#include <cstring>

namespace epode {

namespace {

// IPv4 as ::ffff:a.b.c.d, so that both kinds are compared alike.
std::array<std::uint8_t, 16> bytesOf(const IpAddress& address) {
    sockaddr_storage storage{};
    address.toSockaddr(storage);
    std::array<std::uint8_t, 16> bytes{};
    if (storage.ss_family == AF_INET) {
        bytes[10] = bytes[11] = 0xFF;
        std::memcpy(bytes.data() + 12, &reinterpret_cast<const sockaddr_in&>(storage).sin_addr, 4);
    } else {
        std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6&>(storage).sin6_addr, 16);
    }
    return bytes;
}

bool equalUpTo(unsigned bits, const std::array<std::uint8_t, 16>& a,
               const std::array<std::uint8_t, 16>& b) {
    const unsigned whole = bits / 8;
    if (std::memcmp(a.data(), b.data(), whole) != 0) return false;
    if (bits % 8 == 0) return true;
    const unsigned mask = 0xFFu << (8 - bits % 8);
    return (a[whole] & mask) == (b[whole] & mask);
}

}  // namespace

std::optional<IpNetwork> IpNetwork::parse(std::string_view text) {
    const auto slash = text.find('/');
    const auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) return std::nullopt;
    IpNetwork network;
    network.bytes_ = bytesOf(*address);
    if (slash == std::string_view::npos) return network;
    const std::string_view digits = text.substr(slash + 1);
    unsigned bits = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
    if (digits.empty() || parsed.ec != std::errc{} || parsed.ptr != digits.data() + digits.size() ||
        bits > (address->isV4() ? 32u : 128u))
        return std::nullopt;
    network.bits_ = address->isV4() ? bits + 96 : bits;
    for (unsigned bit = network.bits_; bit < 128; ++bit)
        if (network.bytes_[bit / 8] & (0x80u >> (bit % 8))) return std::nullopt;
    return network;
}

bool IpNetwork::contains(const IpAddress& address) const {
    return equalUpTo(bits_, bytes_, bytesOf(address));
}

}  // namespace epode
