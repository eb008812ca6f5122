// Configurations for web servers in front of this one, made from its own.
#pragma once

#include "control/command_registry.h"
#include "core/option.h"

#include <string>
#include <string_view>
#include <vector>

namespace epode {

class Server;

// `program` is nginx, caddy or haproxy. `hosts` are the virtual hosts.
std::string proxyConfig(std::string_view program, const Settings& settings,
                        const std::vector<std::string>& hosts);

std::vector<CommandRegistry::Registration> addWebCommands(CommandRegistry& registry,
                                                          Server& server);

}  // namespace epode
