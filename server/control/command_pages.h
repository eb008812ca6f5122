// Pages made from the declarations of commands.
#pragma once

#include "core/command.h"

#include <string>
#include <vector>

namespace epode {

// "epodectl session kick ADDRESS [--reason TEXT]"
std::string usageLine(const CommandInfo& command);

// `epodectl help COMMAND`
std::string helpPage(const CommandInfo& command);

// A line for each command, grouped by their first words.
std::string overviewPage(const std::vector<CommandInfo>& commands);

// epodectl(1), in the man macros.
std::string manualPage(const std::vector<CommandInfo>& commands, const std::string& version);

// The reference page (Markdown).
std::string referencePage(const std::vector<CommandInfo>& commands);

}  // namespace epode
