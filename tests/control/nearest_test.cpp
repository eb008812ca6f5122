#include "control/nearest.h"

#include "tests/support/catch.h"

using namespace epode;

TEST_CASE("a distance counts slips of the hand") {
    CHECK(editDistance("", "") == 0);
    CHECK(editDistance("level", "level") == 0);
    CHECK(editDistance("LEVEL", "level") == 0);
    CHECK(editDistance("levl", "level") == 1);
    CHECK(editDistance("leevl", "level") == 1);  // neighbours swapped
    CHECK(editDistance("level", "") == 5);
    CHECK(editDistance("kitten", "sitting") == 3);
}

TEST_CASE("the nearest name is told only when it is near") {
    const std::vector<std::string> names{"log.level", "log.format", "data", "shards", "ab"};
    CHECK(nearestName("log.levl", names) == "log.level");
    CHECK(nearestName("dta", names) == "data");
    CHECK(nearestName("log_format", names) == "log.format");
    CHECK(nearestName("xb", names) == "ab");
    CHECK_FALSE(nearestName("xy", names));
    CHECK_FALSE(nearestName("zebra", names));
    CHECK_FALSE(nearestName("", names));
    CHECK_FALSE(nearestName("data", {}));
    CHECK_FALSE(nearestName(std::string(100'000, 'x'), names));
    CHECK(didYouMean("shard", names) == " Did you mean shards?");
    CHECK(didYouMean("zebra", names).empty());
}
