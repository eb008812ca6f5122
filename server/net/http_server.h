// HTTP/1.1 on one event loop: connections of any number, each a parser and its request, no threads.
// Requests of a connection are handled one after the other, pipelined or not.
#pragma once

#include "core/executor.h"
#include "net/http_parser.h"
#include "net/http_route.h"
#include "net/ip_network.h"
#include "net/transport.h"

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace epode {

class HttpConnection;

struct HttpSettings {
    HttpParserLimits parser;
    Duration headTimeout = std::chrono::seconds{15};   // from the first byte to the end of the head
    Duration bodyTimeout = std::chrono::seconds{30};   // without any byte of a body
    Duration idleTimeout = std::chrono::seconds{60};   // between two requests
    Duration writeTimeout = std::chrono::seconds{60};  // for a client that takes nothing
    std::int64_t connectionsMax = 100000;              // of this loop
    std::vector<IpNetwork> trustedProxies;
    bool takesProxyProtocol = false;  // on connections that trusted proxies make
    bool logsAccess = true;
};

class HttpServer {
public:
    struct Match {
        const HttpRoute* route = nullptr;
        bool hasPath = false;  // there is a route, though not for this method
        std::shared_ptr<const void> kept;
    };
    // Finds who serves a request. The route lives as long as `kept` does.
    using Router = std::function<Match(const HttpRequest&)>;

    // `router` may be set later, before the first connection.
    HttpServer(Executor& executor, std::shared_ptr<const HttpSettings> settings, Router router);
    ~HttpServer();
    HttpServer(const HttpServer&) = delete;
    HttpServer& operator=(const HttpServer&) = delete;

    void setRouter(Router router) { router_ = std::move(router); }

    // Own thread, as all here. With `isDirectTls` the handshake has begun.
    void accept(std::unique_ptr<Transport> transport, bool isDirectTls);

    void replace(std::shared_ptr<const HttpSettings> settings) { settings_ = std::move(settings); }
    // Answers under way are completed, nothing else is begun.
    void closeAll();
    std::size_t count() const { return connections_.size(); }

private:
    friend class HttpConnection;
    void release(HttpConnection& connection);
    void startChecking();
    void check();

    Executor& executor_;
    std::shared_ptr<const HttpSettings> settings_;
    Router router_;
    std::unordered_map<HttpConnection*, std::shared_ptr<HttpConnection>> connections_;
    Timer checking_;
    bool isClosing_ = false;
};

// "Sun, 06 Nov 1994 08:49:37 GMT"
std::string httpDate(WallTime time);

}  // namespace epode
