// The commands of the plugins that are wired, in the registry.
#pragma once

#include "control/command_registry.h"
#include "plugin/plugin_host.h"

#include <map>
#include <string>
#include <vector>

namespace epode {

class Server;

class PluginCommands {
public:
    PluginCommands(CommandRegistry& registry, Server& server, const PluginHost& plugins)
        : registry_{registry}, server_{server}, plugins_{plugins} {}

    // Adds the commands of plugins that have come, removes those of plugins that have gone. Returns
    // what is wrong with declarations; that costs their plugins the rest of their commands.
    std::vector<std::string> update();

private:
    CommandRegistry& registry_;
    Server& server_;
    const PluginHost& plugins_;
    struct Added {
        const PluginEntry* entry;
        std::vector<CommandRegistry::Registration> commands;
    };
    std::map<std::string, Added, std::less<>> added_;
};

}  // namespace epode
