#include "cli/text.h"

#include <cwchar>

#include <Poco/DateTime.h>
#include <Poco/DateTimeFormat.h>
#include <Poco/DateTimeFormatter.h>
#include <Poco/DateTimeParser.h>
#include <cstdlib>
#include <ctime>

namespace epode::cli {

namespace {

// Reads one code point at `at` and moves on; -1 for a byte that is not UTF-8.
long nextCodePoint(std::string_view text, std::size_t& at) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned first = byte(at++);
    if (first < 0x80) return first;
    const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    if (first < 0xc2 || first > 0xf4 || at + static_cast<std::size_t>(more) > text.size())
        return -1;
    long point = first & (0x3f >> more);
    for (int i = 0; i < more; ++i) {
        if ((byte(at + static_cast<std::size_t>(i)) & 0xc0) != 0x80) return -1;
        point = point << 6 | (byte(at + static_cast<std::size_t>(i)) & 0x3f);
    }
    const bool isOverlong = (more == 2 && point < 0x800) || (more == 3 && point < 0x10000);
    if (isOverlong || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return -1;
    at += static_cast<std::size_t>(more);
    return point;
}

bool turnsDirection(long point) {
    return (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
}

std::tm localTime(WallClock::time_point time) {
    const std::time_t seconds = WallClock::to_time_t(time);
    std::tm parts{};
    localtime_r(&seconds, &parts);
    return parts;
}

}  // namespace

std::string bareOf(std::string_view address) {
    return std::string{address.substr(0, address.find('/'))};
}

std::string localOf(std::string_view address) {
    const auto bare = bareOf(address);
    const auto at = bare.find('@');
    return at == std::string::npos ? std::string{} : bare.substr(0, at);
}

std::string domainOf(std::string_view address) {
    const auto bare = bareOf(address);
    const auto at = bare.find('@');
    return at == std::string::npos ? bare : bare.substr(at + 1);
}

std::string resourceOf(std::string_view address) {
    const auto slash = address.find('/');
    return slash == std::string_view::npos ? std::string{} : std::string{address.substr(slash + 1)};
}

bool looksLikeAddress(std::string_view address) {
    const auto bare = bareOf(address);
    if (!isUtf8(address) || domainOf(bare).empty() || bare.starts_with('@')) return false;
    if (bare.find_first_of(" \t\n\"&'<>") != std::string::npos) return false;
    return domainOf(bare).find('@') == std::string::npos && !address.ends_with('/');
}

bool isUtf8(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        if (nextCodePoint(text, at) < 0) return false;
    }
    return true;
}

bool fitsInXml(std::string_view text) {
    for (std::size_t at = 0; at < text.size();) {
        const long point = nextCodePoint(text, at);
        if (point < 0 || point == 0xfffe || point == 0xffff) return false;
        if (point < 0x20 && point != '\t' && point != '\n' && point != '\r') return false;
    }
    return true;
}

std::string printable(std::string_view text) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t start = at;
        const long point = nextCodePoint(text, at);
        const bool isControl = (point < 0x20 && point != '\n' && point != '\t') ||
                               (point >= 0x7f && point < 0xa0) || turnsDirection(point);
        if (isControl || point < 0) {
            if (point != '\r') out += "\ufffd";
        } else {
            out += text.substr(start, at - start);
        }
    }
    return out;
}

std::string indented(std::string_view text, std::size_t columns) {
    std::string out;
    for (const char c : printable(text)) {
        out += c;
        if (c == '\n') out.append(columns, ' ');
    }
    return out;
}

std::size_t widthOf(std::string_view text) {
    std::size_t columns = 0;
    for (std::size_t at = 0; at < text.size();) {
        const long point = nextCodePoint(text, at);
        const int width = point < 0 ? 1 : wcwidth(static_cast<wchar_t>(point));
        columns += width < 0 ? 1u : static_cast<std::size_t>(width);
    }
    return columns;
}

std::optional<WallClock::time_point> parseTime(std::string_view text) {
    Poco::DateTime parsed;
    int zone = 0;
    if (text.size() < 19 || text[10] != 'T' ||
        !Poco::DateTimeParser::tryParse(Poco::DateTimeFormat::ISO8601_FRAC_FORMAT,
                                        std::string{text}, parsed, zone)) {
        return std::nullopt;
    }
    parsed.makeUTC(zone);
    return WallClock::time_point{std::chrono::microseconds{parsed.timestamp().epochMicroseconds()}};
}

std::string isoTime(WallClock::time_point time) {
    const auto micros =
        std::chrono::duration_cast<std::chrono::microseconds>(time.time_since_epoch()).count();
    return Poco::DateTimeFormatter::format(Poco::Timestamp{micros}, "%Y-%m-%dT%H:%M:%S.%iZ");
}

std::string shortTime(WallClock::time_point time) {
    const std::tm then = localTime(time);
    const std::tm now = localTime(WallClock::now());
    const bool isToday = then.tm_year == now.tm_year && then.tm_yday == now.tm_yday;
    char text[32];
    std::strftime(text, sizeof text, isToday ? "%H:%M" : "%Y-%m-%d %H:%M", &then);
    return text;
}

std::optional<WallClock::time_point> parseMoment(std::string_view text) {
    if (const auto time = parseTime(text)) return time;
    const std::string word{text};
    std::tm day{};
    if (const char* end = strptime(word.c_str(), "%Y-%m-%d", &day); end && !*end) {
        day.tm_isdst = -1;
        return WallClock::from_time_t(std::mktime(&day));
    }
    char* unit = nullptr;
    const double amount = std::strtod(word.c_str(), &unit);
    const std::string_view name{unit};
    const double seconds = name == "m" ? 60 : name == "h" ? 3600 : name == "d" ? 86400 : 0;
    if (unit == word.c_str() || seconds == 0 || !(amount >= 0 && amount < 1e6)) return std::nullopt;
    return WallClock::now() - std::chrono::seconds{static_cast<long long>(amount * seconds)};
}

}  // namespace epode::cli
