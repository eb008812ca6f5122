// `epodectl token`: tokens for programs that log in as somebody.
#pragma once

#include "core/command.h"

#include <vector>

namespace epode {
class Server;
}

namespace epode::token {

std::vector<Command> tokenCommands(Server& server);

}  // namespace epode::token
