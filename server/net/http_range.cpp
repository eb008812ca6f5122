#include "net/http_range.h"

#include <algorithm>
#include <charconv>

namespace epode {

namespace {

std::optional<std::uint64_t> readNumber(std::string_view text) {
    std::uint64_t number = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size())
        return std::nullopt;
    return number;
}

// Nothing when it is not one range of bytes that makes sense.
std::optional<HttpSelection> readRange(std::string_view text, std::uint64_t size,
                                       HttpRange& range) {
    constexpr std::string_view unit = "bytes=";
    if (!equalIgnoringCase(text.substr(0, unit.size()), unit)) return std::nullopt;
    text.remove_prefix(unit.size());
    if (text.find(',') != std::string_view::npos) return std::nullopt;
    const auto dash = text.find('-');
    if (dash == std::string_view::npos) return std::nullopt;
    const std::string_view from = text.substr(0, dash);
    const std::string_view to = text.substr(dash + 1);
    if (from.empty()) {
        const auto last = readNumber(to);
        if (!last) return std::nullopt;
        if (*last == 0 || size == 0) return HttpSelection::OutOfBounds;
        range.bytes = std::min(*last, size);
        range.first = size - range.bytes;
        return HttpSelection::Part;
    }
    const auto first = readNumber(from);
    const auto last = to.empty() ? std::optional{~std::uint64_t{0}} : readNumber(to);
    if (!first || !last || *last < *first) return std::nullopt;
    if (*first >= size) return HttpSelection::OutOfBounds;
    range.first = *first;
    range.bytes = std::min(*last, size - 1) - *first + 1;
    return HttpSelection::Part;
}

}  // namespace

bool listsEntityTag(std::string_view list, std::string_view entityTag) {
    if (entityTag.starts_with("W/")) entityTag.remove_prefix(2);
    while (!list.empty()) {
        const auto start = list.find_first_not_of(" \t,");
        if (start == std::string_view::npos) return false;
        list.remove_prefix(start);
        if (list == "*") return true;
        if (list.starts_with("W/")) list.remove_prefix(2);
        if (!list.starts_with('"')) return false;
        const auto end = list.find('"', 1);
        if (end == std::string_view::npos) return false;
        if (list.substr(0, end + 1) == entityTag) return true;
        list.remove_prefix(end + 1);
    }
    return false;
}

HttpSelection selectHttpRange(const HttpRequest& request, std::uint64_t size,
                              std::string_view entityTag, HttpRange& range) {
    range = {0, size};
    const std::string_view match = request.field("if-match");
    if (!match.empty() && !listsEntityTag(match, entityTag)) return HttpSelection::Failed;
    const std::string_view noneMatch = request.field("if-none-match");
    if (!noneMatch.empty() && listsEntityTag(noneMatch, entityTag))
        return HttpSelection::NotModified;
    const std::string_view asked = request.field("range");
    if (asked.empty() || request.method != HttpMethod::Get) return HttpSelection::Whole;
    // RFC 9110, 13.1.5: of another version than the client has a part, it gets everything.
    const std::string_view ifRange = request.field("if-range");
    if (!ifRange.empty() && ifRange != entityTag) return HttpSelection::Whole;
    return readRange(asked, size, range).value_or(HttpSelection::Whole);
}

}  // namespace epode
