#include "net/sim.h"

#include "net/dane.h"
#include "net/tls_context.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace epode {

// Simulation

Simulation::Simulation(std::uint64_t seed)
    : generator_{seed}, wallAtZero_{fromMilliseconds(1'700'000'000'000)} {
    now_ += std::chrono::hours{1};  // so that "long ago" can be expressed
}

Simulation::~Simulation() {
    for (auto& executor : executors_) executor->stop();
}

SimExecutor& Simulation::addExecutor() {
    executors_.emplace_back(new SimExecutor{*this});
    return *executors_.back();
}

void Simulation::runUntilIdle() {
    for (int turns = 0; turns < 1'000'000; ++turns) {
        std::vector<SimExecutor*> ready;
        for (auto& executor : executors_) {
            if (executor->hasWork()) ready.push_back(executor.get());
        }
        if (ready.empty()) return;
        ready[random(ready.size())]->turn();
    }
    throw std::logic_error{"the simulation does not come to rest"};
}

void Simulation::advance(Duration duration) {
    const auto end = now_ + duration;
    runUntilIdle();
    while (true) {
        auto next = end;
        for (const auto& executor : executors_) {
            if (!executor->timers_.empty()) next = std::min(next, executor->timers_.next());
        }
        now_ = std::max(now_, next);
        runUntilIdle();
        if (next >= end) return;
    }
}

WallTime Simulation::wallNow() const {
    return wallAtZero_ +
           std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch());
}

void Simulation::setWallNow(WallTime time) { wallAtZero_ += time - wallNow(); }

std::uint64_t Simulation::random(std::uint64_t bound) {
    // Not a distribution of the library: those differ from one implementation to the next.
    return generator_() % bound;
}

// SimExecutor

void SimExecutor::post(UniqueFunction<void()> work) {
    if (!isStopped_) posted_.push_back(std::move(work));
}

void SimExecutor::atEndOfTurn(UniqueFunction<void()> work) {
    requireOwnThread();
    if (!isStopped_) endOfTurn_.push_back(std::move(work));
}

Timer SimExecutor::after(Duration delay, UniqueFunction<void()> work) {
    requireOwnThread();
    return {*this, timers_.add(now() + std::max(delay, Duration::zero()), std::move(work))};
}

void SimExecutor::cancelTimer(std::uint64_t id) {
    requireOwnThread();
    timers_.cancel(id);
}

void SimExecutor::requireOwnThread() const {
    if (current() && !isCurrent() && !isStopped_)
        throw std::logic_error{"a timer of another executor's: with threads this is a race"};
}

void SimExecutor::stop() {
    isStopped_ = true;
    while (!posted_.empty() || !endOfTurn_.empty() || !flushes_.empty() || !timers_.empty()) {
        auto posted = std::exchange(posted_, {});
        auto ending = std::exchange(endOfTurn_, {});
        auto flushes = std::exchange(flushes_, {});
        timers_.clear();
    }
}

bool SimExecutor::hasWork() const {
    return !posted_.empty() || !endOfTurn_.empty() || !flushes_.empty() ||
           (!timers_.empty() && timers_.next() <= now());
}

void SimExecutor::turn() {
    const Mark mark{*this};
    timers_.runDue(now());
    auto posted = std::exchange(posted_, {});
    for (auto& work : posted) work();
    while (!endOfTurn_.empty()) {
        auto ending = std::exchange(endOfTurn_, {});
        for (auto& work : ending) work();
    }
    auto flushes = std::exchange(flushes_, {});
    for (auto& work : flushes) work();
}

// SimLink

void SimLink::cut() {
    for (auto& direction : directions_) {
        direction.segments.clear();
        direction.onTheWay = 0;
    }
    for (const auto& end : ends_) {
        if (*end) (*end)->fail("reset by peer");
    }
}

void SimLink::stall() { isStalled_ = true; }

void SimLink::goOn() {
    isStalled_ = false;
    for (const auto& end : ends_) {
        if (*end) (*end)->later(&SimTransport::pump);
    }
}

