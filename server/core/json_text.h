// The two things that writing JSON safely needs.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace epode {

// How many bytes the well-formed UTF-8 character at `index` has; 0 when there is none.
std::size_t utf8Bytes(std::string_view text, std::size_t index);

// Appends `text` as a JSON string, quotes included; broken UTF-8 becomes U+FFFD.
void appendJsonString(std::string& out, std::string_view text);

}  // namespace epode
