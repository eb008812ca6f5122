// What the server shows to the web: its own routes (WebSocket, BOSH, discovery, metrics, health)
// and those of plugins, on every loop.
#pragma once

#include "core/option.h"
#include "net/http_server.h"
#include "net/ip_network.h"
#include "net/transport.h"
#include "route/server.h"

#include <memory>
#include <string>
#include <vector>

namespace epode {

class BoshSessions;
class ClientStreams;
class Host;

std::vector<OptionRef> httpOptions();

// Where it listens.
struct HttpPorts {
    explicit HttpPorts(const Settings& settings);
    std::vector<std::string> plainAddresses;
    std::uint16_t plainPort;  // 0: not at all
    std::vector<std::string> tlsAddresses;
    std::uint16_t tlsPort;
};

class HttpFace {
public:
    enum class Door : std::uint8_t { Plain, Tls };

    HttpFace(Server& server, std::vector<std::unique_ptr<ClientStreams>>& streams,
             SettingsPtr settings);
    ~HttpFace();

    // On the shard's thread, as `replace` and `close`.
    void accept(unsigned shard, std::unique_ptr<Transport> transport, Door door);
    void replace(unsigned shard, SettingsPtr settings);
    // What is under way is completed; nothing is begun any more.
    void close(unsigned shard);

    // Every connection that is open on one shard; for tests.
    std::size_t count(unsigned shard) const;

private:
    struct Loop;

    HttpServer::Match find(Loop& loop, const HttpRequest& request) const;
    Host& hostOf(Loop& loop, const HttpRequest& request) const;
    void addRoutes(Loop& loop);

    Server& server_;
    std::shared_ptr<BoshSessions> bosh_;
    std::vector<std::unique_ptr<Loop>> loops_;
};

}  // namespace epode
