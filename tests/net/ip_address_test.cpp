#include "net/ip_address.h"

#include "net/address_limit.h"
#include "tests/support/catch.h"

#include <sys/socket.h>

using namespace epode;

TEST_CASE("addresses are read and written") {
    struct Row {
        std::string text;
        std::string expected;
        bool isV4;
        bool isLoopback;
    };
    const auto row = GENERATE(values<Row>({
        {"192.0.2.1", "192.0.2.1", true, false},
        {"127.0.0.1", "127.0.0.1", true, true},
        {"127.9.9.9", "127.9.9.9", true, true},
        {"0.0.0.0", "0.0.0.0", true, false},
        {"::1", "::1", false, true},
        {"::", "::", false, false},
        {"[2001:DB8::1]", "2001:db8::1", false, false},
        {"::ffff:192.0.2.1", "192.0.2.1", true, false},
    }));
    CAPTURE(row.text);
    const auto address = IpAddress::parse(row.text, 5222);
    REQUIRE(address);
    CHECK(address->toText() == row.expected);
    CHECK(address->isV4() == row.isV4);
    CHECK(address->isLoopback() == row.isLoopback);
    CHECK(address->port() == 5222);

    sockaddr_storage storage;
    address->toSockaddr(storage);
    CHECK(IpAddress::from(reinterpret_cast<const sockaddr*>(&storage)) == *address);
}

TEST_CASE("what is no address is refused") {
    const auto text = GENERATE(values<std::string>(
        {"", "localhost", "192.0.2", "192.0.2.1.1", "192.0.2.256", "192.0.2.1 ", "[192.0.2.1",
         "2001:db8", "2001:db8::1::2", "fe80::1%eth0", std::string("192.0.2.1\0x", 11), "[]"}));
    CAPTURE(text);
    CHECK_FALSE(IpAddress::parse(text));
}

TEST_CASE("an address may have so many places, and gives them back") {
    const auto limit = AddressLimit::make(2);
    const auto address = *IpAddress::parse("192.0.2.1");
    auto first = limit->take(address);
    auto second = limit->take(address);
    REQUIRE(first);
    REQUIRE(second);
    CHECK_FALSE(limit->take(address));
    CHECK(limit->take(*IpAddress::parse("192.0.2.2")));

    first.reset();
    CHECK(limit->take(address));

    SECTION("a place that is moved counts once") {
        auto moved = std::move(*second);
        second.reset();
        auto third = limit->take(address);
        CHECK(third);
        CHECK_FALSE(limit->take(address));
    }
    SECTION("a changed limit holds for the next") {
        limit->setMost(1);
        CHECK_FALSE(limit->take(address));
        second.reset();
        CHECK(limit->take(address));
    }
}

TEST_CASE("the addresses of one IPv6 network share their places") {
    const auto limit = AddressLimit::make(1);
    const auto place = limit->take(*IpAddress::parse("2001:db8:0:1::1"));
    CHECK(place);
    CHECK_FALSE(limit->take(*IpAddress::parse("2001:db8:0:1:ffff::2")));
    CHECK(limit->take(*IpAddress::parse("2001:db8:0:2::1")));
}

TEST_CASE("the machine itself is counted only when that is wanted") {
    const auto loopback = *IpAddress::parse("127.0.0.1");
    const auto free = AddressLimit::make(1);
    const auto one = free->take(loopback);
    CHECK(free->take(loopback));
    const auto counted = AddressLimit::make(1, AddressLimit::Loopback::Counted);
    const auto other = counted->take(loopback);
    CHECK_FALSE(counted->take(loopback));
}
