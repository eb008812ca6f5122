#include "store/stores.h"

#include "store/remote_queue_store.h"

#include "store/keyed_store.h"

namespace epode {

Stores::Migrated::Migrated(Database& database) { database.migrate(Stores::migrations()); }

Stores::Stores(Database& database, std::string node)
    : database_{database},
      migrated_{database},
      accounts{database},
      rosters{database},
      archive{database},
      sessions{database, std::move(node)},
      devices{database} {
    for (const auto tables : {RosterStore::accountTables(), ArchiveStore::accountTables(),
                              SessionStore::accountTables(), KeyedStore::accountTables(),
                              DeviceStore::accountTables()}) {
        for (const AccountTable& table : tables) accounts.addTable(table);
    }
    for (const auto rule : DeviceStore::passwordRules()) accounts.addPasswordRule(rule);
}

std::vector<Migration> Stores::migrations() {
    std::vector<Migration> all;
    for (const auto some :
         {AccountStore::migrations(), RosterStore::migrations(), ArchiveStore::migrations(),
          SessionStore::migrations(), KeyedStore::migrations(), DeviceStore::migrations(),
          RemoteQueueStore::migrations()}) {
        all.insert(all.end(), some.begin(), some.end());
    }
    return all;
}

Task<std::optional<AccountRecord>> Stores::load(std::string jid, Also also) {
    auto work = [jid = std::move(jid), also = std::move(also)](SqlConnection& connection) {
        std::optional<AccountRecord> found;
        connection.run(
            "SELECT id, is_disabled, created_at, last_activity_at FROM account WHERE jid = ?1",
            {jid}, [&](const SqlRow& row) {
                found.emplace();
                found->account = row.integer(0);
                found->isDisabled = row.integer(1) != 0;
                found->created = fromMilliseconds(row.integer(2));
                if (!row.isNull(3)) found->lastActivity = fromMilliseconds(row.integer(3));
            });
        if (!found) return found;
        found->archivePreferences = readPreferences(connection, found->account);
        found->archive = readArchiveState(connection, found->account);
        found->roster = readRoster(connection, found->account);
        if (also) also(connection, found->account);
        return found;
    };
    return database_.read(std::move(work));
}

}  // namespace epode
