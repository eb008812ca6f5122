// A page made from the declarations of metrics.
#pragma once

#include <string>

namespace epode {

// The reference page (Markdown).
std::string renderMetrics();

}  // namespace epode
