#include "core/time_format.h"

#include <algorithm>
#include <cstring>

namespace epode {

namespace {

constexpr std::int64_t dayMilliseconds = 86'400'000;

struct Date {
    int year;
    unsigned month;
    unsigned day;
};

// Days since 1970-01-01 in the Gregorian calendar. Years are counted from March, so that the leap
// day is a year's last, and eras of 400 years all have the same length.
constexpr std::int64_t daysOf(const Date& date) {
    const std::int64_t year = date.year - (date.month <= 2 ? 1 : 0);
    const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
    const auto yearOfEra = std::uint64_t(year - era * 400);
    const auto dayOfYear = (153 * ((date.month + 9) % 12) + 2) / 5 + date.day - 1;
    const auto dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear;
    return era * 146'097 + std::int64_t(dayOfEra) - 719'468;
}

constexpr Date dateOf(std::int64_t days) {
    days += 719'468;
    const std::int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
    const auto dayOfEra = unsigned(days - era * 146'097);
    const unsigned yearOfEra =
        (dayOfEra - dayOfEra / 1460 + dayOfEra / 36'524 - dayOfEra / 146'096) / 365;
    const unsigned dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100);
    const unsigned marchMonth = (5 * dayOfYear + 2) / 153;
    const unsigned day = dayOfYear - (153 * marchMonth + 2) / 5 + 1;
    const unsigned month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
    const int year = int(yearOfEra) + int(era) * 400 + (month <= 2 ? 1 : 0);
    return {year, month, day};
}

constexpr std::int64_t earliest = daysOf({0, 1, 1}) * dayMilliseconds;
constexpr std::int64_t latest = daysOf({10'000, 1, 1}) * dayMilliseconds - 1;

constexpr unsigned daysInMonth(int year, unsigned month) {
    if (month == 2) return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28;
    return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

void putTwo(char* out, unsigned value) {
    out[0] = char('0' + value / 10);
    out[1] = char('0' + value % 10);
}

// Reads from the front of a text; once something is wrong, everything after it is.
class Reader {
public:
    explicit Reader(std::string_view text) : rest_{text} {}

    unsigned digits(std::size_t count) {
        unsigned value = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const unsigned digit = nextDigit();
            value = value * 10 + digit;
        }
        return value;
    }
    void expect(char c) {
        if (!take(c)) isGood_ = false;
    }
    bool take(char c) {
        if (rest_.empty() || rest_.front() != c) return false;
        rest_.remove_prefix(1);
        return true;
    }
    bool atDigit() const { return !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9'; }
    bool isGood() const { return isGood_; }
    bool isDone() const { return isGood_ && rest_.empty(); }

private:
    unsigned nextDigit() {
        if (!atDigit()) {
            isGood_ = false;
            return 0;
        }
        const auto digit = unsigned(rest_.front() - '0');
        rest_.remove_prefix(1);
        return digit;
    }

    std::string_view rest_;
    bool isGood_ = true;
};

}  // namespace

std::string formatDateTime(WallTime time) {
    std::string out;
    appendDateTime(out, time);
    return out;
}

void appendDateTime(std::string& out, WallTime time) {
    const auto milliseconds = std::clamp(toMilliseconds(time), earliest, latest);
    auto days = milliseconds / dayMilliseconds;
    auto ofDay = milliseconds % dayMilliseconds;
    if (ofDay < 0) {
        ofDay += dayMilliseconds;
        --days;
    }
    const auto date = dateOf(days);
    const auto rest = unsigned(ofDay);

    char text[] = "0000-00-00T00:00:00.000Z";
    putTwo(text, unsigned(date.year) / 100);
    putTwo(text + 2, unsigned(date.year) % 100);
    putTwo(text + 5, date.month);
    putTwo(text + 8, date.day);
    putTwo(text + 11, rest / 3'600'000);
    putTwo(text + 14, rest / 60'000 % 60);
    putTwo(text + 17, rest / 1000 % 60);
    text[20] = char('0' + rest / 100 % 10);
    putTwo(text + 21, rest % 100);
    out.append(text, sizeof text - 1);
}

std::optional<WallTime> parseDateTime(std::string_view text) {
    Reader reader{text};
    Date date{};
    date.year = int(reader.digits(4));
    reader.expect('-');
    date.month = reader.digits(2);
    reader.expect('-');
    date.day = reader.digits(2);
    reader.expect('T');
    const auto hour = reader.digits(2);
    reader.expect(':');
    const auto minute = reader.digits(2);
    reader.expect(':');
    const auto second = reader.digits(2);

    unsigned milliseconds = 0;
    if (reader.take('.')) {
        milliseconds = reader.digits(1) * 100;
        if (reader.atDigit()) milliseconds += reader.digits(1) * 10;
        if (reader.atDigit()) milliseconds += reader.digits(1);
        while (reader.atDigit()) reader.digits(1);
    }

    int offsetMinutes = 0;
    if (!reader.take('Z')) {
        const bool isBehind = reader.take('-');
        if (!isBehind) reader.expect('+');
        const auto hours = reader.digits(2);
        reader.expect(':');
        const auto minutes = reader.digits(2);
        if (hours > 14 || minutes > 59 || (hours == 14 && minutes != 0)) return std::nullopt;
        offsetMinutes = int(hours * 60 + minutes) * (isBehind ? -1 : 1);
    }
    if (!reader.isDone()) return std::nullopt;

    if (date.month < 1 || date.month > 12) return std::nullopt;
    if (date.day < 1 || date.day > daysInMonth(date.year, date.month)) return std::nullopt;
    if (hour > 23 || minute > 59) return std::nullopt;
    if (second > (minute == 59 ? 60u : 59u)) return std::nullopt;

    const auto seconds =
        daysOf(date) * 86'400 + hour * 3600 + minute * 60 + second - offsetMinutes * 60;
    return WallTime{std::chrono::milliseconds{seconds * 1000 + milliseconds}};
}

}  // namespace epode
