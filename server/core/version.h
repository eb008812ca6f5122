// The version of this server, made from the project's at build time.
#pragma once

#include <string_view>

namespace epode {

extern const std::string_view version;  // "0.1.0"

}  // namespace epode