// SimTransport

SimTransport::Connection SimTransport::connect(SimExecutor& client, SimExecutor& server,
                                               SimLinkSettings settings) {
    auto link = std::make_shared<SimLink>();
    link->settings_ = std::move(settings);
    for (int i = 0; i < 32; ++i) {
        link->exporter_ += static_cast<char>(client.simulation().random(256));
    }
    Connection connection;
    connection.client.reset(new SimTransport{client, link, clientEnd});
    connection.server.reset(new SimTransport{server, link, serverEnd});
    connection.link = std::move(link);
    return connection;
}

SimTransport::SimTransport(SimExecutor& executor, std::shared_ptr<SimLink> link, int end)
    : executor_{&executor},
      link_{std::move(link)},
      end_{end},
      self_{std::make_shared<SimTransport*>(this)} {
    link_->ends_[end] = self_;
}

SimTransport::~SimTransport() {
    *self_ = nullptr;
    if (phase_ == Phase::Open || phase_ == Phase::Closing) put(SimLink::Kind::End);
}

// What is scheduled for a transport dies with it, and with its stay on the executor: arriving on
// another one, it looks for itself.
UniqueFunction<void()> SimTransport::here(void (SimTransport::*work)()) {
    return [self = self_, executor = executor_, work] {
        auto* transport = *self;
        if (!transport || transport->isMoving_ || transport->executor_ != executor) return;
        (transport->*work)();
    };
}

void SimTransport::later(void (SimTransport::*work)()) { executor_->post(here(work)); }

void SimTransport::schedule(SteadyTime time, void (SimTransport::*work)()) {
    executor_->at(time, here(work));
}

void SimTransport::wantFlush() {
    if (isFlushWanted_ || isMoving_) return;
    isFlushWanted_ = true;
    executor_->atFlush(here(&SimTransport::flush));
}

void SimTransport::flush() {
    isFlushWanted_ = false;
    if (phase_ == Phase::Closed || phase_ == Phase::Lingering) {
        output_.clear();
        return;
    }
    if (tls_ == Tls::Leaving) dropEarlyInput();
    if (tls_ == Tls::None || tls_ == Tls::Open) backlog_ += std::exchange(output_, {});
    const auto room =
        link_->settings_.window - std::min(link_->settings_.window, outgoing().onTheWay);
    if (const auto size = std::min(room, backlog_.size()); size > 0) {
        put(SimLink::Kind::Data, backlog_.substr(0, size));
        backlog_.erase(0, size);
    }
    if (backlog_.size() > highMark) isAboveHighMark_ = true;
    if (!backlog_.empty()) return;
    if (tls_ == Tls::Leaving) beginTls();
    if (phase_ == Phase::Closing) {
        put(SimLink::Kind::End);
        phase_ = Phase::Lingering;
    }
}

// What came by now came in the clear (see TcpTransport).
void SimTransport::dropEarlyInput() {
    auto& direction = incoming();
    std::erase_if(direction.segments, [&](const auto& segment) {
        const auto isEarly =
            segment.kind == SimLink::Kind::Data && segment.arrives <= executor_->now();
        if (isEarly) direction.onTheWay -= segment.bytes.size();
        return isEarly;
    });
}

void SimTransport::put(SimLink::Kind kind, std::string bytes) {
    auto& direction = outgoing();
    const auto& peer = link_->ends_[1 - end_];
    if (!*peer || (*peer)->phase_ == Phase::Closed) return;  // nobody is there to hear it
    // Nothing overtakes, even when the test has shortened the delay.
    auto arrives = executor_->now() + link_->settings_.delay;
    if (!direction.segments.empty()) {
        arrives = std::max(arrives, direction.segments.back().arrives);
    }
    direction.onTheWay += bytes.size();
    direction.segments.push_back({arrives, kind, tls_ == Tls::Open, std::move(bytes)});
    (*peer)->schedule(arrives, &SimTransport::pump);
}

