// What a client says of itself when it logs in (XEP-0388, 2.3).
#pragma once

#include "core/element.h"
#include "route/login.h"

#include <optional>

namespace epode {

// From <authenticate/>; empty when there is no <user-agent/>. Nothing when its id is no UUID of
// version 4. Texts are cut to what people can read in a list.
std::optional<UserAgent> readUserAgent(const Element& authenticate);

}  // namespace epode
