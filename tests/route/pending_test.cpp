// Which messages of a log wait, by the bookkeeping alone.
#include "route/pending.h"

#include "tests/support/catch.h"

using namespace epode;

namespace {

using Stamp = std::optional<std::int64_t>;

}  // namespace

TEST_CASE("the position follows what clients have acknowledged, in the order of the log") {
    Pending pending{100, 100, false};
    CHECK(pending.position() == 100);
    for (const auto stamp : {101, 102, 103}) pending.stored(stamp, 1);
    CHECK(pending.position() == 100);
    pending.acknowledged(102);
    CHECK(pending.position() == 100);
    CHECK(pending.isDelivered(102));
    pending.acknowledged(101);
    CHECK(pending.position() == 102);
    pending.acknowledged(103);
    CHECK(pending.position() == 103);
    CHECK(pending.deliveredBeyond().empty());
    CHECK(pending.waitingFrom() == Stamp{});
}

TEST_CASE("what nobody was there for waits") {
    Pending pending{100, 100, false};
    pending.stored(101, 0);
    pending.stored(102, 1);
    pending.done(103);
    pending.acknowledged(102);
    CHECK(pending.waitingFrom() == Stamp{101});
    CHECK(pending.position() == 100);
    CHECK(pending.isDelivered(102));
    CHECK(!pending.isDelivered(101));
}

TEST_CASE("one client's acknowledgement is enough, and waiting begins when the last has left") {
    Pending pending{100, 100, false};
    pending.stored(101, 2);
    pending.stored(102, 2);
    CHECK(!pending.returned(101));
    pending.acknowledged(101);
    CHECK(!pending.returned(101));
    CHECK(!pending.returned(102));
    CHECK(pending.returned(102));
    CHECK(!pending.returned(102));
    CHECK(pending.waitingFrom() == Stamp{102});
    CHECK(pending.position() == 101);
}

TEST_CASE("reading gives out what waited, and keeps what begins to wait meanwhile") {
    Pending pending{100, 110, true};
    pending.stored(111, 1);
    CHECK(pending.startReading() == 101);
    CHECK(pending.waitingFrom() == Stamp{101});
    pending.readUntil(105, true);
    CHECK(pending.waitingFrom() == Stamp{106});
    CHECK(pending.returned(111));
    pending.readUntil(110, false);
    CHECK(pending.waitingFrom() == Stamp{111});
    pending.stopReading();
    CHECK(pending.waitingFrom() == Stamp{111});
    CHECK(pending.position() == 110);
}

TEST_CASE("reading that is given up leaves the rest waiting") {
    Pending pending{100, 110, true};
    pending.startReading();
    pending.readUntil(105, true);
    pending.stopReading();
    CHECK(pending.waitingFrom() == Stamp{106});
    CHECK(pending.startReading() == 106);
}

TEST_CASE("what is acknowledged while it is read is not given out again") {
    Pending pending{100, 103, true};
    for (const auto stamp : {101, 102}) pending.stored(stamp, 1);  // restored with a session
    pending.startReading();
    pending.acknowledged(101);
    pending.acknowledged(102);
    CHECK(pending.isDelivered(101));
    CHECK(pending.isDelivered(102));
    CHECK(!pending.isDelivered(103));
    pending.readUntil(103, false);
    pending.stopReading();
    CHECK(pending.position() == 103);
    CHECK(pending.deliveredBeyond().empty());
}

TEST_CASE("a client that reads a part of the archive has that part, and no more") {
    Pending pending{100, 110, true};
    pending.fetched(105);
    CHECK(pending.waitingFrom() == Stamp{106});
    CHECK(pending.position() == 105);
    CHECK(pending.isDelivered(105));
    CHECK(!pending.isDelivered(106));
    pending.fetched(110);
    CHECK(pending.waitingFrom() == Stamp{});
    CHECK(pending.position() == 110);

    Pending reading{100, 110, true};
    reading.startReading();
    reading.fetched(105);
    CHECK(reading.waitingFrom() == Stamp{106});
    reading.stopReading();
    CHECK(reading.waitingFrom() == Stamp{106});
}

TEST_CASE("the position never goes back") {
    Pending pending{100, 100, false};
    pending.done(105);
    CHECK(pending.position() == 105);
    pending.stored(103, 0);
    CHECK(pending.position() == 105);
}
