// Messages that wait for other servers: what their senders were told is stored, though the domain
// that it is for can't be reached.
#pragma once

#include "core/time.h"
#include "store/database.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace epode {

struct QueuedStanza {
    std::int64_t id = 0;  // grows with the order of the queue
    std::string local;    // domains
    std::string remote;
    WallTime queued{};
    WallTime expires{};
    std::string stanza;  // XML
};

// No call blocks the loop.
class RemoteQueueStore {
public:
    // Migrated by Stores. Outlived by the database.
    explicit RemoteQueueStore(Database& database);

    static std::span<const Migration> migrations();

    // Durable when `done` is called without failure.
    void add(Executor& executor, QueuedStanza stanza, Database::DoneFunction done);
    // After `add` is done. Nothing happens when it is gone already.
    void remove(Executor& executor, std::int64_t id, Database::DoneFunction done);
    // Everything, by id.
    Task<std::vector<QueuedStanza>> all();

private:
    Database& database_;
    RowChannel<QueuedStanza> added_;
    RowChannel<std::int64_t> removed_;
};

}  // namespace epode
