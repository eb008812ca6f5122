// What operators do with reports.
#pragma once

#include "core/command.h"

#include <vector>

namespace epode {

class Server;

std::vector<Command> reportCommands(Server& server);

}  // namespace epode
