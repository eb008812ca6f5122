#include "control/http_face.h"

#include "control/discovery_pages.h"
#include "control/http_options.h"
#include "control/server_commands.h"
#include "core/log.h"
#include "net/address_limit.h"
#include "store/database.h"
#include "stream/bosh_sessions.h"
#include "stream/client_streams.h"
#include "stream/web_socket_door.h"

#include <algorithm>

namespace epode {

namespace {

const Log httpLog{"http"};

constexpr std::string_view textPage = "text/plain; charset=utf-8";
// What the wrapper of a request of BOSH adds to its stanzas.
constexpr std::uint64_t boshWrapperBytes = 4096;

std::vector<IpNetwork> networksOf(const std::vector<std::string>& texts, std::string_view option) {
    std::vector<IpNetwork> networks;
    for (const auto& text : texts) {
        if (const auto network = IpNetwork::parse(text))
            networks.push_back(*network);
        else
            httpLog.error("an option has an entry that is neither an address nor a network",
                          {{"option", option}, {"entry", text}});
    }
    return networks;
}

std::shared_ptr<const HttpSettings> readSettings(const Settings& settings, std::size_t shards) {
    auto read = std::make_shared<HttpSettings>();
    read->parser.headBytesMax = settings.get(httpOption::headBytesMax);
    read->parser.targetBytesMax = read->parser.headBytesMax / 2;
    read->parser.fieldsMax = std::size_t(settings.get(httpOption::fieldsMax));
    read->headTimeout = settings.get(httpOption::headTimeout);
    read->bodyTimeout = settings.get(httpOption::bodyTimeout);
    read->idleTimeout = settings.get(httpOption::idleTimeout);
    read->writeTimeout = settings.get(httpOption::writeTimeout);
    const auto most = settings.get(httpOption::connectionsMax);
    read->connectionsMax = std::max<std::int64_t>(1, most / std::int64_t(shards));
    read->trustedProxies =
        networksOf(settings.get(httpOption::trustedProxies), "http.trusted_proxies");
    read->takesProxyProtocol = settings.get(httpOption::proxyProtocol);
    read->logsAccess = settings.get(httpOption::accessLog);
    return read;
}

}  // namespace

// The part of one shard.
struct HttpFace::Loop {
    Loop(Shard& ofShard, ClientStreams& ofStreams, std::shared_ptr<const HttpSettings> settings,
         HttpServer::Router router)
        : shard{ofShard},
          streams{ofStreams},
          server{ofShard.executor(), std::move(settings), std::move(router)} {}

