// `epodectl device`.
#pragma once

#include "core/command.h"

#include <vector>

namespace epode {
class Server;
}

namespace epode::devices {

std::vector<Command> commands(Server& server);

}  // namespace epode::devices
