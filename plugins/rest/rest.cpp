// REST (RFC 9110, JSON) for bots and pages, with an OpenAPI document and live events.
#include "service.h"

#include "route/server.h"
#include "route/shard.h"

namespace epode::rest {

namespace {

const Option<Bytes> bodyBytes{
    .key = "rest.body_bytes_max",
    .fallback = 64_KiB,
    .range = {1_KiB, 16_MiB},
    .help = "The largest body of a request in JSON.",
};
const Option<Bytes> pictureBytes{
    .key = "rest.picture_bytes_max",
    .fallback = 512_KiB,
    .range = {1_KiB, 16_MiB},
    .help = "The largest picture that somebody may give himself by REST; see avatar.bytes_max.",
};
const Option<std::int64_t> requests{
    .key = "rest.requests_per_minute",
    .fallback = 600,
    .range = {0, 1000000},
    .help =
        "How many requests one account, or one address (with IPv6: one /64 network), may make in a "
        "minute; 0: any number.",
};
const Option<std::int64_t> eventConnections{
    .key = "rest.event_connections_max",
    .fallback = 5,
    .range = {0, 1000},
    .help = "How many connections for live events an account may have open.",
};
const Option<Bytes> eventBytes{
    .key = "rest.event_bytes_max",
    .fallback = 1_MiB,
    .range = {64_KiB, 64_MiB},
    .help =
        "How much may wait for a reader of live events; one who takes less is ended, and comes "
        "back where he was.",
};
const Option<Duration> keepAlive{
    .key = "rest.event_keep_alive",
    .fallback = std::chrono::seconds{20},
    .range = {std::chrono::seconds{1}, std::chrono::minutes{10}},
    .help = "How often a connection for live events is told that it is still there.",
};
const Option<Duration> sessionIdle{
    .key = "rest.session_idle",
    .fallback = std::chrono::minutes{5},
    .range = {std::chrono::seconds{10}, std::chrono::hours{24}},
    .help =
        "How long after its last request the session ends by which requests of an account are "
        "done, and with it its place in rooms.",
};
const Option<Duration> keyLifetime{
    .key = "rest.idempotency_lifetime",
    .fallback = std::chrono::hours{24},
    .range = {std::chrono::minutes{1}, std::chrono::hours{24 * 30}},
    .help = "How long an Idempotency-Key is known.",
};
const Option<std::int64_t> keys{
    .key = "rest.idempotency_keys_max",
    .fallback = 1000,
    .range = {1, 100000},
    .help = "How many of them are known for an account; the oldest go first.",
};

// Of others: their values are known by their keys.
const Option<std::int64_t> resources{.key = "client.resources_max", .fallback = 20, .help = ""};

constexpr Duration sweepEvery = std::chrono::hours{1};
constexpr Duration sweepMore = std::chrono::seconds{1};
constexpr std::int64_t sweepRows = 1000;
constexpr Duration minute = std::chrono::minutes{1};

}  // namespace

std::vector<OptionRef> restOptions() {
    return {&bodyBytes,   &pictureBytes, &requests, &eventConnections, &eventBytes, &keepAlive,
            &sessionIdle, &keyLifetime,  &keys};
}

Limits::Limits(const PluginContext& context)
    : bodyBytesMax{context.value(bodyBytes)},
      pictureBytesMax{context.value(pictureBytes)},
      requestsPerMinute{context.value(requests)},
      eventConnectionsMax{context.value(eventConnections)},
      eventBytesMax{std::size_t(context.value(eventBytes))},
      keepAlive{context.value(rest::keepAlive)},
      sessionIdle{context.value(rest::sessionIdle)},
      keyLifetime{context.value(rest::keyLifetime)},
      keysMax{context.value(keys)},
      resourcesMax{context.value(resources)} {}

Service::Service(PluginContext& context)
    : server_{context.server()},
      host_{context.host()},
      limits_{context},
      perAddress_{limits_.requestsPerMinute, minute},
      perAccount_{limits_.requestsPerMinute, minute},
      idempotency_{server_.database(), limits_.keyLifetime, limits_.keysMax},
      document_{openApiDocument()},
      page_{humanPage()} {
    for (unsigned i = 0; i < server_.shardCount(); ++i)
        here_.push_back(std::make_shared<Here>(server_.shard(i).executor(), limits_.sessionIdle));
    // Bodies are counted as they come, against what their operation takes: see serving.cpp.
    context.route({.methods = {HttpMethod::Get, HttpMethod::Post, HttpMethod::Put,
                               HttpMethod::Patch, HttpMethod::Delete},
                   .path = std::string{basePath} + "/*",
                   .origins = HttpOrigins::Any,
                   .bodyBytesMax = UINT64_MAX},
                  this, &Service::answer);
    context.on(&Services::releaseOutput, Phase::Act, this, &Service::release);
    if (context.isFirstHost()) context.inBackground(sweepEvery, this, &Service::expireKeys);
}

// Whichever shard lets go of it last: what belongs to one ends on its thread.
Service::~Service() {
    for (auto& here : here_) {
        Executor& executor = here->executor;
        executor.post([here = std::move(here)] {});
    }
}

Task<Duration> Service::expireKeys() {
    const WallTime now = Executor::current()->wallNow();
    const auto gone = co_await idempotency_.expire(now, sweepRows);
    co_return gone < sweepRows ? sweepEvery : sweepMore;
}

namespace {

const PluginInfo info{
    .name = "rest",
    .summary = "REST for bots and pages, with live events and the commands of operators",
    .implements = {{"RFC 9457"}},
    .options = restOptions(),
    .migrations = {&idempotencyTable},
    .accountTables = {idempotencyRows()},
    .byDefault = false,
};

}  // namespace

DECLARE_PLUGIN(Service, info)

}  // namespace epode::rest
