// Where the server keeps its files.
#pragma once

#include "core/option.h"

#include <string>

namespace epode {

namespace options {
extern const Option<std::string> data;
}

// The data folder: the option, else $STATE_DIRECTORY (systemd's), else "data" below the working
// folder.
std::string dataFolder(const Settings& settings);

// systemd gives several folders in one variable, separated by colons: the first is the main one.
// Empty when the variable is not set.
std::string folderFromEnvironment(const char* variable);

}  // namespace epode