    Shard& shard;
    ClientStreams& streams;
    std::vector<HttpRoute> routes;
    std::vector<IpNetwork> statusNetworks;
    std::shared_ptr<AddressLimit> limit;
    HttpServer server;
};

HttpFace::HttpFace(Server& server, std::vector<std::unique_ptr<ClientStreams>>& streams,
                   SettingsPtr settings)
    : server_{server} {
    // Behind a proxy the loops' listeners see one address; what clients say of theirs is counted
    // here.
    const auto limit = AddressLimit::make(settings->get(connectionsPerAddressMax));
    bosh_ = std::make_shared<BoshSessions>(limit);
    for (unsigned i = 0; i < server.shardCount(); ++i) {
        auto loop = std::make_unique<Loop>(server.shard(i), *streams[i],
                                           readSettings(*settings, server.shardCount()),
                                           HttpServer::Router{});
        Loop& made = *loop;
        made.server.setRouter(
            [this, &made](const HttpRequest& request) { return find(made, request); });
        made.limit = limit;
        made.statusNetworks =
            networksOf(settings->get(httpOption::statusAddresses), "http.status_addresses");
        addRoutes(made);
        loops_.push_back(std::move(loop));
    }
}

HttpFace::~HttpFace() = default;

void HttpFace::accept(unsigned shard, std::unique_ptr<Transport> transport, Door door) {
    loops_[shard]->server.accept(std::move(transport), door == Door::Tls);
}

void HttpFace::replace(unsigned shard, SettingsPtr settings) {
    Loop& loop = *loops_[shard];
    loop.server.replace(readSettings(*settings, loops_.size()));
    loop.limit->setMost(settings->get(connectionsPerAddressMax));
    loop.statusNetworks =
        networksOf(settings->get(httpOption::statusAddresses), "http.status_addresses");
}

void HttpFace::close(unsigned shard) { loops_[shard]->server.closeAll(); }

std::size_t HttpFace::count(unsigned shard) const { return loops_[shard]->server.count(); }

Host& HttpFace::hostOf(Loop& loop, const HttpRequest& request) const {
    if (Host* host = loop.shard.host(request.host)) return *host;
    for (const auto& [domain, host] : loop.shard.hosts()) {
        const auto& names = host->get(httpOption::names);
        if (std::any_of(names.begin(), names.end(), [&](const std::string& name) {
                return equalIgnoringCase(name, request.host);
            }))
            return *host;
    }
    return *loop.shard.host(server_.hosts().front());
}

// The server's own routes first: no plugin takes the place of one.
HttpServer::Match HttpFace::find(Loop& loop, const HttpRequest& request) const {
    HttpServer::Match match;
    match.route = findHttpRoute(loop.routes, request.path, request.method, match.hasPath);
    if (match.route) return match;
    const Host& host = hostOf(loop, request);
    match.route =
        findHttpRoute(host.services().httpRoutes, request.path, request.method, match.hasPath);
    if (match.route) match.kept = host.sharedServices();
    return match;
}

void HttpFace::addRoutes(Loop& loop) {
    const auto add = [&](HttpMethod method, std::string path, HttpOrigins origins,
                         std::function<void(const HttpExchangePtr&)> handle,
                         std::uint64_t bodyBytesMax = 0) {
        loop.routes.push_back({.methods = {method},
                               .path = std::move(path),
                               .origins = origins,
                               .bodyBytesMax = bodyBytesMax,
                               .handle = std::move(handle)});
    };
    const auto page = [&](std::string path, std::string type, std::string (*make)(const Host&)) {
        add(HttpMethod::Get, std::move(path), HttpOrigins::Any,
            [this, &loop, type = std::move(type), make](const HttpExchangePtr& exchange) {
                exchange->answer(HttpResponse::of(type, make(hostOf(loop, exchange->request())))
                                     .set("Cache-Control", "max-age=3600"));
            });
    };
    // For those who look after the server; to all others it is not there.
    const auto status = [&](std::string path, HttpResponse (*make)(Server&)) {
        add(HttpMethod::Get, std::move(path), HttpOrigins::Same,
            [this, &loop, make](const HttpExchangePtr& exchange) {
                const auto address = IpAddress::parse(exchange->request().address);
                if (!address || !anyContains(loop.statusNetworks, *address)) {
                    exchange->answer(HttpResponse::error(404));
                    return;
                }
                exchange->answer(make(server_).set("Cache-Control", "no-store"));
            });
    };

    page("/.well-known/host-meta", "application/xrd+xml; charset=utf-8", hostMetaXml);
    page("/.well-known/host-meta.json", "application/json", hostMetaJson);

    status("/metrics", [](Server&) {
        return HttpResponse::of("text/plain; version=0.0.4; charset=utf-8", prometheusText());
    });
    status("/health/live", [](Server&) { return HttpResponse::of(textPage, "alive\n"); });
    status("/health/ready", [](Server& server) {
        const auto health = server.database().health();
        const bool isReady = health.available && !server.isStopping();
        HttpResponse response =
            HttpResponse::of(textPage, isReady               ? "ready\n"
                                       : server.isStopping() ? "the server is stopping\n"
                                                             : "the database is not available\n");
        response.status = isReady ? 200 : 503;
        return response;
    });

    add(HttpMethod::Get, "/xmpp-websocket", HttpOrigins::Same,
        [this, &loop](const HttpExchangePtr& exchange) {
            const Host& host = hostOf(loop, exchange->request());
            if (!host.get(httpOption::webSocket)) {
                exchange->answer(HttpResponse::error(404));
                return;
            }
            openWebSocket(exchange, loop.streams,
                          {.origins = host.get(httpOption::origins),
                           .limit = loop.limit,
                           .host = host.domain(),
                           .mayCompress = host.get(httpOption::webSocketCompression)});
        });

    std::uint64_t largest = 0;
    for (const auto& [domain, host] : loop.shard.hosts())
        largest = std::max<std::uint64_t>(largest,
                                          loop.streams.limits(domain).afterLogin.elementBytesMax);
    add(
        HttpMethod::Post, "/http-bind", HttpOrigins::Any,
        [this, &loop](const HttpExchangePtr& exchange) {
            const Host& host = hostOf(loop, exchange->request());
            if (!host.get(httpOption::bosh)) {
                exchange->answer(HttpResponse::error(404));
                return;
            }
            BoshSettings settings;
            settings.waitMax = host.get(httpOption::boshWait);
            settings.inactivity = host.get(httpOption::boshInactivity);
            exchange->readBody([this, &loop, exchange, settings](std::string text) {
                bosh_->receive(exchange, std::move(text), loop.streams, settings);
            });
        },
        largest + boshWrapperBytes);
}

}  // namespace epode
