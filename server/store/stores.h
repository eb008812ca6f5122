// All stores of the server over one database, with their schema.
#pragma once

#include "store/account_store.h"
#include "store/archive_store.h"
#include "store/device_store.h"
#include "store/roster_store.h"
#include "store/session_store.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace epode {

// Everything that the router needs when it loads an account.
struct AccountRecord {
    AccountId account = 0;
    bool isDisabled = false;
    WallTime created{};
    std::optional<WallTime> lastActivity;
    std::optional<ArchivePreferences> archivePreferences;
    ArchiveState archive;
    StoredRoster roster;
};

// Migrates the database and opens the stores. Outlived by the database.
class Stores {
public:
    // `node` as in SessionStore. Throws like Database::migrate; blocks.
    explicit Stores(Database& database, std::string node = {});

    // The schema of all stores of this floor, for `migrate` and for a dry run.
    static std::vector<Migration> migrations();

    // One trip to the database; nothing when there is no such account. `also` reads what others keep
    // of it, in the same trip.
    using Also = std::function<void(SqlConnection&, AccountId)>;
    Task<std::optional<AccountRecord>> load(std::string jid, Also also = {});

private:
    Database& database_;
    struct Migrated {
        explicit Migrated(Database& database);
    };
    Migrated migrated_;

public:
    AccountStore accounts;
    RosterStore rosters;
    ArchiveStore archive;
    SessionStore sessions;
    DeviceStore devices;
};

}  // namespace epode
