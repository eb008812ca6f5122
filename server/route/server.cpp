#include "route/server.h"

#include "core/log.h"
#include "core/worker_pool.h"
#include "net/event_loop.h"
#include "net/http_client.h"
#include "route/account.h"
#include "route/login_limiter.h"
#include "route/session.h"
#include "route/session_snapshot.h"
#include "store/stores.h"

#include <algorithm>
#include <iterator>
#include <mutex>

namespace epode {

namespace {

const Log routeLog{"route"};

// How often, and how many times, a stop looks whether everything is stored that clients have sent: five
// seconds at most.
constexpr auto safeCheck = std::chrono::milliseconds{2};
constexpr int safeChecksMax = 2500;
constexpr unsigned httpThreads = 2;

}  // namespace

// What the shards have saved for the restart.
struct ServerSaved {
    std::mutex mutex;
    std::vector<SavedSession> sessions;
};

Server::Server(Database& database, WorkerPool& workers, SettingsPtr settings,
               std::vector<std::string> hosts, const std::vector<Executor*>& executors)
    : database_{database},
      workers_{workers},
      settings_{std::move(settings)},
      hosts_{std::move(hosts)},
      stores_{std::make_unique<Stores>(database)},
      loginLimiter_{std::make_unique<LoginLimiter>(*settings_)} {
    started_ = executors.front()->now();
    const auto nothing = std::make_shared<const Services>();
    for (unsigned i = 0; i < executors.size(); ++i) {
        auto& shard = shards_.emplace_back(std::make_unique<Shard>(*this, *executors[i], i));
        for (const auto& host : hosts_)
            shard->hosts_[host] = std::make_unique<Host>(host, settings_, nothing);
    }
}

Server::~Server() = default;

HttpClient& Server::httpClient() {
    std::call_once(httpClientMade_, [this] {
        // On virtual time nothing waits for a thread.
        const bool isReal = dynamic_cast<EventLoop*>(&shards_.front()->executor()) != nullptr;
        httpClient_ = std::make_unique<HttpClient>(isReal ? httpThreads : 0);
    });
    return *httpClient_;
}

void Server::route(StanzaPtr stanza, Hold hold) {
    const Jid& to = stanza->to();
    if (!isLocal(to.domain())) {
        routeBeyondHosts(std::move(stanza), std::move(hold));
        return;
    }
    // A host is everywhere; an account is on its shard.
    Shard& shard = to.hasLocal() ? shardOf(to.bareText()) : here();
    give(shard, std::move(stanza), std::move(hold));
}

// To what a plugin serves, or to another server.
void Server::routeBeyondHosts(StanzaPtr stanza, Hold hold) {
    Shard& here = this->here();
    const Jid& to = stanza->to();
    if (const auto* served = here.served(to.domain())) {
        std::string place;
        if (!to.hasLocal() && served->domain->placeOf) place = served->domain->placeOf(*stanza);
        Shard& shard = to.hasLocal()   ? shardOf(to.bareText())
                       : place.empty() ? here
                                       : shardOf(place);
        give(shard, std::move(stanza), std::move(hold));
        return;
    }
    for (Elsewhere* elsewhere : elsewhere_)
        if (elsewhere->route(stanza, hold, here)) return;
    here.refuse(*stanza, {Condition::RemoteServerNotFound,
                          "No server was found for the domain " + std::string{to.domain()} + "."});
}

void Server::give(Shard& shard, StanzaPtr stanza, Hold hold) {
    if (shard.executor().isCurrent()) {
        shard.receive(std::move(stanza), std::move(hold));
        return;
    }
    shard.executor().post([&shard, stanza = std::move(stanza), hold = std::move(hold)]() mutable {
        shard.receive(std::move(stanza), std::move(hold));
    });
}

Shard& Server::shardOf(std::string_view bareOrDomain) {
    if (shards_.size() == 1) return *shards_.front();
    return *shards_[std::hash<std::string_view>{}(bareOrDomain) % shards_.size()];
}

Shard& Server::here() {
    for (auto& shard : shards_)
        if (shard->executor().isCurrent()) return *shard;
    return *shards_.front();
}

bool Server::isLocal(std::string_view domain) const {
    return std::find(hosts_.begin(), hosts_.end(), domain) != hosts_.end();
}

namespace {

// Calls `done` when the last of its copies is dropped, on the executor given.
std::shared_ptr<void> whenAllDone(Executor& executor, UniqueFunction<void()> done) {
    struct Last {
        Executor& executor;
        UniqueFunction<void()> done;
        ~Last() {
            if (done) executor.post(std::move(done));
        }
    };
    return std::make_shared<Last>(executor, std::move(done));
}

}  // namespace

void Server::replace(SettingsPtr settings) {
    settings_ = settings;
    loginLimiter_->settingsChanged(*settings);
    for (auto& shard : shards_)
        shard->executor().post([&shard = *shard, settings] {
            for (auto& [domain, host] : shard.hosts_) host->replace(settings);
        });
}

void Server::replace(const std::string& host, std::shared_ptr<const Services> services,
                     UniqueFunction<void()> done, std::shared_ptr<const ServicesChange> change) {
    const auto all = whenAllDone(shards_.front()->executor(), std::move(done));
    for (auto& shard : shards_)
        shard->executor().post([&shard = *shard, host, services, all, change] {
            Host* found = shard.host(host);
            if (found) shard.replace(*found, services, all, change);
        });
}

// What the plugins that go hold back for sessions: those that come don't know of it.
void Shard::releaseHeld(Host& host) {
    if (host.services().releaseOutput.empty()) return;
    eachAccount([&host](Account& account) {
        if (&account.host() != &host) return;
        for (const auto& session : account.sessions())
            session->release(ReleaseEvent::Reason::Rewired);
    });
}

// In three steps, each on all shards before the next: no client says anything more; what clients have
// said is done, and stored; they are told so, and what they can resume is saved, in one transaction.
void Server::shutdown(UniqueFunction<void()> done) {
    stopping_ = true;
    Executor& first = shards_.front()->executor();
    auto saved = std::make_shared<ServerSaved>();
    auto collected = whenAllDone(first, [this, saved, done = std::move(done)]() mutable {
        const std::size_t count = saved->sessions.size();
        start(stores_->sessions.saveAll(std::move(saved->sessions)),
              [count, done = std::move(done)](std::exception_ptr failure) mutable {
                  if (failure)
                      routeLog.error("sessions could not be saved for the restart",
                                     {{"sessions", count}});
                  if (done) done();
              });
    });
    auto settled = whenAllDone(first, [this, saved, collected = std::move(collected)] {
        for (auto& shard : shards_)
            shard->executor().post(
                [&shard = *shard, saved, collected] { shard.saveSessions(*saved); });
    });
    auto ended = whenAllDone(first, [this, settled = std::move(settled)] {
        for (auto& shard : shards_)
            shard->executor().post(
                [&shard = *shard, settled] { shard.awaitSafety(settled, safeChecksMax); });
    });
    for (auto& shard : shards_)
        shard->executor().post([&shard = *shard, ended = ended] { shard.quietStreams(); });
}

// Sessions that can be resumed keep their connection until they have heard what is safe.
void Shard::quietStreams() {
    eachAccount([](Account& account) { account.logUnacknowledged(); });
    const StreamError error{.condition = StreamCondition::SystemShutdown,
                            .text = "The server is going down and will be back."};
    std::vector<Outlet*> ending;
    eachAccount([&ending](Account& account) {
        for (const auto& session : account.sessions()) {
            if (!session->outlet()) continue;
            if (session->isResumable()) session->outlet()->stopReading();
            else ending.push_back(session->outlet());
        }
    });
    for (Outlet* outlet : ending) outlet->end(error);
}

// What is not safe after some seconds is not acknowledged: the client sends it again.
void Shard::awaitSafety(std::shared_ptr<void> settled, int patience) {
    bool isSafe = true;
    eachAccount([&isSafe](Account& account) {
        for (const auto& session : account.sessions())
            isSafe = isSafe && (!session->sm() || session->sm()->inbound().unsafe() == 0);
    });
    if (isSafe || patience == 0) return;
    stopping_ = executor_.after(safeCheck, [this, settled = std::move(settled), patience] {
        awaitSafety(settled, patience - 1);
    });
}

void Shard::saveSessions(ServerSaved& saved) {
    std::vector<SavedSession> mine;
    eachAccount([this, &mine](Account& account) {
        const auto expires =
            executor_.wallNow() + std::chrono::duration_cast<std::chrono::milliseconds>(
                                      account.host().limits().smResumeTimeout);
        account.savePosition();
        for (const auto& session : account.sessions())
            if (session->isResumable()) {
                if (session->outlet()) {
                    session->sendAck();
                    session->outlet()->interrupt();
                }
                mine.push_back({.id = session->sm()->id(),
                                .account = account.id(),
                                .resource = std::string{session->jid().resource()},
                                .expires = expires,
                                .state = writeSnapshot(*session)});
            }
    });
    const std::lock_guard lock{saved.mutex};
    std::move(mine.begin(), mine.end(), std::back_inserter(saved.sessions));
}

// Those that have expired while the server was down come second: their contacts are told by then.
void Server::restore(UniqueFunction<void()> done) {
    Executor& executor = shards_.front()->executor();
    const auto all = whenAllDone(executor, std::move(done));
    executor.post([this, all, &executor] {
        start(stores_->sessions.takeAll(),
              [this, all, &executor](std::optional<std::vector<SavedSession>> sessions,
                                     std::exception_ptr failure) {
                  if (failure) {
                      routeLog.error("saved sessions could not be read");
                      return;
                  }
                  const auto expired =
                      std::partition(sessions->begin(), sessions->end(),
                                     [now = executor.wallNow()](const SavedSession& session) {
                                         return session.expires > now;
                                     });
                  std::vector<SavedSession> ended{std::make_move_iterator(expired),
                                                  std::make_move_iterator(sessions->end())};
                  sessions->erase(expired, sessions->end());
                  restore(std::move(*sessions),
                          whenAllDone(executor, [this, all, ended = std::move(ended)]() mutable {
                              restore(std::move(ended), all);
                          }));
              });
    });
}

void Server::restore(std::vector<SavedSession> sessions, std::shared_ptr<void> all) {
    for (SavedSession& saved : sessions) {
        const auto jid = Jid::parse(saved.jid);
        if (!jid) continue;
        Shard& shard = shardOf(jid->text());
        shard.executor().post([&shard, jid = *jid, saved = std::move(saved), all]() mutable {
            shard.withAccount(
                jid,
                [saved = std::move(saved), all, &shard](Account* account) {
                    Session* session =
                        account ? restoreSnapshot(*account, saved.resource, saved.id, saved.state)
                                : nullptr;
                    if (!session) return;
                    if (saved.expires > shard.executor().wallNow())
                        session->detach(false);  // it begins to wait for its client
                    else
                        session->end({});
                },
                [all] {});
        });
    }
}

}  // namespace epode
