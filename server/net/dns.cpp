#include "net/dns.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>

namespace epode {

namespace {

constexpr std::size_t nameBytesMax = 253;

std::uint16_t number(std::string_view data, std::size_t at) {
    return std::uint16_t(static_cast<unsigned char>(data[at]) << 8 |
                         static_cast<unsigned char>(data[at + 1]));
}

bool isHostCharacter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

// A name without compression, as a resolver hands it out. What comes from strangers is logged and
// shown: only characters of host names are taken.
std::optional<std::string> readName(std::string_view data) {
    std::string name;
    while (!data.empty()) {
        const auto size = static_cast<unsigned char>(data[0]);
        data.remove_prefix(1);
        if (size == 0) {
            if (!data.empty()) return std::nullopt;
            return name;
        }
        if (size > 63 || size > data.size()) return std::nullopt;
        if (!name.empty()) name += '.';
        for (char c : data.substr(0, size)) {
            if (c >= 'A' && c <= 'Z') c = char(c - 'A' + 'a');
            if (!isHostCharacter(c)) return std::nullopt;
            name += c;
        }
        if (name.size() > nameBytesMax) return std::nullopt;
        data.remove_prefix(size);
    }
    return std::nullopt;
}

}  // namespace

std::string_view toText(DnsType type) {
    switch (type) {
        case DnsType::A:
            return "A";
        case DnsType::Aaaa:
            return "AAAA";
        case DnsType::Srv:
            return "SRV";
        case DnsType::Tlsa:
            break;
    }
    return "TLSA";
}

std::optional<SrvRecord> readSrv(std::string_view data) {
    if (data.size() < 7) return std::nullopt;
    auto target = readName(data.substr(6));
    if (!target) return std::nullopt;
    return SrvRecord{.priority = number(data, 0),
                     .weight = number(data, 2),
                     .port = number(data, 4),
                     .target = std::move(*target)};
}

std::optional<IpAddress> readAddress(DnsType type, std::string_view data, std::uint16_t port) {
    if (type == DnsType::A && data.size() == 4) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(port);
        std::memcpy(&address.sin_addr, data.data(), 4);
        return IpAddress::from(reinterpret_cast<const sockaddr*>(&address));
    }
    if (type == DnsType::Aaaa && data.size() == 16) {
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(port);
        std::memcpy(&address.sin6_addr, data.data(), 16);
        return IpAddress::from(reinterpret_cast<const sockaddr*>(&address));
    }
    return std::nullopt;
}

std::string writeSrv(const SrvRecord& record) {
    std::string data;
    for (const auto field : {record.priority, record.weight, record.port}) {
        data += char(field >> 8);
        data += char(field & 0xff);
    }
    for (std::string_view rest = record.target; !rest.empty();) {
        const auto label = rest.substr(0, rest.find('.'));
        data += char(label.size());
        data += label;
        rest.remove_prefix(std::min(rest.size(), label.size() + 1));
    }
    data += '\0';
    return data;
}

std::string writeAddress(const IpAddress& address) {
    sockaddr_storage storage;
    address.toSockaddr(storage);
    if (address.isV4()) {
        const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
        return {reinterpret_cast<const char*>(&v4.sin_addr), 4};
    }
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    return {reinterpret_cast<const char*>(&v6.sin6_addr), 16};
}

}  // namespace epode
