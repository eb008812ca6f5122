// Commands about external components.
#pragma once

#include "control/command_registry.h"

#include <vector>

namespace epode {

class Components;

std::vector<CommandRegistry::Registration> addComponentCommands(CommandRegistry& registry,
                                                                Components& components);

}  // namespace epode
