// What no client has yet: pure bookkeeping.
#include "route/pending.h"

#include "tests/support/catch.h"

using epode::Pending;

namespace {

using Stamp = std::optional<std::int64_t>;

// Reads all that waits, as a log that holds `stamps` gives it; returns what is to be given out.
std::vector<std::int64_t> readAll(Pending& pending, std::vector<std::int64_t> stamps) {
    std::vector<std::int64_t> given;
    pending.beginReading();
    const auto first = pending.firstWaiting();
    if (!first) return given;
    for (const auto stamp : stamps) {
        if (stamp < *first || !pending.isWaiting(stamp)) continue;
        pending.take(stamp);
        given.push_back(stamp);
    }
    pending.passed(*first, stamps.empty() ? *first : stamps.back());
    return given;
}

using Given = std::vector<std::int64_t>;

}  // namespace

TEST_CASE("an account without messages has nothing waiting") {
    Pending pending{{}};
    CHECK(pending.firstWaiting() == Stamp{});
    CHECK(pending.waiting() == 0);
    CHECK(pending.position() == 0);
}

TEST_CASE("the position follows what clients acknowledge, in whatever order they do") {
    Pending pending{{.position = 10}};
    pending.gave(11, 1, true);
    pending.gave(12, 1, true);
    pending.gave(13, 1, true);
    CHECK(pending.position() == 10);
    pending.acknowledged(12);
    CHECK(pending.position() == 10);
    pending.acknowledged(11);
    CHECK(pending.position() == 12);
    pending.acknowledged(13);
    CHECK(pending.position() == 13);
    pending.acknowledged(13);
    pending.acknowledged(99);
    CHECK(pending.position() == 13);
}

TEST_CASE("what needs no delivery moves the position, but not past what does") {
    Pending pending{{}};
    pending.skip(5);
    CHECK(pending.position() == 5);
    pending.keep(6, true);
    pending.skip(7);
    CHECK(pending.position() == 5);
}

TEST_CASE("one acknowledgement of several clients is enough") {
    Pending pending{{}};
    pending.gave(1, 2, true);
    pending.acknowledged(1);
    CHECK_FALSE(pending.returned(1));
    CHECK(pending.firstWaiting() == Stamp{});
}

TEST_CASE("a message waits when the last client has ended without it") {
    Pending pending{{}};
    pending.gave(1, 2, true);
    CHECK_FALSE(pending.returned(1));
    CHECK(pending.firstWaiting() == Stamp{});
    CHECK(pending.returned(1));
    CHECK(pending.firstWaiting() == Stamp{1});
    CHECK(pending.position() == 0);
}

TEST_CASE("a returned message alone is given out again, not the acknowledged ones behind it") {
    Pending pending{{}};
    pending.gave(1, 1, true);
    pending.gave(2, 1, true);
    pending.gave(3, 1, true);
    pending.acknowledged(2);
    pending.returned(1);
    CHECK(readAll(pending, {1, 2, 3}) == Given{1});
    CHECK(pending.firstWaiting() == Stamp{});
}

TEST_CASE("a message that is returned while others are read waits for the next reading") {
    Pending pending{{}};
    pending.gave(1, 1, true);
    pending.keep(2, true);
    pending.beginReading();
    const auto first = *pending.firstWaiting();
    pending.returned(1);
    pending.keep(3, true);
    REQUIRE(pending.isWaiting(2));
    pending.take(2);
    pending.passed(first, 3);
    CHECK(pending.firstWaiting() == Stamp{1});
    CHECK(readAll(pending, {1, 2, 3}) == Given{1, 3});
}

TEST_CASE("what the log does not have does not wait for ever") {
    Pending pending{{}};
    pending.keep(1, true);
    pending.keep(2, true);
    CHECK(readAll(pending, {2}) == Given{2});
    pending.keep(3, true);
    pending.forget(3);
    CHECK(pending.firstWaiting() == Stamp{});
}

TEST_CASE("what waited before the account was loaded is given out, but for what a session has") {
    Pending pending{{.position = 10, .first = 11, .last = 14, .count = 3}};
    CHECK(pending.waiting() == 3);
    pending.gave(12, 1, true);  // by a restored session
    CHECK(pending.firstWaiting() == Stamp{11});
    CHECK(pending.position() == 10);
    CHECK(readAll(pending, {11, 12, 14}) == Given{11, 14});
    CHECK(pending.waiting() == 0);
    CHECK(pending.position() == 11);
    pending.acknowledged(12);
    CHECK(pending.position() == 14);
}

