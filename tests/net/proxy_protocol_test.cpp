#include "net/proxy_protocol.h"

#include "net/ip_network.h"
#include "tests/support/catch.h"

#include <string>
#include <vector>

using namespace epode;

namespace {

// "192.0.2.1 +30" with the bytes of the header, "-" for no address, "more", "bad".
std::string read(std::string_view bytes) {
    const ProxyHeader header = readProxyHeader(bytes);
    if (header.kind == ProxyHeader::Kind::NeedMore) return "more";
    if (header.kind == ProxyHeader::Kind::Bad) return "bad";
    return (header.client ? header.client->toText() : "-") + (header.isSecure ? " tls" : "") +
           " +" + std::to_string(header.bytes);
}

std::string binary(unsigned command, unsigned family, std::string_view rest) {
    std::string bytes{"\r\n\r\n\0\r\nQUIT\n", 12};
    bytes += char(command);
    bytes += char(family);
    bytes += char(rest.size() >> 8);
    bytes += char(rest.size() & 0xFF);
    return bytes.append(rest);
}

const std::string v4{"\xC0\x00\x02\x07\xC6\x33\x64\x01\x30\x39\x01\xBB", 12};

}  // namespace

TEST_CASE("a proxy says for whom it speaks, in text or in bytes") {
    const std::string line = "PROXY TCP4 192.0.2.7 198.51.100.1 12345 443\r\n";
    CHECK(read(line) == "192.0.2.7 +45");
    CHECK(read(line + "GET / HTTP/1.1\r\n") == "192.0.2.7 +45");
    CHECK(read("PROXY TCP6 2001:db8::7 2001:db8::1 1 2\r\n") == "2001:db8::7 +40");
    CHECK(read("PROXY UNKNOWN\r\n") == "- +15");
    CHECK(read("PROXY UNKNOWN whatever follows\r\n") == "- +32");
    CHECK(read(binary(0x21, 0x11, v4)) == "192.0.2.7 +28");
    CHECK(read(binary(0x20, 0x00, "")) == "- +16");
    const std::string tls{"\x20\x00\x05\x01\x00\x00\x00\x00", 8};
    CHECK(read(binary(0x21, 0x11, v4 + tls)) == "192.0.2.7 tls +36");
    const std::string noTls{"\x20\x00\x05\x00\x00\x00\x00\x00", 8};
    CHECK(read(binary(0x21, 0x11, v4 + noTls)) == "192.0.2.7 +36");
    for (std::size_t size = 0; size < line.size(); ++size)
        CHECK(read(line.substr(0, size)) == "more");
    const std::string bytes = binary(0x21, 0x11, v4);
    for (std::size_t size = 0; size < bytes.size(); ++size)
        CHECK(read(bytes.substr(0, size)) == "more");
}

TEST_CASE("what is no header of a proxy is refused") {
    const std::vector<std::string> rows{
        "GET / HTTP/1.1\r\n",
        "PROXX ",
        "PROXY TCP4 192.0.2.7 198.51.100.1 12345\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 12345 443 1\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 123456 443\r\n",
        "PROXY TCP4 192.0.2.777 198.51.100.1 1 2\r\n",
        "PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n",
        "PROXY TCP4  192.0.2.7 198.51.100.1 1 2\r\n",
        "PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n",
        "PROXY TCP4 name.example 198.51.100.1 1 2\r\n",
        "PROXY " + std::string(200, 'x'),
        binary(0x31, 0x11, v4),
        binary(0x22, 0x11, v4),
        binary(0x21, 0x12, v4),
        binary(0x21, 0x21, v4),
        binary(0x21, 0x11, v4.substr(0, 8)),
        binary(0x21, 0x11, v4 + std::string{"\x20\x00\x09\x01", 4}),
        binary(0x21, 0x11, v4 + "\x20"),
        binary(0x21, 0x11, v4 + std::string(2000, 'x')),
    };
    for (const auto& row : rows) {
        INFO(row);
        CHECK(read(row) == "bad");
    }
}

TEST_CASE("a network has the addresses that begin like it") {
    const auto has = [](std::string_view network, std::string_view address) {
        return IpNetwork::parse(network)->contains(*IpAddress::parse(address));
    };
    CHECK(has("192.0.2.1", "192.0.2.1"));
    CHECK(!has("192.0.2.1", "192.0.2.2"));
    CHECK(has("10.0.0.0/8", "10.255.1.2"));
    CHECK(!has("10.0.0.0/8", "11.0.0.1"));
    CHECK(has("192.0.2.128/25", "192.0.2.200"));
    CHECK(!has("192.0.2.128/25", "192.0.2.100"));
    CHECK(has("0.0.0.0/0", "203.0.113.9"));
    CHECK(!has("0.0.0.0/0", "2001:db8::1"));
    CHECK(has("2001:db8::/32", "2001:db8:1::1"));
    CHECK(!has("2001:db8::/32", "2001:db9::1"));
    for (const std::string_view wrong : {"", "x", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1",
                                         "10.0.0.1/8", "2001:db8::/129", "10.0.0.0/8/8", "/8"}) {
        INFO(std::string{wrong});
        CHECK(!IpNetwork::parse(wrong));
    }
}
