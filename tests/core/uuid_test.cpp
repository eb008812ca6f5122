#include "tests/support/catch.h"

#include "core/uuid.h"

#include <string>
#include <unordered_set>

using namespace epode;

TEST_CASE("a UUID of version 7 has its stamp in front, and version and variant in place") {
    // The example of RFC 9562, A.6: 2022-02-22T19:22:22.000Z.
    const auto example = Uuid::parse("017F22E2-79B0-7CC3-98C4-DC0C0C07398F");
    REQUIRE(example);
    CHECK(example->stamp() == fromMilliseconds(1645557742000));
    CHECK(example->text() == "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    CHECK(Uuid::fromBytes(example->bytes()) == example);

    const auto made = Uuid::at(fromMilliseconds(1645557742000));
    CHECK(made.text().substr(0, 15) == "017f22e2-79b0-7");
    CHECK(std::string{"89ab"}.find(made.text()[19]) != std::string::npos);
    CHECK(Uuid::parse(made.text()) == made);
    CHECK_FALSE(made.empty());
    CHECK(Uuid{}.empty());
}

TEST_CASE("what is no UUID of version 7 is refused") {
    const auto row = GENERATE(values<std::string>({
        "",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398ff",
        "017f22e279b07cc398c4dc0c0c07398f",
        "{017f22e2-79b0-7cc3-98c4-dc0c0c07398}",
        "017f22e2-79b0-7cc3-98c4-dc0c0c07398g",
        "017f22e2_79b0-7cc3-98c4-dc0c0c07398f",
        "017f22e-279b0-7cc3-98c4-dc0c0c07398f",
        "017f22e2-79b0-4cc3-98c4-dc0c0c07398f",  // version 4
        "017f22e2-79b0-7cc3-c8c4-dc0c0c07398f",  // another variant
        "017f22e2-79b0-7cc3-08c4-dc0c0c07398f",
        "00000000-0000-0000-0000-000000000000",
        " 017f22e2-79b0-7cc3-98c4-dc0c0c0739f",
    }));
    CAPTURE(row);
    CHECK_FALSE(Uuid::parse(row));
    CHECK_FALSE(Uuid::fromBytes(row.substr(0, 16)));
}

TEST_CASE("the order of UUIDs is the order of their stamps, as value and as text") {
    const auto earlier = Uuid::at(fromMilliseconds(1'700'000'000'127));
    const auto later = Uuid::at(fromMilliseconds(1'700'000'000'128));
    CHECK(earlier < later);
    CHECK(earlier.text() < later.text());
}

TEST_CASE("a UUID keeps its chance when it is moved to another time") {
    const auto before = Uuid::at(fromMilliseconds(1'700'000'000'000));
    const auto after = before.movedTo(fromMilliseconds(1'700'000'000'001));
    CHECK(after.stamp() == fromMilliseconds(1'700'000'000'001));
    CHECK(after.text().substr(14) == before.text().substr(14));
    CHECK(before < after);
    CHECK(after.movedTo(before.stamp()) == before);
}

TEST_CASE("stamps outside of 48 bits are the nearest that fit") {
    CHECK(Uuid::at(fromMilliseconds(-1)).stamp() == fromMilliseconds(0));
    const auto most = (std::int64_t{1} << 48) - 1;
    CHECK(Uuid::at(fromMilliseconds(most)).stamp() == fromMilliseconds(most));
    CHECK(Uuid::at(fromMilliseconds(most + 1)).stamp() == fromMilliseconds(most));
}

TEST_CASE("two UUIDs of one millisecond differ") {
    std::unordered_set<Uuid> seen;
    for (int i = 0; i < 2000; ++i) seen.insert(Uuid::at(fromMilliseconds(1'700'000'000'000)));
    CHECK(seen.size() == 2000);
}
