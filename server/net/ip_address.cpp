#include "net/ip_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstring>

namespace epode {

namespace {

constexpr std::array<std::uint8_t, 12> mappedPrefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

template <typename Ask>
IpAddress ask(int socket, Ask getName) {
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    if (getName(socket, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return {};
    return IpAddress::from(reinterpret_cast<const sockaddr*>(&storage));
}

}  // namespace

std::optional<IpAddress> IpAddress::parse(std::string_view text, std::uint16_t port) {
    if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
        text = text.substr(1, text.size() - 2);
    }
    const std::string terminated{text};
    if (terminated.size() != std::strlen(terminated.c_str())) return std::nullopt;
    IpAddress address;
    address.port_ = port;
    if (inet_pton(AF_INET, terminated.c_str(), address.bytes_.data() + mappedPrefix.size()) == 1) {
        std::copy(mappedPrefix.begin(), mappedPrefix.end(), address.bytes_.begin());
        return address;
    }
    if (inet_pton(AF_INET6, terminated.c_str(), address.bytes_.data()) == 1) return address;
    return std::nullopt;
}

IpAddress IpAddress::from(const sockaddr* address) {
    IpAddress result;
    if (address->sa_family == AF_INET) {
        sockaddr_in v4;
        std::memcpy(&v4, address, sizeof v4);
        std::copy(mappedPrefix.begin(), mappedPrefix.end(), result.bytes_.begin());
        std::memcpy(result.bytes_.data() + mappedPrefix.size(), &v4.sin_addr, 4);
        result.port_ = ntohs(v4.sin_port);
    } else if (address->sa_family == AF_INET6) {
        sockaddr_in6 v6;
        std::memcpy(&v6, address, sizeof v6);
        std::memcpy(result.bytes_.data(), &v6.sin6_addr, 16);
        result.port_ = ntohs(v6.sin6_port);
    }
    return result;
}

IpAddress IpAddress::ofPeer(int socket) { return ask(socket, ::getpeername); }
IpAddress IpAddress::ofLocal(int socket) { return ask(socket, ::getsockname); }

unsigned IpAddress::toSockaddr(sockaddr_storage& storage) const {
    std::memset(&storage, 0, sizeof storage);
    if (isV4()) {
        sockaddr_in v4{};
        v4.sin_family = AF_INET;
        v4.sin_port = htons(port_);
        std::memcpy(&v4.sin_addr, bytes_.data() + mappedPrefix.size(), 4);
        std::memcpy(&storage, &v4, sizeof v4);
        return sizeof v4;
    }
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port_);
    std::memcpy(&v6.sin6_addr, bytes_.data(), 16);
    std::memcpy(&storage, &v6, sizeof v6);
    return sizeof v6;
}

bool IpAddress::isV4() const {
    return std::equal(mappedPrefix.begin(), mappedPrefix.end(), bytes_.begin());
}

bool IpAddress::isLoopback() const {
    if (isV4()) return bytes_[12] == 127;
    return std::all_of(bytes_.begin(), bytes_.end() - 1, [](auto byte) { return byte == 0; }) &&
           bytes_[15] == 1;
}

std::string IpAddress::toText() const {
    char text[INET6_ADDRSTRLEN];
    if (isV4()) {
        inet_ntop(AF_INET, bytes_.data() + mappedPrefix.size(), text, sizeof text);
    } else {
        inet_ntop(AF_INET6, bytes_.data(), text, sizeof text);
    }
    return text;
}

std::array<std::uint8_t, 16> IpAddress::network() const {
    auto network = bytes_;
    if (!isV4()) std::fill(network.begin() + 8, network.end(), 0);
    return network;
}

std::string networkOf(const std::string& address) {
    const auto parsed = IpAddress::parse(address);
    if (!parsed) return address;
    const auto network = parsed->network();
    return {network.begin(), network.end()};
}

}  // namespace epode
