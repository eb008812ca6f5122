// Date and time as XMPP writes them (XEP-0082).
#pragma once

#include "core/time.h"

#include <optional>
#include <string>
#include <string_view>

namespace epode {

// "2026-11-20T10:00:00.123Z", always with milliseconds. Years that have no four digits become the
// first or the last that have.
std::string formatDateTime(WallTime time);
void appendDateTime(std::string& out, WallTime time);

// CCYY-MM-DDThh:mm:ss[.sss]TZD with any offset and any number of digits (cut after the
// milliseconds). Strict: nothing for anything else, or for a day or an hour that does not exist. A
// leap second is the second after.
std::optional<WallTime> parseDateTime(std::string_view text);

}  // namespace epode
