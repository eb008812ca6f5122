// Calls a declared command for an account, and waits for what it says.
#pragma once

#include "core/command.h"
#include "core/command_result.h"
#include "core/jid.h"
#include "core/task.h"

#include <string>
#include <string_view>

namespace epode {

class Server;

// Resumes on the executor that awaits; `name` lives until then. The command gets the caller's
// address, door ("xmpp", "http") and permission, and is logged with them as from every door.
Task<CommandResult> callCommand(Server& server, std::string_view name, RawArguments arguments,
                                Caller caller);

}  // namespace epode
