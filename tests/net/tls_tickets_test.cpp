#include "net/tls_tickets.h"

#include "tests/support/catch.h"

#include <chrono>

using namespace epode;
using namespace std::chrono_literals;

namespace {

SteadyTime now{};

std::string_view nameOf(const TicketKeys::Key& key) {
    return {reinterpret_cast<const char*>(key.name.data()), key.name.size()};
}

}  // namespace

TEST_CASE(
    "tickets are made with a new key each time that one has served as long as a ticket lasts") {
    now = SteadyTime{} + 100h;
    TicketKeys keys{[] { return now; }};
    const auto first = keys.current();
    now += TicketKeys::lifetime - 1s;
    CHECK(nameOf(keys.current()) == nameOf(first));
    now += 1s;
    const auto second = keys.current();
    CHECK(nameOf(second) != nameOf(first));
    CHECK(second.cipher != first.cipher);
    CHECK(second.mac != first.mac);
}

TEST_CASE("a ticket of the last key is still opened, and one of an older is not") {
    now = SteadyTime{} + 100h;
    TicketKeys keys{[] { return now; }};
    const auto first = keys.current();
    REQUIRE(keys.find(nameOf(first)));
    CHECK(keys.find(nameOf(first))->isCurrent);
    CHECK(keys.find(nameOf(first))->key.mac == first.mac);
    now += TicketKeys::lifetime;
    const auto last = keys.find(nameOf(first));
    REQUIRE(last);
    CHECK_FALSE(last->isCurrent);
    CHECK(last->key.cipher == first.cipher);
    now += TicketKeys::lifetime;
    CHECK_FALSE(keys.find(nameOf(first)));
}

TEST_CASE("a key that nobody has asked for in a long time opens nothing") {
    now = SteadyTime{} + 100h;
    TicketKeys keys{[] { return now; }};
    const auto first = keys.current();
    now += 2 * TicketKeys::lifetime;
    CHECK_FALSE(keys.find(nameOf(first)));
}

TEST_CASE("the name of another server's key is unknown") {
    TicketKeys ours;
    TicketKeys theirs;
    const auto key = theirs.current();
    CHECK_FALSE(ours.find(nameOf(key)));
    CHECK_FALSE(ours.find(""));
    CHECK_FALSE(ours.find("short"));
}
