// Records of the DNS as they are on the wire, and the order of services.
#include "net/dns.h"

#include "core/ascii_domain.h"
#include "tests/support/catch.h"

#include <map>

using namespace epode;

TEST_CASE("a service record is read as it is written") {
    const SrvRecord record{
        .priority = 10, .weight = 5, .port = 5269, .target = "xmpp.capulet.example"};
    CHECK(readSrv(writeSrv(record)) == record);
    const SrvRecord none{.priority = 0, .weight = 0, .port = 0, .target = ""};
    CHECK(readSrv(writeSrv(none)) == none);
    CHECK(readSrv(std::string("\0\1\0\2\x14\x95\3FOO\0", 11))->target == "foo");
}

TEST_CASE("service records that are none are not read") {
    const std::string good =
        writeSrv({.priority = 1, .weight = 1, .port = 1, .target = "a.example"});
    for (std::size_t size = 0; size < good.size(); ++size) {
        INFO(size);
        CHECK_FALSE(readSrv(good.substr(0, size)));
    }
    CHECK_FALSE(readSrv(good + "x"));
    CHECK_FALSE(readSrv(std::string("\0\1\0\1\0\1\3a<b\0", 11)));  // no name of a host
    CHECK_FALSE(readSrv(std::string("\0\1\0\1\0\1\xc0\x0c", 8)));  // a pointer
    std::string endless(6, '\1');
    for (int i = 0; i < 100; ++i) endless += "\3abc";
    endless += '\0';
    CHECK_FALSE(readSrv(endless));
}

TEST_CASE("addresses have the size of their kind") {
    const auto v4 = *IpAddress::parse("192.0.2.1", 5269);
    const auto v6 = *IpAddress::parse("2001:db8::1", 5269);
    CHECK(readAddress(DnsType::A, writeAddress(v4), 5269) == v4);
    CHECK(readAddress(DnsType::Aaaa, writeAddress(v6), 5269) == v6);
    CHECK_FALSE(readAddress(DnsType::A, writeAddress(v6), 5269));
    CHECK_FALSE(readAddress(DnsType::Aaaa, writeAddress(v4), 5269));
    CHECK_FALSE(readAddress(DnsType::A, "", 5269));
}

TEST_CASE("services come by priority, and by chance according to their weight") {
    std::uint64_t state = 1;
    const auto random = [&state](std::uint64_t bound) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        return (state >> 33) % bound;
    };
    std::map<std::string, int> first;
    for (int i = 0; i < 2000; ++i) {
        std::vector<SrvRecord> records{{20, 100, 1, "backup"},
                                       {10, 30, 1, "often"},
                                       {10, 10, 1, "seldom"},
                                       {10, 0, 1, "never"}};
        orderServices(records, random);
        REQUIRE(records.back().target == "backup");
        ++first[records.front().target];
    }
    CHECK(first["often"] > 1300);
    CHECK(first["often"] < 1650);
    CHECK(first["seldom"] > 350);
    CHECK(first["never"] < 150);
    CHECK(first["backup"] == 0);
    std::vector<SrvRecord> nothing;
    orderServices(nothing, random);
    CHECK(nothing.empty());
}

TEST_CASE("domains have an ASCII form, or none") {
    CHECK(asciiDomain("capulet.example") == "capulet.example");
    CHECK(asciiDomain("bücher.example") == "xn--bcher-kva.example");
    CHECK_FALSE(asciiDomain(""));
    CHECK_FALSE(asciiDomain(std::string(300, 'a')));
    CHECK_FALSE(asciiDomain("ü" + std::string(80, 'a') + ".example"));
}
