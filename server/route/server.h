// The whole server: its hosts, shards and stores, and the one function that everything goes through.
#pragma once

#include "core/hold.h"
#include "core/option.h"
#include "core/stanza.h"
#include "route/host.h"
#include "route/shard.h"
#include "route/shared_parts.h"

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

class Commands;
class Database;
class HttpClient;
class LoginLimiter;
class WorkerPool;
class Stores;
struct SavedSession;

// Where stanzas for domains go that neither a host nor a plugin of one serves: components, federation.
// What none of them takes is refused with remote-server-not-found.
class Elsewhere {
public:
    virtual ~Elsewhere() = default;
    // True when it has taken the stanza. On the thread of `from`.
    virtual bool route(const StanzaPtr& stanza, const Hold& hold, Shard& from) = 0;
    // Whether the domain is taken, so that no plugin may serve it. From any thread.
    virtual bool owns(std::string_view) const { return false; }
    // The domains of components that are connected. From any thread.
    virtual std::vector<std::string> domains() const { return {}; }
    // Those that are configured. From any thread.
    virtual std::vector<std::string> configured() const { return {}; }
    // Writes to every instance of the component that the stanza is addressed to. From any thread.
    virtual void tellAll(const StanzaPtr&) {}
    // What a host lists among its items. On the thread of `shard`.
    virtual std::vector<DiscoItem> itemsOf(std::string_view, Shard&) const { return {}; }
};

class Server {
public:
    // One shard for each executor. `hosts` are the virtual hosts, prepared; the first is the default.
    Server(Database& database, WorkerPool& workers, SettingsPtr settings,
           std::vector<std::string> hosts, const std::vector<Executor*>& executors);
    ~Server();

    // Sends a stanza on its way by its `to`. From a shard's thread. `hold` is kept until everything
    // that it causes on this server is done.
    void route(StanzaPtr stanza, Hold hold = {});

    Shard& shardOf(std::string_view bareOrDomain);
    Shard& shard(unsigned number) { return *shards_[number]; }
    unsigned shardCount() const { return unsigned(shards_.size()); }
    // The shard whose thread this is.
    Shard& here();

    bool isLocal(std::string_view domain) const;
    const std::vector<std::string>& hosts() const { return hosts_; }

    Stores& stores() { return *stores_; }
    Database& database() { return database_; }
    WorkerPool& workers() { return workers_; }
    LoginLimiter& loginLimiter() { return *loginLimiter_; }
    // For calls to web servers, made when it is first asked for. From any thread.
    HttpClient& httpClient();
    const SettingsPtr& settings() const { return settings_; }
    SteadyTime startedAt() const { return started_; }
    // What a plugin's objects have in common, at several hosts and in its commands.
    SharedParts& parts() { return parts_; }
    // For the salts of accounts that don't exist: secret, and the same after a restart.
    const std::string& saltSecret() const { return saltSecret_; }
    void setSaltSecret(std::string secret) { saltSecret_ = std::move(secret); }
    // The commands that operators have; null where there are none (some tests). Before the first stanza.
    Commands* commands() const { return commands_; }
    void setCommands(Commands* commands) { commands_ = commands; }
    // They are asked in this order. Before the first stanza; they outlive the last.
    void addElsewhere(Elsewhere& elsewhere) { elsewhere_.push_back(&elsewhere); }
    const std::vector<Elsewhere*>& elsewhere() const { return elsewhere_; }

    // To every shard; each takes the new value in one of its turns.
    void replace(SettingsPtr settings);
    // `done` runs on shard 0 when all shards have taken them.
    void replace(const std::string& host, std::shared_ptr<const Services> services,
                 UniqueFunction<void()> done = {},
                 std::shared_ptr<const ServicesChange> change = {});

    // For an orderly stop: ends the streams of all sessions with system-shutdown, lets what they
    // have sent come to its end, saves resumable sessions and writes positions. `done` runs on
    // shard 0 when all of it is stored. New sessions are refused from now on.
    void shutdown(UniqueFunction<void()> done);
    // Brings back what a shutdown has saved, and ends what has expired since. Before the first connection.
    // `done` runs on shard 0.
    void restore(UniqueFunction<void()> done);
    bool isStopping() const { return stopping_; }

private:
    friend class Shard;
    void restore(std::vector<SavedSession> sessions, std::shared_ptr<void> all);
    void routeBeyondHosts(StanzaPtr stanza, Hold hold);
    static void give(Shard& shard, StanzaPtr stanza, Hold hold);

    Database& database_;
    WorkerPool& workers_;
    SettingsPtr settings_;
    std::vector<std::string> hosts_;
    SharedParts parts_;
    std::unique_ptr<Stores> stores_;
    std::unique_ptr<LoginLimiter> loginLimiter_;
    std::vector<std::unique_ptr<Shard>> shards_;
    std::string saltSecret_;
    SteadyTime started_;
    Commands* commands_ = nullptr;
    std::vector<Elsewhere*> elsewhere_;
    std::atomic<bool> stopping_ = false;
    std::once_flag httpClientMade_;
    std::unique_ptr<HttpClient> httpClient_;
};

}  // namespace epode
