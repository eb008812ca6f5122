// `epodectl block …` and `epodectl account suspend`.
#pragma once

#include "core/command.h"

#include <memory>
#include <string>
#include <vector>

namespace epode {
class Server;
}

namespace epode::moderation {

class Moderator;

// Where the commands find what moderates a host while its plugin lives.
void registerModerator(Server& server, const std::string& host,
                       const std::shared_ptr<Moderator>& moderator);

std::vector<Command> commands(Server& server);

}  // namespace epode::moderation
