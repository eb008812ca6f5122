#include "stream/client_streams.h"

#include "core/metric.h"
#include "route/server.h"
#include "route/shard.h"
#include "stream/client_stream.h"

namespace epode {

namespace {

Gauge clientStreams{"epode_client_streams", "Client streams that are open"};

constexpr auto checkEvery = std::chrono::seconds{10};

}  // namespace

ClientStreams::ClientStreams(Shard& shard, std::vector<std::unique_ptr<ClientStreams>>& all,
                             const TlsServerContext* tls)
    : shard_{shard}, all_{all}, tls_{tls} {}

ClientStreams::~ClientStreams() = default;

void ClientStreams::accept(std::unique_ptr<Transport> transport) {
    add(std::make_unique<ClientStream>(*this, std::move(transport)));
}

const ClientLimits& ClientStreams::limits(std::string_view host) {
    const auto found = limits_.find(host);
    if (found != limits_.end()) return found->second;
    const std::string_view asked = host.empty() ? shard_.server().hosts().front() : host;
    return limits_.emplace(std::string{host}, ClientLimits{shard_.host(asked)->settings(), asked})
        .first->second;
}

void ClientStreams::add(std::unique_ptr<ClientStream> stream) {
    ClientStream* key = stream.get();
    streams_.emplace(key, std::move(stream));
    clientStreams.add();
    startChecking();
}

std::unique_ptr<ClientStream> ClientStreams::take(ClientStream& stream) {
    auto node = streams_.extract(&stream);
    if (node.empty()) return {};
    clientStreams.add(-1);
    return std::move(node.mapped());
}

void ClientStreams::move(ClientStream& stream, unsigned shard,
                         UniqueFunction<void(ClientStream&)> arrived) {
    ClientStreams& target = *all_[shard];
    auto moving = take(stream);
    auto transport = std::move(moving->transport_);
    Transport::move(std::move(transport), target.shard_.executor(),
                    [&target, moving = std::move(moving),
                     arrived = std::move(arrived)](std::unique_ptr<Transport> transport) mutable {
                        ClientStream& stream = *moving;
                        stream.streams_ = &target;
                        stream.transport_ = std::move(transport);
                        stream.transport_->setUser(stream);
                        stream.xml_.moveTo(target.shard_.parsers());
                        stream.host_ = target.shard_.host(stream.host_->domain());
                        target.add(std::move(moving));
                        arrived(stream);
                    });
}

void ClientStreams::release(ClientStream& stream) {
    auto released = take(stream);
    if (!released) return;
    shard_.executor().post([released = std::move(released)] {});
}

void ClientStreams::closeAll() {
    std::vector<ClientStream*> open;
    for (auto& [key, stream] : streams_) open.push_back(key);
    for (ClientStream* stream : open)
        stream->end({.condition = StreamCondition::SystemShutdown,
                     .text = "The server is going down."});
}

void ClientStreams::startChecking() {
    if (checking_) return;
    checking_ = shard_.executor().after(checkEvery, [this] { check(); });
}

void ClientStreams::check() {
    checking_ = {};
    const SteadyTime now = shard_.executor().now();
    std::vector<ClientStream*> open;
    open.reserve(streams_.size());
    for (auto& [key, stream] : streams_) open.push_back(key);
    for (ClientStream* stream : open)
        if (streams_.contains(stream)) stream->checkActivity(now);
    if (!streams_.empty()) startChecking();
}

}  // namespace epode
