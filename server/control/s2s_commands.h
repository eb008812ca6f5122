// Commands about federation: which links there are, and why there is none.
#pragma once

#include "control/command_registry.h"

#include <functional>
#include <string>
#include <vector>

namespace epode {

class Federation;
class Server;

// `federation` is null where the configuration rules it out. `whyOff` tells why there are no links;
// "" when there are.
std::vector<CommandRegistry::Registration> addS2sCommands(CommandRegistry& registry, Server& server,
                                                          Federation* federation,
                                                          std::function<std::string()> whyOff);

}  // namespace epode
