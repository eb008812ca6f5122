// Where browsers reach the web server.
#pragma once

#include "core/option.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace epode {

namespace httpOption {
extern const Option<std::int64_t> tlsPort;
extern const Option<std::string> publicUrl;
}  // namespace httpOption

// Of a virtual host, without a slash at its end: what is configured, else its own name with the
// port of HTTPS. Empty when nothing is configured and there is no such port.
std::string publicUrlOf(const Settings& settings, std::string_view host);

}  // namespace epode
