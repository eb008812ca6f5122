// A domain as the DNS and certificates write it: internationalized labels in their ASCII form
// (IDNA2008, "xn--…").
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace epode {

// `domain` as it stands in an address. Nothing when it has no such form.
std::optional<std::string> asciiDomain(std::string_view domain);

}  // namespace epode
