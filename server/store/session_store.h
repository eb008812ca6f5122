// Stream-management sessions (XEP-0198) over a restart: saved when the server stops, taken when it
// starts, so that clients resume as after a change of network.
#pragma once

#include "core/time.h"
#include "store/account_store.h"
#include "store/database.h"

#include <string>
#include <vector>

namespace epode {

struct SavedSession {
    std::string id;  // of XEP-0198
    AccountId account = 0;
    std::string resource;
    WallTime expires{};
    std::string state;    // counters, queue: the route floor's own form
    std::string jid{};    // the account's address; only what is taken has it
};

// No call blocks the loop. All throw StoreUnavailable when the database does not answer.
class SessionStore {
public:
    // `node` tells servers apart that share a database: each takes what it has saved.
    explicit SessionStore(Database& database, std::string node = {});

    static std::span<const Migration> migrations();
    static std::span<const AccountTable> accountTables();

    // All or none, durable once the task is done. Replaces what was saved before.
    Task<void> saveAll(std::vector<SavedSession> sessions);
    // What was saved, by id, also what has expired meanwhile: its end has to be told. It is taken once:
    // the rows are gone.
    Task<std::vector<SavedSession>> takeAll();

private:
    Database& database_;
    const std::string node_;
};

}  // namespace epode
