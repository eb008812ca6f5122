// Names that look alike to people (UTS 39): letters of several scripts, "rn" and "m".
#pragma once

#include <string>
#include <string_view>

namespace epode {

// The same for names that look alike, to be compared and never shown. Of UTF-8; empty for what is
// none.
std::string skeletonOf(std::string_view name);

}  // namespace epode
