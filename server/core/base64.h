// Base 64 (RFC 4648, 4), with padding.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace epode {

std::string encodeBase64(std::string_view bytes);

// Strict: nothing when there is anything but the one way to write the bytes (no white space, no
// missing padding, no bits set behind the end).
std::optional<std::string> decodeBase64(std::string_view text);

}  // namespace epode
