#include "control/plugin_commands.h"

#include "core/log.h"

namespace epode {

namespace {

const Log pluginLog{"plugin"};

}  // namespace

void PluginCommands::update() {
    const auto& available = plugins_.available();
    std::erase_if(added_, [&](const auto& added) {
        const auto found = available.find(added.first);
        return found == available.end() || found->second != added.second.entry ||
               !plugins_.isWired(added.first);
    });
    for (const auto& [name, entry] : available) {
        if (!plugins_.isWired(name) || added_.contains(name)) continue;
        Added& added = added_[name];
        added.entry = entry;
        // A mistake in a declaration costs that plugin the rest of its commands.
        try {
            for (Command& command : PluginHost::commands(*entry, server_))
                added.commands.push_back(registry_.add(std::move(command)));
        } catch (const std::exception& failure) {
            pluginLog.error("a plugin's commands can't be added",
                            {{"plugin", name}, {"failure", failure.what()}});
        }
    }
}

}  // namespace epode
