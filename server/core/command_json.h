// Commands and their results as JSON, for every door that speaks it.
//
// Sizes are bytes, durations seconds, times ISO 8601.
#pragma once

#include "core/command.h"
#include "core/command_result.h"
#include "core/json_writer.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

// "jid", "flag", …; nothing for a kind that is not known here.
std::optional<ArgumentKind> parseArgumentKind(std::string_view name);

void writeCell(JsonWriter& line, const Cell& cell);
void writeError(JsonWriter& line, const CommandError& error);
void writeCommand(JsonWriter& line, const CommandInfo& command);

// As programs want it: {"message":…,"<fact>":…,"rows":[{"<column>":…}]} or {"error":{…}}.
std::string toJson(const CommandResult& result);
std::string toJson(const std::vector<CommandInfo>& commands);

}  // namespace epode
