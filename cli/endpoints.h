// Where an account's server may be reached (RFC 6120, 3.2; XEP-0368).
#pragma once

#include "cli/accounts.h"

#include <cstdint>
#include <string>
#include <vector>

namespace epode::cli {

struct Endpoint {
    std::string address;  // a numeric one, so that connecting asks no resolver
    std::uint16_t port = 0;
    Tls tls = Tls::StartTls;
    std::string shown;  // "xmpp.capulet.example:5222", for messages
};

// In the order to try them: by --host and --port, else by the SRV records of the domain, else the
// domain itself. Blocks while the resolver works. A Failure (NoConnection) when no name resolves.
std::vector<Endpoint> endpointsOf(const Account& account);

}  // namespace epode::cli
