// Commands for the database.
#pragma once

#include "control/command_registry.h"

#include <vector>

namespace epode {

class Server;

std::vector<CommandRegistry::Registration> addStoreCommands(CommandRegistry& registry, Server& server);

}  // namespace epode
