#include "stream/remotes.h"

#include "core/hold.h"
#include "core/log.h"
#include "route/server.h"
#include "route/shard.h"
#include "stream/federation.h"
#include "stream/remote_carrier.h"
#include "stream/remote_incoming.h"
#include "stream/remote_meeting.h"
#include "stream/remote_outgoing.h"

#include <utility>

namespace epode {

namespace {

const Log remoteLog{"s2s"};

constexpr auto checkEvery = std::chrono::seconds{5};
constexpr std::size_t historiesMax = 2000;  // domains whose last failure is remembered
constexpr auto safetyCheck = std::chrono::milliseconds{20};
constexpr int safetyChecksMax = 400;

bool isBelow(std::string_view domain, std::string_view above) {
    return domain.size() > above.size() + 1 && domain.ends_with(above) &&
           domain[domain.size() - above.size() - 1] == '.';
}

}  // namespace

Remotes::Remotes(Federation& federation, Shard& shard, RemoteSettingsPtr settings)
    : federation_{federation},
      shard_{shard},
      settings_{std::move(settings)},
      meeting_{std::make_unique<RemoteMeeting>(shard)} {}

Remotes::~Remotes() {
    // Streams first: they tell their links.
    polling_.clear();
    links_.clear();
    verifiers_.clear();
    probes_.clear();
    streams_.clear();
}

void Remotes::configure(RemoteSettingsPtr settings) {
    settings_ = std::move(settings);
    for (const auto& [pair, link] : links_) link->settingsChanged();
    for (const auto& [pair, link] : verifiers_) link->settingsChanged();
    const auto incoming = incoming_;
    for (const auto& [number, stream] : incoming) stream->settingsChanged();
}

// ---- links

RemoteLink* Remotes::findLink(std::string_view local, std::string_view remote) {
    const auto found = links_.find(std::pair{local, remote});
    return found == links_.end() ? nullptr : found->second.get();
}

RemoteLink* Remotes::link(const std::string& local, const std::string& remote) {
    if (RemoteLink* known = findLink(local, remote)) return known;
    if (links_.size() * federation_.shardCount() >= settings_->domainsMax) return nullptr;
    startChecking();
    return links_.emplace(Pair{local, remote}, std::make_unique<RemoteLink>(*this, local, remote))
        .first->second.get();
}

void Remotes::send(const StanzaPtr& stanza, const Hold& hold) {
    RemoteLink* link = findLink(stanza->from().domain(), stanza->to().domain());
    if (!link)
        link = this->link(std::string{stanza->from().domain()}, std::string{stanza->to().domain()});
    if (link) {
        link->send(stanza, hold);
        return;
    }
    if (!stanza->isPresence())
        shard_.refuse(*stanza,
                      {ErrorType::Wait, Condition::ResourceConstraint,
                       "This server talks with as many domains as it may; try again later."});
}

void Remotes::restore(std::string local, std::string remote, RemoteLink::Stored stored) {
    auto& link = links_[Pair{local, remote}];
    if (!link) link = std::make_unique<RemoteLink>(*this, std::move(local), std::move(remote));
    link->restore(std::move(stored));
    startChecking();
}

void Remotes::verify(const std::string& local, const std::string& remote, std::string id,
                     std::string key, RemoteLink::Verified done) {
    RemoteLink* link = this->link(local, remote);
    if (link && link->hasWayBack()) {
        auto& verifier = verifiers_[Pair{local, remote}];
        if (!verifier) verifier = std::make_unique<RemoteLink>(*this, local, remote);
        link = verifier.get();
    }
    if (link)
        link->verify(std::move(id), std::move(key), std::move(done));
    else
        done(RemoteLink::Verdict::NotReached);
}

void Remotes::isThere(const std::string& remote) {
    for (const auto& [pair, link] : links_)
        if (link->isWaiting() && (pair.second == remote || isBelow(pair.second, remote)))
            link->isThere();
}

void Remotes::ponged(const std::string& local, const std::string& remote, const std::string& id) {
    if (RemoteLink* link = findLink(local, remote)) link->ponged(id);
    for (const auto& [number, probe] : probes_) {
        if (probe->local() != local || probe->remote() != remote) continue;
        probe->ponged(id);
        return;  // it may be gone
    }
}

// ---- the way back

void Remotes::offered(const std::string& local, const std::string& remote,
                      RemoteReverse::Offer offer) {
    if (RemoteLink* link = this->link(local, remote)) link->offered(std::move(offer));
}

bool Remotes::resumedBack(const std::string& local, const std::string& remote,
                          RemoteReverse::Offer offer) {
    RemoteLink* link = findLink(local, remote);
    return link && link->resumedBack(std::move(offer));
}

void Remotes::withdrawn(const std::string& local, const std::string& remote, unsigned shard,
                        std::uint64_t stream, const std::string& reason, RemoteLink::Loss loss) {
    if (RemoteLink* link = findLink(local, remote)) link->withdrawn(shard, stream, reason, loss);
}

void Remotes::acknowledgedBack(const std::string& local, const std::string& remote, unsigned shard,
                               std::uint64_t stream, std::uint32_t h) {
    if (RemoteLink* link = findLink(local, remote)) link->acknowledgedBack(shard, stream, h);
}

void Remotes::meetAgain(const std::string& remote) { meeting_->add(remote); }

void Remotes::explain(const std::string& local, const std::string& remote, RemoteTrace trace,
                      UniqueFunction<void()> done) {
    const std::uint64_t number = next_++;
    RemoteLink& probe =
        *probes_
             .emplace(number, std::make_unique<RemoteLink>(*this, local, remote, std::move(trace)))
             .first->second;
    probe.probe([this, number, done = std::move(done)]() mutable {
        // Called by the link itself, which ends in a later turn.
        shard_.executor().post([this, number, done = std::move(done)]() mutable {
            probes_.erase(number);
            done();
        });
    });
}

// ---- connections

void Remotes::accept(std::unique_ptr<Transport> transport) {
    auto place = federation_.placeFor(transport->peerAddress());
    if (!place) {
        remoteLog.info("an address has too many connections that haven't shown whose they are",
                       {{"address", transport->peerAddress()}});
        return;
    }
    const std::uint64_t number = next_++;
    auto stream =
        std::make_unique<RemoteIncoming>(*this, number, std::move(transport), std::move(*place));
    incoming_.emplace(number, stream.get());
    streams_.emplace(number, std::move(stream));
    startChecking();
}

RemoteOutgoing& Remotes::open(RemoteLink& link, RemoteDial::Connection connection) {
    const std::uint64_t number = next_++;
    auto stream = std::make_unique<RemoteOutgoing>(*this, link, number, std::move(connection));
    RemoteOutgoing& opened = *stream;
    outgoing_.emplace(number, &opened);
    streams_.emplace(number, std::move(stream));
    startChecking();
    return opened;
}

RemoteIncoming* Remotes::incoming(std::uint64_t number) {
    const auto found = incoming_.find(number);
    return found == incoming_.end() || found->second->isOver() ? nullptr : found->second;
}

RemoteOutgoing* Remotes::outgoing(std::uint64_t number) {
    const auto found = outgoing_.find(number);
    return found == outgoing_.end() || found->second->isOver() ? nullptr : found->second;
}

RemoteReceiver* Remotes::receiver(std::uint64_t number) {
    if (RemoteIncoming* stream = incoming(number)) return stream;
    return outgoing(number);
}

void Remotes::release(std::uint64_t stream) {
    incoming_.erase(stream);
    outgoing_.erase(stream);
    shard_.executor().post([this, stream] { streams_.erase(stream); });
}

// ---- resumption

bool Remotes::keepResumable(const std::string& id, Resumable resumable) {
    if (!federation_.noteResumable(id, resumable.remote, *this)) return false;
    resumables_.insert_or_assign(id, std::move(resumable));
    return true;
}

void Remotes::lostConnection(const std::string& id, std::uint64_t stream) {
    const auto found = resumables_.find(id);
    if (found == resumables_.end() || found->second.stream != stream) return;
    found->second.stream = 0;
    found->second.expiry = shard_.executor().after(settings_->resumeTimeout, [this, id] {
        resumables_.erase(id);
        federation_.forgetResumable(id, shard_.number());
    });
}

void Remotes::dropMovedResumable(const std::string& id) {
    if (federation_.homeOfResumable(id) != shard_.number()) resumables_.erase(id);
}

void Remotes::takeResumable(const std::string& id, const std::string& local,
                            const std::string& remote, bool isWayBack, Taken done) {
    const auto found = resumables_.find(id);
    if (found == resumables_.end() || found->second.local != local ||
        found->second.remote != remote || found->second.isWayBack != isWayBack) {
        done(std::nullopt);
        return;
    }
    const std::uint64_t attempt = found->second.attempt = next_++;
    const auto window = found->second.window;
    // Its connection is lost, and we haven't noticed.
    if (RemoteIncoming* before = incoming(found->second.stream))
        before->end({.condition = StreamCondition::Conflict,
                     .text = "The stream was resumed on another connection."});
    awaitSafety(window, [this, id, attempt, done = std::move(done)](std::uint32_t handled) mutable {
        const auto found = resumables_.find(id);
        if (found == resumables_.end() || found->second.attempt != attempt)
            done(std::nullopt);
        else
            done(handled);
    });
}

void Remotes::awaitSafety(std::shared_ptr<AckWindow> window,
                          UniqueFunction<void(std::uint32_t)> done) {
    pollSafety(std::move(window), safetyChecksMax, std::move(done));
}

void Remotes::pollSafety(std::shared_ptr<AckWindow> window, int patience,
                         UniqueFunction<void(std::uint32_t)> done) {
    if (window->unsafe() == 0 || patience == 0) {
        done(window->safe());
        return;
    }
    const std::uint64_t number = next_++;
    polling_[number] = shard_.executor().after(
        safetyCheck, [this, number, window, patience, done = std::move(done)]() mutable {
            const auto mine = polling_.extract(number);
            pollSafety(std::move(window), patience - 1, std::move(done));
        });
}

// ---- upkeep

RemoteHistory& Remotes::history(std::string_view remote) {
    if (const auto found = histories_.find(remote); found != histories_.end()) return found->second;
    if (histories_.size() >= historiesMax)
        std::erase_if(histories_, [this](const auto& entry) {
            const auto used =
                links_.lower_bound(std::pair{std::string_view{}, std::string_view{entry.first}});
            return used == links_.end() || used->first.second != entry.first;
        });
    return histories_[std::string{remote}];
}

void Remotes::startChecking() {
    if (checking_) return;
    checking_ = shard_.executor().after(checkEvery, [this] {
        checking_ = {};
        check();
    });
}

// What is called may end streams, which are freed in later turns.
void Remotes::check() {
    const SteadyTime now = shard_.executor().now();
    for (auto* links : {&links_, &verifiers_}) {
        for (const auto& [pair, link] : *links) link->check(now);
        std::erase_if(*links,
                      [now](const auto& entry) { return entry.second->isForgettable(now); });
    }
    const auto incoming = incoming_;
    for (const auto& [number, stream] : incoming) stream->checkActivity(now);
    const auto outgoing = outgoing_;
    for (const auto& [number, stream] : outgoing) stream->closeIfIdle(now);
    if (!links_.empty() || !verifiers_.empty() || !streams_.empty()) startChecking();
}

std::vector<Remotes::LinkStatus> Remotes::status(std::string_view remote) {
    std::vector<LinkStatus> all;
    for (const auto& [pair, link] : links_) {
        if (!remote.empty() && pair.second != remote) continue;
        LinkStatus status{.local = pair.first,
                          .remote = pair.second,
                          .direction = "out",
                          .state = std::string{link->stateText()},
                          .queued = link->queued(),
                          .queuedBytes = link->queuedBytes()};
        if (const RemoteCarrier* stream = link->stream()) {
            const auto facts = stream->status();
            if (!facts.isOver) {
                status.address = facts.address;
                status.authentication = facts.shownBy;
                status.isSecured = facts.isSecured;
                status.since = facts.since;
            }
        }
        if (link->lastFailure()) status.problem = link->lastFailure()->text;
        all.push_back(std::move(status));
    }
    for (const auto& [number, stream] : streams_) {
        if (stream->isOver()) continue;
        for (const auto& [local, theirs] : stream->pairs()) {
            if (!remote.empty() && theirs != remote) continue;
            all.push_back({.local = local,
                           .remote = theirs,
                           .direction = "in",
                           .state = "ready",
                           .address = stream->peerAddress(),
                           .authentication = std::string{stream->shownBy()},
                           .isSecured = stream->isSecured(),
                           .since = stream->since(),
                           .problem = {}});
        }
    }
    return all;
}

void Remotes::closeAll(const std::shared_ptr<void>& kept) {
    const auto incoming = incoming_;
    for (const auto& [number, stream] : incoming)
        if (!stream->isWayBack()) stream->closeDown();
    for (const auto& [pair, link] : links_) link->closeDown(kept);
    for (const auto& [pair, link] : verifiers_) link->closeDown(kept);
}

}  // namespace epode
