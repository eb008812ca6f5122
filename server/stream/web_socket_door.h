// The opening handshake of WebSocket (RFC 6455, 4.2) for streams of XMPP (RFC 7395, 3.1).
#pragma once

#include "net/address_limit.h"
#include "net/http_exchange.h"

#include <memory>
#include <string>
#include <vector>

namespace epode {

class ClientStreams;

struct WebSocketRules {
    std::vector<std::string> origins;     // "*": any
    std::shared_ptr<AddressLimit> limit;  // of clients behind proxies; others are counted below
    std::string host;                     // whose limits hold
    bool mayCompress = false;             // permessage-deflate is agreed on when a client offers it
};

// Answers with 101, and the connection becomes a stream; or refuses.
void openWebSocket(const HttpExchangePtr& exchange, ClientStreams& streams,
                   const WebSocketRules& rules);

}  // namespace epode
