// The options of the server as such: where it keeps its things, how it logs, who may control it.
#pragma once

#include "control/config.h"
#include "core/data_folder.h"
#include "core/log.h"

#include <optional>
#include <string>
#include <vector>

namespace epode {

namespace options {
extern const Option<std::int64_t> shards;
extern const Option<std::string> logLevel;
extern const Option<std::vector<std::string>> logAreas;
extern const Option<std::string> logFormat;
extern const Option<std::string> logTarget;
extern const Option<std::string> controlSocket;
extern const Option<std::vector<std::string>> controlAllow;
}  // namespace options

OptionList serverOptions();

// Where the control socket is: the option, else control.sock in $RUNTIME_DIRECTORY (systemd's),
// else control.sock in the data folder.
std::string controlSocketPath(const Settings& settings);

// As many event loops as configured; 0 in the file means one for each core, at most 8.
int shardCount(const Settings& settings);

// Sets the levels of log.level and log.areas; all other areas follow the default again. Returns
// areas that were not understood, as sentences.
std::vector<std::string> applyLogLevels(const Settings& settings);

// One level until the next applyLogLevels; `area` "" is the default.
void overrideLogLevel(const std::string& area, LogLevel level);

// The areas that have a level of their own, by name.
std::vector<std::string> areasWithLevel();

std::optional<LogLevel> parseLogLevel(std::string_view text);

}  // namespace epode
