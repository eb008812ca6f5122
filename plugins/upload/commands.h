// `epodectl upload`: what operators see and remove of uploaded files.
#pragma once

#include "core/command.h"

#include <vector>

namespace epode {
class Server;
}

namespace epode::upload {

std::vector<Command> uploadCommands(Server& server);

}  // namespace epode::upload
