#include "proxy.h"

#include "core/log.h"
#include "core/metric.h"
#include "net/event_loop.h"
#include "route/server.h"

#include <algorithm>

namespace epode::proxy65 {

namespace {

const Log proxyLog{"plugin.proxy65"};

Gauge streamsOpen{"proxy65_streams", "Bytestreams that are open now"};
Counter bytesPassed{"proxy65_bytes_total", "Bytes passed between clients by bytestreams"};

// How much of a stream waits for who reads slowly, besides what the connection itself keeps.
constexpr std::size_t queueMax = 128 * 1024;
constexpr Duration throttleTick = std::chrono::milliseconds{100};
constexpr Duration slowTick = std::chrono::seconds{10};
constexpr Duration drainTick = std::chrono::milliseconds{50};

}  // namespace

// ---- a connection

// Reads as long as nothing speaks against it.
enum class Pause : std::uint8_t { Waiting = 1, PeerIsFull = 2, Throttled = 4, Ending = 8 };

class Proxy::Connection final : public TransportUser {
public:
    Connection(Proxy& proxy, std::uint64_t id, std::unique_ptr<Transport> transport)
        : proxy_{proxy}, id_{id}, transport_{std::move(transport)} {
        transport_->setUser(*this);
        timer_ =
            proxy_.executor_.after(proxy_.settings_.activationMax, [this] { transport_->abort(); });
    }

    std::uint64_t id() const { return id_; }
    const std::string& hash() const { return hash_; }
    Stream* stream = nullptr;
    Connection* peer = nullptr;

    void pause(Pause why) {
        if (pauses_ == 0) transport_->pauseReading();
        pauses_ |= std::uint8_t(why);
    }
    void resume(Pause why) {
        const auto before = pauses_;
        pauses_ &= std::uint8_t(~std::uint8_t(why));
        if (before != 0 && pauses_ == 0) transport_->resumeReading();
    }

    // The stream begins: what came early goes first.
    void begin() {
        timer_.cancel();
        if (auto early = socks_.takeRest(); !early.empty()) pass(early);
        resume(Pause::Waiting);
    }

    // The other side has gone. What is queued for this one is sent, however long it takes to read
    // it.
    void drain(SteadyTime until) {
        peer = nullptr;
        pause(Pause::Ending);
        timer_ = proxy_.executor_.after(drainTick, [this, until] {
            if (transport_->unsentBytes() == 0)
                transport_->closeGracefully();
            else if (proxy_.executor_.now() >= until)
                transport_->abort();
            else
                drain(until);
        });
    }
    void send(std::string_view bytes) { transport_->send(bytes); }
    bool isFull() const { return transport_->unsentBytes() > queueMax; }
    void abort() { transport_->abort(); }

private:
    void onData(std::string_view bytes) override {
        if (stream) return pass(bytes);
        if (pauses_ != 0 || isRefused_) return;
        auto outcome = socks_.take(bytes);
        bool isRefused = outcome.isRefused;
        if (outcome.hash) {
            // Nobody reads ahead: the network keeps what comes before the stream begins.
            pause(Pause::Waiting);
            hash_ = std::move(*outcome.hash);
            if (!proxy_.wait(*this, hash_)) {
                isRefused = true;
                outcome.reply.clear();
                hash_.clear();
            }
        }
        if (!outcome.reply.empty()) transport_->send(outcome.reply);
        if (!isRefused) return;
        isRefused_ = true;
        transport_->closeGracefully();
    }

    void pass(std::string_view bytes);

    void onDrained() override {
        if (peer) peer->resume(Pause::PeerIsFull);
    }

    void onClosed(std::string_view) override { proxy_.forget(*this); }

