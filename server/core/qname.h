// The name of an element: its namespace and its local name.
#pragma once

#include <compare>
#include <string_view>

namespace epode {

struct QName {
    std::string_view ns;
    std::string_view name;
    friend auto operator<=>(const QName&, const QName&) = default;
};

}  // namespace epode
