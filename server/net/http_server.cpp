#include "net/http_server.h"

#include "core/metric.h"
#include "net/http_connection.h"

namespace epode {

namespace {

Gauge httpConnections{"epode_http_connections", "Connections of HTTP that are open"};
Counter tooMany{"epode_http_refused_connections_total",
                "Connections of HTTP refused because there were as many as there may be"};

constexpr auto checkEvery = std::chrono::seconds{2};

}  // namespace

HttpServer::HttpServer(Executor& executor, std::shared_ptr<const HttpSettings> settings,
                       Router router)
    : executor_{executor}, settings_{std::move(settings)}, router_{std::move(router)} {}

HttpServer::~HttpServer() { httpConnections.add(-std::int64_t(connections_.size())); }

void HttpServer::accept(std::unique_ptr<Transport> transport, bool isDirectTls) {
    auto connection = std::make_shared<HttpConnection>(*this, std::move(transport), isDirectTls);
    HttpConnection* key = connection.get();
    connections_.emplace(key, std::move(connection));
    httpConnections.add();
    startChecking();
    if (isClosing_ || std::int64_t(connections_.size()) > settings_->connectionsMax) {
        if (!isClosing_) tooMany.add();
        key->closeSoon();
    }
}

void HttpServer::release(HttpConnection& connection) {
    auto node = connections_.extract(&connection);
    if (node.empty()) return;
    httpConnections.add(-1);
    // It is on the stack; a later turn frees it.
    executor_.post([released = std::move(node.mapped())] {});
}

void HttpServer::closeAll() {
    isClosing_ = true;
    std::vector<std::shared_ptr<HttpConnection>> open;
    for (auto& [key, connection] : connections_) open.push_back(connection);
    for (auto& connection : open) connection->closeSoon();
}

void HttpServer::startChecking() {
    if (checking_) return;
    checking_ = executor_.after(checkEvery, [this] { check(); });
}

void HttpServer::check() {
    checking_ = {};
    const SteadyTime now = executor_.now();
    std::vector<std::shared_ptr<HttpConnection>> open;
    open.reserve(connections_.size());
    for (auto& [key, connection] : connections_) open.push_back(connection);
    for (auto& connection : open) connection->check(now);
    if (!connections_.empty()) startChecking();
}

}  // namespace epode
