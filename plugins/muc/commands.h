// `epodectl room …`.
#pragma once

#include "core/command.h"

#include <memory>
#include <string>
#include <vector>

namespace epode {
class Server;
}

namespace epode::muc {

class Service;

// Where the commands find the service of a host while its plugin lives.
void registerService(Server& server, const std::string& host,
                     const std::shared_ptr<Service>& service);

std::vector<Command> commands(Server& server);

}  // namespace epode::muc
