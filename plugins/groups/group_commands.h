// What operators do with groups.
#pragma once

#include "core/command.h"

#include <vector>

namespace epode {

class Server;

std::vector<Command> groupCommands(Server& server);

}  // namespace epode
