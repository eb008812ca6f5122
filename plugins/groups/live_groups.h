// The groups of one host while the server runs: loaded before the first account, read again after a
// change, and shown to the clients that are there.
#pragma once

#include "directory.h"

#include "core/executor.h"
#include "core/task.h"

#include <memory>
#include <mutex>
#include <string>

namespace epode {

class Account;
class Server;
class Shard;

class LiveGroups : public std::enable_shared_from_this<LiveGroups> {
public:
    // The one of a host, made when there is none. It outlives a plugin that is made anew.
    static std::shared_ptr<LiveGroups> of(Server& server, const std::string& host);
    // Null when no plugin serves the host.
    static std::shared_ptr<LiveGroups> find(Server& server, const std::string& host);

    LiveGroups(Server& server, std::string host) : server_{server}, host_{std::move(host)} {}

    void setMembersMax(std::size_t membersMax);
    std::size_t membersMax() const;

    // Null before it was loaded.
    std::shared_ptr<const Directory> directory() const;
    // On a thread of the database, before an account is used.
    void ensureLoaded(SqlConnection& connection);
    // Gives an account that has just been loaded its contacts.
    void attach(Account& account) const;

    // Reads all of it again; what is asked for meanwhile is one further time. On a shard.
    void reload();

private:
    Task<std::shared_ptr<const Directory>> load();
    void retryLater();
    void publish(std::shared_ptr<const Directory> directory);
    void show(Shard& shard);

    Server& server_;
    const std::string host_;
    mutable std::mutex mutex_;
    std::mutex loading_;
    std::shared_ptr<const Directory> directory_;
    std::size_t membersMax_ = 0;
    bool isReloading_ = false;
    bool isStale_ = false;
    Timer retry_;  // of the first shard
};

}  // namespace epode
