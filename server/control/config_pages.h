// Pages made from the declarations of options.
#pragma once

#include "control/config.h"

#include <string>

namespace epode {

// A configuration file that changes nothing: every option stands in it, explained, as a comment
// with its default. Comments of values start with `#`, those of words with `# `.
std::string renderSample(const OptionList& options);

// The reference page (Markdown), by section.
std::string renderReference(const OptionList& options);

}  // namespace epode
