#include "net/proxy_protocol.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <charconv>
#include <cstring>

namespace epode {

namespace {

using Kind = ProxyHeader::Kind;
constexpr std::string_view signature1 = "PROXY ";
constexpr std::string_view signature2{"\r\n\r\n\0\r\nQUIT\n", 12};
constexpr std::size_t lineMax = 107;
constexpr std::size_t binaryMax = 1024;

std::optional<std::uint16_t> readPort(std::string_view text) {
    std::uint16_t port = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), port);
    if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size())
        return std::nullopt;
    return port;
}

// The next word of a line with single spaces.
std::string_view takeWord(std::string_view& line) {
    const auto space = line.find(' ');
    const std::string_view word = line.substr(0, space);
    line = space == std::string_view::npos ? std::string_view{} : line.substr(space + 1);
    return word;
}

ProxyHeader readText(std::string_view input) {
    const auto end = input.substr(0, lineMax).find("\r\n");
    if (end == std::string_view::npos)
        return {.kind = input.size() >= lineMax ? Kind::Bad : Kind::NeedMore};
    std::string_view line = input.substr(signature1.size(), end - signature1.size());
    ProxyHeader header{.kind = Kind::Taken, .bytes = end + 2};
    const std::string_view family = takeWord(line);
    if (family == "UNKNOWN") return header;
    if (family != "TCP4" && family != "TCP6") return {};
    const auto source = takeWord(line);
    const auto target = takeWord(line);
    const auto sourcePort = readPort(takeWord(line));
    const auto targetPort = readPort(takeWord(line));
    if (!sourcePort || !targetPort || !line.empty()) return {};
    header.client = IpAddress::parse(source, *sourcePort);
    const auto here = IpAddress::parse(target, *targetPort);
    if (!header.client || !here) return {};
    if (family == "TCP4" && (!header.client->isV4() || !here->isV4())) return {};
    return header;
}

ProxyHeader readBinary(std::string_view input) {
    if (input.size() < 16) return {.kind = Kind::NeedMore};
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(input[at]); };
    if (byte(12) != 0x20 && byte(12) != 0x21) return {};
    const std::size_t length = byte(14) * 256u + byte(15);
    if (length > binaryMax) return {};
    if (input.size() < 16 + length) return {.kind = Kind::NeedMore};
    ProxyHeader header{.kind = Kind::Taken, .bytes = 16 + length};
    if (byte(12) == 0x20) return header;  // LOCAL: a look whether we are there
    std::size_t addressBytes = 0;
    sockaddr_storage storage{};
    if (byte(13) == 0x11) {
        addressBytes = 12;
        if (length < addressBytes) return {};
        auto& address = reinterpret_cast<sockaddr_in&>(storage);
        address.sin_family = AF_INET;
        std::memcpy(&address.sin_addr, input.data() + 16, 4);
        std::memcpy(&address.sin_port, input.data() + 24, 2);
    } else if (byte(13) == 0x21) {
        addressBytes = 36;
        if (length < addressBytes) return {};
        auto& address = reinterpret_cast<sockaddr_in6&>(storage);
        address.sin6_family = AF_INET6;
        std::memcpy(&address.sin6_addr, input.data() + 16, 16);
        std::memcpy(&address.sin6_port, input.data() + 48, 2);
    } else {
        return byte(13) == 0x00 ? header : ProxyHeader{};
    }
    header.client = IpAddress::from(reinterpret_cast<const sockaddr*>(&storage));
    // What else it tells: PP2_TYPE_SSL, whose first bit is PP2_CLIENT_SSL.
    for (std::size_t at = addressBytes; at < length;) {
        if (at + 3 > length) return {};
        const std::size_t size = byte(16 + at + 1) * 256u + byte(16 + at + 2);
        if (at + 3 + size > length) return {};
        if (byte(16 + at) == 0x20 && size >= 5) header.isSecure = byte(16 + at + 3) & 1;
        at += 3 + size;
    }
    return header;
}

}  // namespace

ProxyHeader readProxyHeader(std::string_view input) {
    for (const std::string_view signature : {signature1, signature2}) {
        const auto known = input.substr(0, signature.size());
        if (!signature.starts_with(known)) continue;
        if (known.size() < signature.size()) return {.kind = Kind::NeedMore};
        return signature == signature1 ? readText(input) : readBinary(input);
    }
    return {};
}

}  // namespace epode
