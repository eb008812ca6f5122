// What operators do with invitations.
#pragma once

#include "core/command.h"

#include <vector>

namespace epode {

class Server;

std::vector<Command> inviteCommands(Server& server);

}  // namespace epode
