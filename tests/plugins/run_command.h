// Runs a command that a plugin declares, past the door that checks its arguments.
#pragma once

#include "core/command.h"
#include "route/server.h"
#include "tests/support/test_server.h"

#include <map>
#include <stdexcept>
#include <string>

namespace epode {

using CommandValues = std::map<std::string, CommandCall::Value, std::less<>>;

inline CommandResult runCommand(TestServer& server, std::string_view plugin, std::string_view name,
                                CommandValues values = {}) {
    static const PluginHost plugins{""};
    const auto commands = plugins.available().find(plugin)->second->info->commands(server.server());
    for (const Command& command : commands) {
        if (command.name != name) continue;
        CommandCall call{{.name = "root", .permission = Permission::Administer, .door = "socket"},
                         std::move(values),
                         server.server().shard(0).executor()};
        return server.wait(command.run(call));
    }
    throw std::logic_error{"there is no command " + std::string{name}};
}

// A fact of a result, as text; "" when there is none.
inline std::string textOf(const CommandResult& result, std::string_view fact) {
    for (const auto& entry : result.facts())
        if (entry.name == fact)
            if (const auto* text = std::get_if<std::string>(&entry.value.value())) return *text;
    return {};
}

inline std::string textOf(const Cell& cell) {
    if (const auto* text = std::get_if<std::string>(&cell.value())) return *text;
    if (const auto* number = std::get_if<std::int64_t>(&cell.value()))
        return std::to_string(*number);
    return {};
}

}  // namespace epode
