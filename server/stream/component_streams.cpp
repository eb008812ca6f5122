#include "stream/component_streams.h"

#include "core/metric.h"
#include "route/shard.h"
#include "stream/component_stream.h"

#include <vector>

namespace epode {

namespace {

Gauge componentStreams{"epode_component_streams", "Streams of components that are open"};

constexpr auto checkEvery = std::chrono::seconds{5};

}  // namespace

ComponentStreams::ComponentStreams(Components& components, Shard& shard)
    : components_{components}, shard_{shard} {}

ComponentStreams::~ComponentStreams() { componentStreams.add(-std::int64_t(streams_.size())); }

void ComponentStreams::accept(std::unique_ptr<Transport> transport) {
    const std::uint64_t number = next_++;
    streams_.emplace(number,
                     std::make_unique<ComponentStream>(*this, number, std::move(transport)));
    componentStreams.add();
    startChecking();
}

bool ComponentStreams::deliver(std::uint64_t stream, const StanzaPtr& stanza, const Hold& hold) {
    const auto found = streams_.find(stream);
    if (found == streams_.end() || !found->second->isServing()) return false;
    found->second->deliver(stanza, hold);
    return true;
}

// What is called may end streams; the map changes in later turns only.
template <typename Use>
void ComponentStreams::each(Use use) {
    for (const auto& [number, stream] : streams_) use(number, *stream);
}

void ComponentStreams::settingsChanged() {
    each([](std::uint64_t, ComponentStream& stream) { stream.settingsChanged(); });
}

void ComponentStreams::lookAtOthers(const std::string& domain, std::uint64_t newcomer) {
    each([&](std::uint64_t number, ComponentStream& stream) {
        if (number != newcomer && stream.domain() == domain) stream.provePresence();
    });
}

void ComponentStreams::closeAll(const std::shared_ptr<void>& kept) {
    each([&](std::uint64_t, ComponentStream& stream) {
        stream.endSoon({.condition = StreamCondition::SystemShutdown,
                        .text = "The server is going down and will be back."},
                       kept);
    });
}

void ComponentStreams::release(std::uint64_t stream) {
    shard_.executor().post([this, stream] {
        if (streams_.erase(stream)) componentStreams.add(-1);
    });
}

void ComponentStreams::startChecking() {
    if (checking_) return;
    checking_ = shard_.executor().after(checkEvery, [this] { check(); });
}

void ComponentStreams::check() {
    checking_ = {};
    const SteadyTime now = shard_.executor().now();
    each([now](std::uint64_t, ComponentStream& stream) { stream.checkActivity(now); });
    if (!streams_.empty()) startChecking();
}

}  // namespace epode
