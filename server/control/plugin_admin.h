// `epodectl plugin …`: plugins of a running server.
#pragma once

#include "control/command_registry.h"
#include "control/config.h"
#include "plugin/plugin_host.h"

#include <functional>
#include <memory>
#include <vector>

namespace epode {

class Server;

// What these commands need of the running server. All is called on the executor of commands.
struct PluginControls {
    PluginHost& plugins;
    Server& server;
    std::function<ConfigPtr()> config;
    // Reads the configuration file with the options of all plugins that are known now.
    std::function<ConfigResult()> read;
    // Takes a configuration that differs in a plugin's options alone.
    std::function<void(ConfigPtr)> setConfig;
    // After plugins were wired: commands come and go. What is wrong with them.
    std::function<std::vector<std::string>()> changed;
};

std::vector<CommandRegistry::Registration> addPluginCommands(
    CommandRegistry& registry, std::shared_ptr<PluginControls> controls);

// The configuration in force, with the values of some options as another one has them.
ConfigPtr withOptionsOf(const Config& inForce, const Config& read,
                        const std::vector<OptionRef>& before, const std::vector<OptionRef>& after);

}  // namespace epode
