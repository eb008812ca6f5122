// Commands for accounts and sessions.
#pragma once

#include "control/command_registry.h"

#include <vector>

namespace epode {

class Server;

std::vector<CommandRegistry::Registration> addUserCommands(CommandRegistry& registry, Server& server);

}  // namespace epode
