// Calls a declared command for somebody in a client, and waits for what it says.
#pragma once

#include "core/command.h"
#include "core/command_result.h"
#include "core/task.h"

#include <string_view>

namespace epode {

class Server;

namespace adhoc {

// Resumes on the executor that awaits; `name` lives until then. The command gets the caller's
// address and permission, and is logged with them as from every door.
Task<CommandResult> callCommand(Server& server, std::string_view name, RawArguments arguments,
                                Jid caller, Permission permission);

}  // namespace adhoc
}  // namespace epode
