// A declared command (core/command.h) as forms: its arguments become a question, its result a form.
#pragma once

#include "core/command.h"
#include "core/command_result.h"
#include "core/data_form.h"
#include "route/ad_hoc.h"

#include <cstddef>
#include <span>
#include <string>

namespace epode::adhoc {

// "user add" is at the node "urn:epode:command:user.add".
std::string nodeOf(const CommandInfo& command);
bool isNodeOfCommand(std::string_view node);

// Asks for the arguments.
DataForm questionFor(const CommandInfo& command, std::span<const std::string> hosts);
// Asks whether it shall really be done.
DataForm confirmationFor(const CommandInfo& command, const DataForm& answer);
bool isConfirmed(const DataForm& answer);

// What was answered; fields that are blank are arguments that were not given.
RawArguments argumentsFrom(const CommandInfo& command, const DataForm& answer);

// What a command has answered. A table has at most `rowsMax` rows; how many there are is told.
AdHocReply replyFor(const CommandInfo& command, const CommandResult& result, std::size_t rowsMax);

// A value as text, as programs read it in a form.
std::vector<std::string> textsOf(const Cell& cell);

// What XML can't hold is replaced, so that no value of ours ends somebody's stream.
std::string printable(std::string_view text);

}  // namespace epode::adhoc
