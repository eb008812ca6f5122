// Completion: the scripts ask the tool itself at each TAB, so commands of plugins are there without
// being installed anywhere.
#pragma once

#include "core/command.h"

#include <string>
#include <vector>

namespace epode::admin {

struct Candidate {
    std::string word;
    std::string help;
};

// What could stand where the last of `words` is being typed (it may be empty).
std::vector<Candidate> candidates(const std::vector<CommandInfo>& commands,
                                  const std::vector<std::string>& words);

// For bash, zsh or fish; empty for another shell.
std::string completionScript(const std::string& shell);

}  // namespace epode::admin
