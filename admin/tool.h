// epodectl: finds the server, asks it for its commands, sends one, shows the answer.
#pragma once

#include <string>
#include <vector>

namespace epode::admin {

namespace exit_code {
constexpr int done = 0;
constexpr int refused = 1;  // or failed
constexpr int usage = 2;
constexpr int noConnection = 3;
constexpr int timeout = 4;
}  // namespace exit_code

// The words after the program's name. Returns the exit code.
int run(const std::vector<std::string>& words);

}  // namespace epode::admin
