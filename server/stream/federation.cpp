#include "stream/federation.h"

#include "core/digest.h"
#include "core/log.h"
#include "net/tls_context.h"
#include "route/shard.h"
#include "stream/remote_incoming.h"

#include <algorithm>

namespace epode {

namespace {

const Log remoteLog{"s2s"};

// Rows are numbered by the time, with so many bits for those of one millisecond.
constexpr int rowBits = 12;

bool isBelow(std::string_view domain, std::string_view host) {
    return domain.size() > host.size() + 1 && domain.ends_with(host) &&
           domain[domain.size() - host.size() - 1] == '.';
}

}  // namespace

Federation::Federation(Server& server, Parts parts, const Settings& settings, bool isOn)
    : server_{server},
      parts_{std::move(parts)},
      store_{server.database()},
      // Known to nobody, and the same after a restart: keys that are on their way stay right.
      dialbackSecret_{hmac(Hash::Sha256, server.saltSecret(), "server dialback")} {
    const auto read = std::make_shared<const RemoteSettings>(settings, isOn);
    unauthenticated_ = AddressLimit::make(read->unauthenticatedMax);
    queuedBytesMax_ = read->queuesBytesMax;
    for (unsigned i = 0; i < server.shardCount(); ++i)
        remotes_.push_back(std::make_unique<Remotes>(*this, server.shard(i), read));
}

Federation::~Federation() = default;

void Federation::configure(const Settings& settings, bool isOn) {
    const auto read = std::make_shared<const RemoteSettings>(settings, isOn);
    unauthenticated_->setMost(read->unauthenticatedMax);
    queuedBytesMax_ = read->queuesBytesMax;
    for (const auto& remotes : remotes_)
        remotes->shard().executor().post(
            [remotes = remotes.get(), read] { remotes->configure(read); });
}

void Federation::restore(UniqueFunction<void()> done) {
    Executor& executor = server_.shard(0).executor();
    executor.post([this, done = std::move(done)]() mutable {
        start(store_.all(), [this, done = std::move(done)](
                                std::optional<std::vector<QueuedStanza>> rows,
                                const std::exception_ptr& failure) mutable {
            if (failure) {
                remoteLog.error("messages that wait for other servers could not be read");
                rows.emplace();
            }
            for (QueuedStanza& row : *rows) {
                lastRow_ = std::max<std::int64_t>(lastRow_, row.id);
                StanzaPtr stanza = Stanza::parse(row.stanza);
                if (!stanza) continue;
                Remotes& remotes = remotesOf(row.remote);
                remotes.shard().executor().post(
                    [&remotes, local = std::move(row.local), remote = std::move(row.remote),
                     stored = RemoteLink::Stored{.row = row.id,
                                                 .queued = row.queued,
                                                 .expires = row.expires,
                                                 .stanza = std::move(stanza)}]() mutable {
                        remotes.restore(std::move(local), std::move(remote), std::move(stored));
                    });
            }
            if (!rows->empty())
                remoteLog.notice("messages wait for other servers", {{"messages", rows->size()}});
            done();
        });
    });
}

void Federation::accept(unsigned shard, std::unique_ptr<Transport> transport) {
    remotes_[shard]->accept(std::move(transport));
}

void Federation::closeAll(std::function<void()> done) {
    const std::shared_ptr<void> kept{nullptr, [done = std::move(done)](void*) { done(); }};
    for (const auto& remotes : remotes_)
        remotes->shard().executor().post(
            [remotes = remotes.get(), kept] { remotes->closeAll(kept); });
}

// ---- routing

bool Federation::serves(std::string_view domain, Shard& shard) const {
    if (server_.isLocal(domain) || shard.served(domain)) return true;
    const auto& others = server_.elsewhere();
    return std::any_of(others.begin(), others.end(),
                       [domain](const Elsewhere* other) { return other->owns(domain); });
}

bool Federation::route(const StanzaPtr& stanza, const Hold& hold, Shard& from) {
    Remotes& mine = *remotes_[from.number()];
    if (!mine.settings().isOn) return false;
    // What others say goes to us alone (a domain of ours that has just gone).
    if (!serves(stanza->from().domain(), from)) return false;
    if (!mine.settings().allows(stanza->to().domain())) {
        if (!stanza->isPresence())
            from.refuse(*stanza,
                        {Condition::NotAllowed, "This server has no links with " +
                                                    std::string{stanza->to().domain()} + "."});
        return true;
    }
    Remotes& remotes = remotesOf(stanza->to().domain());
    if (&remotes == &mine) {
        mine.send(stanza, hold);
        return true;
    }
    remotes.shard().executor().post([&remotes, stanza, hold] { remotes.send(stanza, hold); });
    return true;
}

std::shared_ptr<const TlsClientContext> Federation::clientTls(const std::string& local,
                                                              Shard& shard, bool isDirect) {
    const auto& hosts = server_.hosts();
    const std::string* host = nullptr;
    if (const auto* served = shard.served(local)) host = &served->host->domain();
    for (const auto& one : hosts) {
        if (one == local) host = &one;
        if (!host && isBelow(local, one)) host = &one;
    }
    return parts_.clientTls(host ? *host : hosts.front(), isDirect);
}

// ---- limits and numbers

std::optional<AddressLimit::Place> Federation::placeFor(const std::string& address) {
    return unauthenticated_->take(IpAddress::parse(address).value_or(IpAddress{}));
}

bool Federation::reserve(std::size_t bytes) {
    const std::size_t before = queuedBytes_.fetch_add(bytes, std::memory_order_relaxed);
    if (before + bytes <= queuedBytesMax_) return true;
    release(bytes);
    return false;
}

std::int64_t Federation::nextRow(WallTime now) {
    const std::int64_t earliest = toMilliseconds(now) << rowBits;
    std::int64_t last = lastRow_.load(std::memory_order_relaxed);
    std::int64_t next = 0;
    do {
        next = std::max(last + 1, earliest);
    } while (!lastRow_.compare_exchange_weak(last, next, std::memory_order_relaxed));
    return next;
}

// ---- from shard to shard

// Its rooms and gateways are where it is, and live on other shards.
void Federation::isThere(const std::string& remote) {
    for (const auto& remotes : remotes_)
        remotes->shard().executor().post(
            [&remotes = *remotes, remote] { remotes.isThere(remote); });
}

void Federation::ponged(const std::string& local, const std::string& remote,
                        const std::string& id) {
    Remotes& remotes = remotesOf(remote);
    remotes.shard().executor().post(
        [&remotes, local, remote, id] { remotes.ponged(local, remote, id); });
}

void Federation::meetAgain(const std::string& remote) {
    for (const auto& remotes : remotes_)
        remotes->shard().executor().post(
            [&remotes = *remotes, remote] { remotes.meetAgain(remote); });
}

void Federation::verify(Shard& shard, std::uint64_t stream, const std::string& local,
                        const std::string& remote, const std::string& id, const std::string& key) {
    Remotes& home = remotesOf(remote);
    Remotes& asking = *remotes_[shard.number()];
    home.shard().executor().post([&home, &asking, stream, local, remote, id, key] {
        home.verify(local, remote, id, key,
                    [&asking, stream, local, remote](RemoteLink::Verdict verdict) {
                        asking.shard().executor().post([&asking, stream, local, remote, verdict] {
                            if (RemoteReceiver* receiver = asking.receiver(stream))
                                receiver->verified(local, remote, verdict);
                        });
                    });
    });
}

void Federation::offerWayBack(const std::string& local, const std::string& remote,
                              RemoteReverse::Offer offer) {
    Remotes& home = remotesOf(remote);
    home.shard().executor().post([&home, local, remote, offer = std::move(offer)]() mutable {
        home.offered(local, remote, std::move(offer));
    });
}

void Federation::resumeWayBack(Shard& shard, std::uint64_t stream, const std::string& local,
                               const std::string& remote, RemoteReverse::Offer offer,
                               UniqueFunction<void(bool)> done) {
    Remotes& home = remotesOf(remote);
    Remotes& asking = *remotes_[shard.number()];
    home.shard().executor().post([&home, &asking, stream, local, remote, offer = std::move(offer),
                                  done = std::move(done)]() mutable {
        const bool isTaken = home.resumedBack(local, remote, std::move(offer));
        // What the link writes is posted at the end of this turn, and comes after the answer.
        asking.shard().executor().post(
            [&asking, stream, isTaken, done = std::move(done)]() mutable {
                if (asking.incoming(stream)) done(isTaken);
            });
    });
}

void Federation::closeWayBack(const std::string& local, const std::string& remote, unsigned shard,
                              std::uint64_t stream, const std::string& reason,
                              RemoteLink::Loss loss) {
    Remotes& home = remotesOf(remote);
    home.shard().executor().post([&home, local, remote, shard, stream, reason, loss] {
        home.withdrawn(local, remote, shard, stream, reason, loss);
    });
}

void Federation::acknowledgeWayBack(const std::string& local, const std::string& remote,
                                    unsigned shard, std::uint64_t stream, std::uint32_t h) {
    Remotes& home = remotesOf(remote);
    home.shard().executor().post([&home, local, remote, shard, stream, h] {
        home.acknowledgedBack(local, remote, shard, stream, h);
    });
}

bool Federation::noteResumable(const std::string& id, const std::string& remote,
                               const Remotes& home) {
    const std::lock_guard lock{mutex_};
    const unsigned shard = home.shard().number();
    if (const auto known = resumables_.find(id); known != resumables_.end()) {
        known->second.shard = shard;
        return true;
    }
    const auto domain = resumablesOf_.find(remote);
    const std::size_t count = domain == resumablesOf_.end() ? 0 : domain->second;
    if (resumables_.size() >= home.settings().resumableMax ||
        count >= home.settings().resumablePerDomainMax)
        return false;
    resumables_.emplace(id, ResumablePlace{shard, remote});
    ++resumablesOf_[remote];
    return true;
}

void Federation::forgetResumable(const std::string& id, unsigned shard) {
    const std::lock_guard lock{mutex_};
    const auto found = resumables_.find(id);
    if (found == resumables_.end() || found->second.shard != shard) return;
    const auto domain = resumablesOf_.find(found->second.remote);
    if (--domain->second == 0) resumablesOf_.erase(domain);
    resumables_.erase(found);
}

std::optional<unsigned> Federation::homeOfResumable(const std::string& id) {
    const std::lock_guard lock{mutex_};
    const auto found = resumables_.find(id);
    return found == resumables_.end() ? std::nullopt : std::optional{found->second.shard};
}

void Federation::takeResumable(Shard& shard, std::uint64_t stream, const std::string& id,
                               const std::string& local, const std::string& remote, bool isWayBack,
                               Remotes::Taken done) {
    Remotes& asking = *remotes_[shard.number()];
    const auto shardOfHome = homeOfResumable(id);
    Remotes* home = shardOfHome ? remotes_[*shardOfHome].get() : &asking;
    // Who has asked may be gone when the answer comes: then the next one can have it.
    auto answer = [&asking, home, stream, id,
                   done = std::move(done)](std::optional<std::uint32_t> handled) mutable {
        if (!asking.incoming(stream)) return;
        done(handled);
        if (handled && home != &asking)
            home->shard().executor().post([home, id] { home->dropMovedResumable(id); });
    };
    home->shard().executor().post([home, &asking, id, local, remote, isWayBack,
                                   answer = std::move(answer)]() mutable {
        home->takeResumable(
            id, local, remote, isWayBack,
            [&asking, answer = std::move(answer)](std::optional<std::uint32_t> handled) mutable {
                asking.shard().executor().post(
                    [handled, answer = std::move(answer)]() mutable { answer(handled); });
            });
    });
}

}  // namespace epode
