// How fast a stream may send.
#include "stream/byte_allowance.h"

#include "tests/support/catch.h"

using namespace epode;
using namespace std::chrono_literals;

TEST_CASE("so much may come at once, and then so much each second") {
    const SteadyTime start{};
    ByteAllowance allowance{1000, start};
    CHECK(allowance.take(1000, 100, 1000, start) == 0s);
    CHECK(allowance.take(50, 100, 1000, start) == 500ms);
    // What came too fast is owed.
    CHECK(allowance.take(0, 100, 1000, start + 250ms) == 250ms);
    CHECK(allowance.take(0, 100, 1000, start + 500ms) == 0s);
    // A long silence saves up no more than may come at once.
    CHECK(allowance.take(1000, 100, 1000, start + 1h) == 0s);
    CHECK(allowance.take(100, 100, 1000, start + 1h) == 1s);
}

TEST_CASE("without a limit everything may come") {
    ByteAllowance allowance{0, {}};
    CHECK(allowance.take(1u << 30, 0, 0, {}) == 0s);
}
