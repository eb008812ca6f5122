// `epodectl account export|import|erase`: an account's data belongs to whose it is.
#pragma once

#include "control/command_registry.h"
#include "plugin/plugin_host.h"

#include <string>
#include <vector>

namespace epode {

class Server;

// Files that are named without a folder go to `folder`, which is made when it is needed.
std::vector<CommandRegistry::Registration> addAccountCommands(CommandRegistry& registry,
                                                              Server& server,
                                                              const PluginHost& plugins,
                                                              std::string folder);

// The server's own and those of all plugins.
std::vector<OwnedData> allAccountData(const PluginHost& plugins);

}  // namespace epode
