// What works without a running server: pages and checks that the daemon's program can give, because
// it knows all options.
#pragma once

#include "core/command.h"

#include <optional>
#include <string>
#include <vector>

namespace epode::admin {

// Commands of the tool itself (help, completion), and those that stand in for the server's.
std::vector<CommandInfo> toolCommands();
std::vector<CommandInfo> offlineCommands();

// Runs epoded with the arguments and returns what it wrote as a result, or a
// refusal when it ended otherwise than by 0.
CommandResult askDaemonProgram(const std::vector<std::string>& arguments);

}  // namespace epode::admin
