// Commands about federation: which links there are, and why there is none.
#pragma once

#include "control/command_registry.h"

#include <vector>

namespace epode {

class Federation;

std::vector<CommandRegistry::Registration> addS2sCommands(CommandRegistry& registry,
                                                          Federation& federation);

}  // namespace epode
