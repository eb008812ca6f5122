#include "block_store.h"

namespace epode {

namespace {

const Migration tables{"blocking", 1, "blocked addresses", R"(
    CREATE TABLE blocked(
        account {bigint} NOT NULL,
        jid {text} NOT NULL,
        blocked_at {bigint} NOT NULL,
        PRIMARY KEY(account, jid)) {clustered};
)"};

}  // namespace

const std::vector<const Migration*>& BlockStore::migrations() {
    static const std::vector<const Migration*> all{&tables};
    return all;
}

const AccountTable& BlockStore::table() {
    static const AccountTable blocked{"blocked"};
    return blocked;
}

Task<bool> BlockStore::add(AccountId account, std::vector<Jid> jids, WallTime now,
                           std::size_t entriesMax) {
    struct TooMany {};  // thrown, so that what was added is undone
    auto work = [account, jids = std::move(jids), now, entriesMax](SqlConnection& connection) {
        std::int64_t added = 0;
        for (const Jid& jid : jids)
            added += connection.run(
                "INSERT INTO blocked(account, jid, blocked_at) VALUES(?1, ?2, ?3) "
                "ON CONFLICT DO NOTHING",
                {account, jid.text(), toMilliseconds(now)});
        if (added == 0) return;
        std::int64_t count = 0;
        connection.run("SELECT count(*) FROM blocked WHERE account = ?1", {account},
                       [&](const SqlRow& row) { count = row.integer(0); });
        if (count > std::int64_t(entriesMax)) throw TooMany{};
    };
    auto write = database_.write(std::move(work));
    try {
        co_await write;
    } catch (const TooMany&) {
        co_return false;
    }
    co_return true;
}

Task<void> BlockStore::remove(AccountId account, std::vector<Jid> jids) {
    auto work = [account, jids = std::move(jids)](SqlConnection& connection) {
        for (const Jid& jid : jids)
            connection.run("DELETE FROM blocked WHERE account = ?1 AND jid = ?2",
                           {account, jid.text()});
    };
    return database_.write(std::move(work));
}

Task<void> BlockStore::clear(AccountId account) {
    auto work = [account](SqlConnection& connection) {
        connection.run("DELETE FROM blocked WHERE account = ?1", {account});
    };
    return database_.write(std::move(work));
}

std::vector<std::string> readBlocked(SqlConnection& connection, AccountId account) {
    std::vector<std::string> jids;
    connection.run("SELECT jid FROM blocked WHERE account = ?1 ORDER BY jid", {account},
                   [&](const SqlRow& row) { jids.emplace_back(row.text(0)); });
    return jids;
}

}  // namespace epode
