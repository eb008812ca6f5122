#include "tests/support/catch.h"

#include "core/time_format.h"

#include <string>
#include <utility>
#include <vector>

using namespace epode;

TEST_CASE("a time is written with milliseconds and read back") {
    const std::vector<std::pair<std::int64_t, std::string>> rows = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1, "1970-01-01T00:00:00.001Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {-14'159'025'000, "1969-07-21T02:56:15.000Z"},
        {951'782'400'000, "2000-02-29T00:00:00.000Z"},
        {951'868'799'999, "2000-02-29T23:59:59.999Z"},
        {1'795'168'800'123, "2026-11-20T10:00:00.123Z"},
        {4'107'542'399'000, "2100-02-28T23:59:59.000Z"},
        {4'107'542'400'000, "2100-03-01T00:00:00.000Z"},
        {253'402'300'799'999, "9999-12-31T23:59:59.999Z"},
        {-62'167'219'200'000, "0000-01-01T00:00:00.000Z"},
    };
    for (const auto& [milliseconds, text] : rows) {
        CAPTURE(text);
        CHECK(formatDateTime(fromMilliseconds(milliseconds)) == text);
        CHECK(parseDateTime(text) == fromMilliseconds(milliseconds));
    }
}

TEST_CASE("every day of four centuries is written as it is read") {
    for (std::int64_t day = -135'000; day < 46'000; ++day) {
        const auto time = fromMilliseconds(day * 86'400'000 + 45'296'007);
        if (parseDateTime(formatDateTime(time)) != time) FAIL(day);
    }
}

TEST_CASE("times out of the range of four digits are the nearest that can be written") {
    CHECK(formatDateTime(fromMilliseconds(INT64_MAX)) == "9999-12-31T23:59:59.999Z");
    CHECK(formatDateTime(fromMilliseconds(INT64_MIN)) == "0000-01-01T00:00:00.000Z");
}

TEST_CASE("the forms of XEP-0082 are read") {
    const std::vector<std::pair<std::string, std::string>> rows = {
        {"1969-07-21T02:56:15Z", "1969-07-21T02:56:15.000Z"},
        {"1969-07-20T21:56:15-05:00", "1969-07-21T02:56:15.000Z"},
        {"2026-11-20T10:00:00+00:00", "2026-11-20T10:00:00.000Z"},
        {"2026-11-20T10:00:00-00:00", "2026-11-20T10:00:00.000Z"},
        {"2026-01-01T00:30:00+14:00", "2025-12-31T10:30:00.000Z"},
        {"2026-11-20T10:00:00.5Z", "2026-11-20T10:00:00.500Z"},
        {"2026-11-20T10:00:00.12Z", "2026-11-20T10:00:00.120Z"},
        {"2026-11-20T10:00:00.123999999Z", "2026-11-20T10:00:00.123Z"},
        {"2026-11-20T10:00:00.001+05:30", "2026-11-20T04:30:00.001Z"},
        {"2016-12-31T23:59:60Z", "2017-01-01T00:00:00.000Z"},
    };
    for (const auto& [text, same] : rows) {
        CAPTURE(text);
        const auto time = parseDateTime(text);
        REQUIRE(time);
        CHECK(formatDateTime(*time) == same);
    }
}

TEST_CASE("what is no date and time of XEP-0082 is refused") {
    const auto row = GENERATE(values<std::string>({
        "",
        "2026-11-20",
        "10:00:00Z",
        "2026-11-20T10:00:00",
        "2026-11-20T10:00Z",
        "2026-11-20 10:00:00Z",
        "2026-11-20t10:00:00z",
        "20261120T10:00:00",
        "2026-11-20T10:00:00.Z",
        "2026-11-20T10:00:00,5Z",
        "2026-11-20T10:00:00Zx",
        "2026-11-20T10:00:00Z ",
        " 2026-11-20T10:00:00Z",
        "-2026-11-20T10:00:00Z",
        "+2026-11-20T10:00:00Z",
        "12026-11-20T10:00:00Z",
        "2026-00-20T10:00:00Z",
        "2026-13-20T10:00:00Z",
        "2026-11-00T10:00:00Z",
        "2026-11-31T10:00:00Z",
        "2026-02-29T10:00:00Z",
        "2100-02-29T10:00:00Z",
        "2026-11-20T24:00:00Z",
        "2026-11-20T10:60:00Z",
        "2026-11-20T10:00:60Z",
        "2026-11-20T10:59:61Z",
        "2026-11-20T10:00:00+14:01",
        "2026-11-20T10:00:00+15:00",
        "2026-11-20T10:00:00+05:60",
        "2026-11-20T10:00:00+0530",
        "2026-11-20T10:00:00+05",
        "2026-1-20T10:00:00Z",
    }));
    CAPTURE(row);
    CHECK_FALSE(parseDateTime(row));
}
