// Names that look alike to people (UTS 39): letters of several scripts, "rn" and "m".
#pragma once

#include <string_view>

namespace epode {

// Of UTF-8; false when one of them is none.
bool looksAlike(std::string_view a, std::string_view b);

}  // namespace epode
