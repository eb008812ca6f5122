// What of a representation a request asks for (RFC 9110, 13 and 14): conditions and ranges.
#pragma once

#include "net/http_message.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace epode {

struct HttpRange {
    std::uint64_t first = 0;
    std::uint64_t bytes = 0;
};

enum class HttpSelection : std::uint8_t {
    Whole,        // 200
    Part,         // 206
    NotModified,  // 304
    Failed,       // 412
    OutOfBounds,  // 416
};

// Of a representation of `size` bytes with this entity tag (in its quotes). Several ranges at once
// are answered with everything, as is a range that can't be understood.
HttpSelection selectHttpRange(const HttpRequest& request, std::uint64_t size,
                              std::string_view entityTag, HttpRange& range);

// Whether a list of entity tags has this one, by the weak comparison; "*" has all.
bool listsEntityTag(std::string_view list, std::string_view entityTag);

}  // namespace epode