// Takes one segment or a part of one, as a loop reads once for each turn.
void SimTransport::pump() {
    auto& direction = incoming();
    if (!mayRead() || direction.segments.empty()) return;
    if (phase_ == Phase::Open && isPaused_ &&
        direction.segments.front().kind != SimLink::Kind::Reset) {
        return;
    }
    auto& front = direction.segments.front();
    if (front.arrives > executor_->now()) {
        schedule(front.arrives, &SimTransport::pump);
        return;
    }
    auto size = front.bytes.size();
    if (const auto most = link_->settings_.chunkMax; most > 0 && size > 0) {
        size = std::min<std::size_t>(size, 1 + executor_->simulation().random(most));
    }
    SimLink::Segment segment{front.arrives, front.kind, front.isSecured,
                             front.bytes.substr(0, size)};
    front.bytes.erase(0, size);
    if (front.bytes.empty()) direction.segments.pop_front();
    direction.onTheWay -= size;
    direction.delivered += size;
    if (const auto& peer = link_->ends_[1 - end_]; size > 0 && *peer) {
        (*peer)->later(&SimTransport::writable);
    }
    if (!direction.segments.empty()) later(&SimTransport::pump);
    take(std::move(segment));
}

void SimTransport::take(SimLink::Segment segment) {
    switch (segment.kind) {
        case SimLink::Kind::Data:
            takeData(segment.bytes, segment.isSecured);
            break;
        case SimLink::Kind::ClientHello:
            if (tls_ == Tls::Handshaking) {
                put(SimLink::Kind::ServerFinished);
                secured();
            } else if (phase_ == Phase::Open && tls_ != Tls::Leaving) {
                finish("TLS began where plain text was expected");
            }
            break;
        case SimLink::Kind::ServerFinished:
            if (tls_ == Tls::Handshaking) secured();
            break;
        case SimLink::Kind::End:
            finish(phase_ == Phase::Open ? "closed by peer" : "closed");
            break;
        case SimLink::Kind::Reset:
            finish("reset by peer");
            break;
    }
}

void SimTransport::takeData(std::string_view bytes, bool isSecured) {
    if (phase_ != Phase::Open || tls_ == Tls::Leaving) return;
    if (tls_ == Tls::Handshaking || isSecured != (tls_ == Tls::Open)) {
        finish("TLS handshake failed: what came is no TLS");
        return;
    }
    user_->onData(bytes);
}

void SimTransport::writable() {
    if (phase_ == Phase::Closed || backlog_.empty()) return;
    flush();
    if (!isAboveHighMark_ || backlog_.size() >= lowMark) return;
    isAboveHighMark_ = false;
    if (phase_ == Phase::Open) user_->onDrained();
}

void SimTransport::closeGracefully() {
    if (phase_ != Phase::Open) return;
    phase_ = Phase::Closing;
    if (tls_ == Tls::Handshaking) output_.clear();
    wantFlush();
    linger_ = executor_->after(lingerMax, [this] { finish("closed; the peer was too slow"); });
    later(&SimTransport::pump);
}

void SimTransport::abort() {
    if (phase_ == Phase::Closed) return;
    put(SimLink::Kind::Reset);
    fail("aborted");
}

void SimTransport::startTls(const TlsServerContext&) {
    if (phase_ != Phase::Open || tls_ != Tls::None) return;
    tls_ = Tls::Leaving;
    backlog_ += std::exchange(output_, {});
    wantFlush();
}

void SimTransport::startTls(const TlsClientContext& context, std::string_view serverName) {
    if (context.demand()) {
        // What the server will show is known beforehand here.
        auto& settings = link_->settings_;
        settings.problem = daneProblem(*context.demand(), settings.serverCertificate);
        settings.isServerVerified = settings.problem.empty();
    }
    startTls(serverName);
}