TEST_CASE("what a restored session had, and its client has acknowledged, is not found waiting") {
    Pending pending{{.position = 10, .first = 11, .last = 14, .count = 4}};
    for (const std::int64_t stamp : {11, 12, 13}) pending.gave(stamp, 1, false);
    SECTION("in order") {
        pending.acknowledged(11);
        pending.acknowledged(12);
        CHECK(readAll(pending, {11, 12, 13, 14}) == Given{14});
    }
    SECTION("before the restart") {
        pending.noteDelivered(11);
        pending.noteDelivered(12);
        pending.acknowledged(11);
        pending.acknowledged(12);
        CHECK(readAll(pending, {11, 12, 13, 14}) == Given{14});
    }
    SECTION("out of order") {
        pending.acknowledged(12);
        pending.acknowledged(11);
        CHECK(readAll(pending, {11, 12, 13, 14}) == Given{14});
    }
    CHECK(pending.position() == 12);
    pending.acknowledged(13);
    CHECK(pending.position() == 14);
}

TEST_CASE("what was delivered behind the position before a restart is not found waiting") {
    Pending pending{{.position = 10, .first = 11, .last = 14, .count = 4}};
    pending.noteDelivered(11);
    pending.noteDelivered(13);
    CHECK(readAll(pending, {11, 12, 13, 14}) == Given{12, 14});
}

TEST_CASE("a span is read page by page") {
    Pending pending{{.position = 0, .first = 1, .last = 9, .count = 9}};
    pending.beginReading();
    pending.passed(1, 4);
    CHECK(pending.firstWaiting() == Stamp{5});
    CHECK_FALSE(pending.isWaiting(4));
    CHECK(pending.isWaiting(5));
    pending.passed(5, 9);
    CHECK(pending.firstWaiting() == Stamp{});
}

TEST_CASE("what a client reads in the archive waits no longer") {
    SECTION("a page that begins before it") {
        Pending pending{{.position = 10, .first = 11, .last = 20, .count = 5}};
        pending.fetched(3, 15);
        CHECK(pending.firstWaiting() == Stamp{16});
        pending.fetched(16, 99);
        CHECK(pending.firstWaiting() == Stamp{});
        CHECK(pending.waiting() == 0);
    }
    SECTION("the last page") {
        Pending pending{{.position = 10, .first = 11, .last = 20, .count = 5}};
        pending.fetched(18, 99);
        CHECK(pending.isWaiting(17));
        CHECK_FALSE(pending.isWaiting(18));
        pending.fetched(1, 17);
        CHECK(pending.firstWaiting() == Stamp{});
    }
    SECTION("a page with a gap before it leaves the gap") {
        Pending pending{{}};
        pending.keep(1, true);
        pending.keep(2, true);
        pending.gave(3, 1, true);
        pending.fetched(2, 3);
        CHECK(pending.firstWaiting() == Stamp{1});
        CHECK_FALSE(pending.isWaiting(2));
        CHECK_FALSE(pending.returned(3));
    }
    SECTION("a page that was read before anything waited") {
        Pending pending{{.position = 10, .first = 11, .last = 20, .count = 5}};
        pending.fetched(1, 5);
        CHECK(pending.firstWaiting() == Stamp{11});
    }
}

TEST_CASE("what is not in the archive waits, however much of that is read") {
    Pending pending{{.position = 10, .first = 11, .last = 20, .count = 5, .isAllArchived = false}};
    pending.keep(21, false);
    pending.keep(22, true);
    pending.gave(23, 1, false);
    pending.fetched(1, 99);
    CHECK(pending.isWaiting(11));
    CHECK(pending.isWaiting(21));
    CHECK_FALSE(pending.isWaiting(22));
    CHECK(pending.returned(23));
}

TEST_CASE("the position never goes back") {
    Pending pending{{.position = 10}};
    pending.skip(20);
    REQUIRE(pending.position() == 20);
    pending.keep(15, true);
    CHECK(pending.position() == 20);
}
