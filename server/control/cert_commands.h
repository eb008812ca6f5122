// Commands about certificates: what each host presents, and whether others will take it.
#pragma once

#include "control/command_registry.h"
#include "net/tls_context.h"

#include <functional>
#include <string>
#include <vector>

namespace epode {

class Server;

// What is presented now, asked for on the executor of the registry.
using PresentedCertificates = std::function<std::vector<TlsStore::Presented>()>;

// `authorities` as in chainProblem.
std::vector<CommandRegistry::Registration> addCertCommands(CommandRegistry& registry,
                                                           Server& server,
                                                           PresentedCertificates presented,
                                                           std::string authorities);

}  // namespace epode
