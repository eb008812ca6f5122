// Pages made from the declarations of options.
#pragma once

#include "control/config.h"

#include <string>
#include <vector>

namespace epode {

// A configuration file that changes nothing: every option stands in it, explained, as a comment
// with its default. Comments of values start with `#`, those of words with `# `.
std::string renderSample(const OptionList& options);

// The reference page (Markdown), by section.
std::string renderReference(const OptionList& options);

// By section and name, those outside of sections first; what a value may be ("size, 1 KiB to
// 1 MiB; takes effect at a restart"): for pages that are made elsewhere.
std::vector<const OptionRef*> inOrder(const OptionList& options);
std::string allowedText(const OptionRef& option);

}  // namespace epode