void SimTransport::startTls(std::string_view serverName) {
    if (phase_ != Phase::Open || tls_ != Tls::None) return;
    link_->serverName_ = serverName;
    tls_ = Tls::Leaving;
    backlog_ += std::exchange(output_, {});
    wantFlush();
}

void SimTransport::beginTls() {
    tls_ = Tls::Handshaking;
    if (end_ == clientEnd) put(SimLink::Kind::ClientHello);
}

void SimTransport::secured() {
    tls_ = Tls::Open;
    info_.emplace();
    info_->version = "TLSv1.3";
    info_->cipher = "TLS_AES_128_GCM_SHA256";
    info_->serverName = link_->serverName_;
    info_->exporter = link_->exporter_;
    info_->serverEndPoint = "the end point's certificate, hash";
    info_->serverEndPoint.resize(32, '.');
    const auto& settings = link_->settings_;
    info_->peerCertificate =
        end_ == serverEnd ? settings.clientCertificate : settings.serverCertificate;
    info_->peerVerified = end_ == serverEnd ? settings.isClientVerified : settings.isServerVerified;
    if (!info_->peerVerified) info_->peerProblem = settings.problem;
    if (!output_.empty()) wantFlush();
    user_->onSecured();
}

void SimTransport::forgetLoginSecrets() {
    if (!info_) return;
    TlsInfo kept;
    kept.version = info_->version;
    kept.cipher = info_->cipher;
    info_ = std::move(kept);
}

void SimTransport::resumeReading() {
    if (!std::exchange(isPaused_, false) || isMoving_) return;
    later(&SimTransport::pump);
}

void SimTransport::doMove(std::unique_ptr<Transport> self, Executor& to,
                          UniqueFunction<void(std::unique_ptr<Transport>)> arrived) {
    isMoving_ = true;
    executor_->atEndOfTurn([self = std::move(self), target = static_cast<SimExecutor*>(&to),
                            arrived = std::move(arrived)]() mutable {
        static_cast<SimTransport&>(*self).linger_.cancel();
        target->post([self = std::move(self), target, arrived = std::move(arrived)]() mutable {
            auto& transport = static_cast<SimTransport&>(*self);
            transport.executor_ = target;
            transport.isMoving_ = false;
            transport.isFlushWanted_ = false;
            transport.later(&SimTransport::pump);
            transport.later(&SimTransport::tellFailure);
            transport.later(&SimTransport::writable);
            if (transport.phase_ != Phase::Closed) transport.wantFlush();
            if (transport.phase_ == Phase::Closing || transport.phase_ == Phase::Lingering) {
                auto* moved = &transport;
                transport.linger_ = target->after(
                    lingerMax, [moved] { moved->finish("closed; the peer was too slow"); });
            }
            arrived(std::move(self));
        });
    });
}

std::string SimTransport::peerAddress() const {
    return end_ == serverEnd ? link_->settings_.clientAddress : link_->settings_.serverAddress;
}

std::string SimTransport::localAddress() const {
    return end_ == serverEnd ? link_->settings_.serverAddress : link_->settings_.clientAddress;
}

void SimTransport::fail(std::string reason) {
    if (phase_ == Phase::Closed) return;
    phase_ = Phase::Closed;
    failure_ = std::move(reason);
    if (!isMoving_) later(&SimTransport::tellFailure);
}

void SimTransport::tellFailure() {
    linger_.cancel();  // not in `fail`, which may come from the other end's turn
    if (failure_.empty()) return;
    const auto failure = std::exchange(failure_, {});
    user_->onClosed(failure);
}

void SimTransport::finish(std::string_view reason) {
    if (isMoving_) {
        fail(std::string{reason});
        return;
    }
    if (phase_ == Phase::Closed) return;
    // An end that is found closed answers with its own, as a socket does when it is closed.
    if (phase_ == Phase::Open || phase_ == Phase::Closing) put(SimLink::Kind::End);
    phase_ = Phase::Closed;
    linger_.cancel();
    user_->onClosed(reason);
}

}  // namespace epode