    Proxy& proxy_;
    const std::uint64_t id_;
    std::unique_ptr<Transport> transport_;
    Socks5Server socks_;
    std::string hash_;  // while it waits, or streams
    Timer timer_;       // until it streams, and when it ends
    std::uint8_t pauses_ = 0;
    bool isRefused_ = false;
};

struct Proxy::Stream {
    Connection* one;
    Connection* other;
    std::string account;
    SteadyTime lastBytes;
    std::int64_t budget = 0;  // until the next tick
    std::uint64_t bytes = 0;
};

void Proxy::Connection::pass(std::string_view bytes) {
    if (!peer) return;
    stream->bytes += bytes.size();
    stream->lastBytes = proxy_.executor_.now();
    bytesPassed.add(std::int64_t(bytes.size()));
    // Asked before more is added: what is over the mark now will tell when it has drained.
    if (peer->isFull()) pause(Pause::PeerIsFull);
    peer->send(bytes);
    if (!proxy_.isLimited()) return;
    stream->budget -= std::int64_t(bytes.size());
    proxy_.budget_ -= std::int64_t(bytes.size());
    const bool isSpent = (proxy_.settings_.streamBytesPerSecond && stream->budget <= 0) ||
                         (proxy_.settings_.totalBytesPerSecond && proxy_.budget_ <= 0);
    if (!isSpent) return;
    stream->one->pause(Pause::Throttled);
    stream->other->pause(Pause::Throttled);
}

// ---- the proxy

std::shared_ptr<Proxy> Proxy::make(Executor& executor) {
    // It ends where its connections live. Once the executor has stopped, nobody else is there any
    // more.
    return {new Proxy{executor}, [&executor](Proxy* proxy) {
                std::unique_ptr<Proxy> owned{proxy};
                if (!executor.isCurrent()) executor.post([owned = std::move(owned)] {});
            }};
}

std::shared_ptr<Proxy> Proxy::of(Server& server) {
    return server.parts().findOrMake<Proxy>({}, [&] { return make(server.shard(0).executor()); });
}

Proxy::Proxy(Executor& executor) : executor_{executor} {}
Proxy::~Proxy() = default;

void Proxy::configure(Settings settings) {
    const bool isElsewhere =
        settings.addresses != settings_.addresses || settings.port != settings_.port ||
        settings.connectionsPerAddressMax != settings_.connectionsPerAddressMax;
    settings_ = std::move(settings);
    budget_ = share(settings_.totalBytesPerSecond);
    for (const auto& stream : streams_) stream->budget = share(settings_.streamBytesPerSecond);
    setTick();
    // Simulated executors have no sockets.
    auto* loop = dynamic_cast<EventLoop*>(&executor_);
    if (!loop || !isElsewhere) return;
    listeners_.clear();
    if (settings_.port == 0) return;
    const auto limit = AddressLimit::make(settings_.connectionsPerAddressMax);
    for (const auto& text : settings_.addresses) {
        const auto address = IpAddress::parse(text, settings_.port);
        if (!address) {
            proxyLog.error("proxy65.addresses has an entry that is no address",
                           {{"address", text}});
            continue;
        }
        try {
            listeners_.push_back(std::make_unique<Listener>(
                *loop, Listener::Settings{.address = *address, .limit = limit},
                [this](std::unique_ptr<Transport> transport) { accept(std::move(transport)); }));
        } catch (const std::exception& failure) {
            proxyLog.error("the proxy for bytestreams can't listen", {{"problem", failure.what()}});
        }
    }
}

void Proxy::accept(std::unique_ptr<Transport> transport) {
    if (connections_.size() >= settings_.connectionsMax) return;  // dropped, and so closed
    const auto id = ++nextId_;
    connections_.emplace(id, std::make_unique<Connection>(*this, id, std::move(transport)));
}

// False when two wait already.
bool Proxy::wait(Connection& connection, const std::string& hash) {
    Waiting& pair = waiting_[hash];
    if (!pair.first) {
        pair.first = &connection;
    } else if (!pair.second) {
        pair.second = &connection;
    } else {
        return false;
    }
    return true;
}

Proxy::Activation Proxy::activate(const std::string& hash, const std::string& account) {
    const auto found = waiting_.find(hash);
    if (found == waiting_.end()) return Activation::Unknown;
    const Waiting pair = found->second;
    if (!pair.first || !pair.second) return Activation::OnlyOneIsThere;
    const auto own = std::count_if(streams_.begin(), streams_.end(),
                                   [&](const auto& stream) { return stream->account == account; });
    if (std::size_t(own) >= settings_.streamsPerAccountMax) return Activation::TooMany;
    waiting_.erase(found);
    auto stream = std::make_unique<Stream>();
    *stream = {.one = pair.first,
               .other = pair.second,
               .account = account,
               .lastBytes = executor_.now(),
               .budget = share(settings_.streamBytesPerSecond)};
    for (Connection* side : {pair.first, pair.second}) side->stream = stream.get();
    pair.first->peer = pair.second;
    pair.second->peer = pair.first;
    streams_.push_back(std::move(stream));
    streamsOpen.add();
    if (!tick_) {
        budget_ = share(settings_.totalBytesPerSecond);
        setTick();
    }
    pair.first->begin();
    pair.second->begin();
    return Activation::Done;
}

// Its transport is calling: it goes in a later turn.
void Proxy::forget(Connection& connection) {
    if (connection.stream) {
        end(*connection.stream, connection);
    } else if (const auto found = waiting_.find(connection.hash()); found != waiting_.end()) {
        Waiting& pair = found->second;
        if (pair.first == &connection) pair.first = std::exchange(pair.second, nullptr);
        if (pair.second == &connection) pair.second = nullptr;
        if (!pair.first) waiting_.erase(found);
    }
    executor_.post([weak = weak_from_this(), id = connection.id()] {
        if (const auto proxy = weak.lock()) proxy->connections_.erase(id);
    });
}

// One side has closed; the other is sent what is queued for it, and closed as well.
void Proxy::end(Stream& stream, Connection& closed) {
    proxyLog.info("a bytestream has ended",
                  {{"account", stream.account}, {"bytes", std::int64_t(stream.bytes)}});
    streamsOpen.add(-1);
    closed.peer->drain(executor_.now() + settings_.idleMax);
    closed.peer->stream = nullptr;
    closed.peer = nullptr;
    closed.stream = nullptr;
    std::erase_if(streams_, [&](const auto& one) { return one.get() == &stream; });
}

// ---- by the clock

std::int64_t Proxy::share(std::uint64_t perSecond) const {
    return std::int64_t(perSecond / (std::chrono::seconds{1} / throttleTick));
}

Duration Proxy::tickInterval() const { return isLimited() ? throttleTick : slowTick; }

void Proxy::setTick() {
    tick_.cancel();
    if (!streams_.empty()) tick_ = executor_.after(tickInterval(), [this] { tick(); });
}

void Proxy::tick() {
    const SteadyTime now = executor_.now();
    const std::int64_t all = share(settings_.totalBytesPerSecond),
                       each = share(settings_.streamBytesPerSecond);
    budget_ = std::min(budget_ + all, all);
    const bool hasTotal = !settings_.totalBytesPerSecond || budget_ > 0;
    for (const auto& stream : streams_) {
        if (now - stream->lastBytes >= settings_.idleMax) {
            stream->one->abort();
            continue;
        }
        stream->budget = std::min(stream->budget + each, each);
        if (!hasTotal || (settings_.streamBytesPerSecond && stream->budget <= 0)) continue;
        stream->one->resume(Pause::Throttled);
        stream->other->resume(Pause::Throttled);
    }
    // Who came first was served first: next time it is somebody else.
    if (streams_.size() > 1) std::rotate(streams_.begin(), streams_.begin() + 1, streams_.end());
    setTick();
}

}  // namespace epode::proxy65
