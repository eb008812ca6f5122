#include "control/plugin_commands.h"

#include "core/log.h"

namespace epode {

namespace {

const Log pluginLog{"plugin"};

}  // namespace

std::vector<std::string> PluginCommands::update() {
    std::vector<std::string> problems;
    const auto available = plugins_.available();
    std::erase_if(added_, [&](const auto& added) {
        const auto found = available.find(added.first);
        return found == available.end() || found->second != added.second.entry ||
               !plugins_.isWired(added.first);
    });
    for (const auto& [name, entry] : available) {
        if (!plugins_.isWired(name) || added_.contains(name)) continue;
        Added& added = added_[name];
        added.entry = entry;
        try {
            for (Command& command : plugins_.commands(*entry, server_))
                added.commands.push_back(registry_.add(std::move(command)));
        } catch (const std::exception& failure) {
            pluginLog.error("a plugin's commands can't be added",
                            {{"plugin", name}, {"failure", failure.what()}});
            problems.push_back("Commands of the plugin " + name +
                               " can't be added: " + failure.what());
        }
    }
    return problems;
}

}  // namespace epode
