// The elements of XEP-0484 that a client sends in <authenticate/>.
#pragma once

#include "core/element.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace epode::fast {

constexpr std::string_view ns = "urn:xmpp:fast:0";

struct FastRequest {
    std::optional<std::int64_t> count;
    bool isInvalidation = false;
};

// From <fast/>. Nothing when `count` is no positive number of 31 bits, or `invalidate` no boolean.
std::optional<FastRequest> readFast(const Element& fast);

}  // namespace epode::fast
