// Whether two parts of the server would listen at the same place.
#pragma once

#include "control/config.h"

#include <vector>

namespace epode {

// One mistake for each two ports that are the same on a common address, with the line of one of
// them. What isn't there at all (components when none is configured, the port of a plugin that
// isn't enabled) takes no port.
std::vector<ConfigMistake> sharedPorts(const Config& config, const Settings& settings,
                                       const OptionList& options);

}  // namespace epode
