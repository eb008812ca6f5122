#include "block_store.h"

namespace epode::moderation {

namespace {

constexpr Migration first{"moderation", 1, "blocked addresses, and whom accounts have written to",
                          R"(
    CREATE TABLE moderation_block(
        target {text} PRIMARY KEY,
        reason {text} NOT NULL,
        actor {text} NOT NULL,
        at {bigint} NOT NULL,
        until {bigint} NOT NULL);
    CREATE TABLE moderation_known(
        account {bigint} NOT NULL,
        peer {text} NOT NULL,
        at {bigint} NOT NULL,
        PRIMARY KEY(account, peer)) {clustered};
)"};

}  // namespace

const std::vector<const Migration*>& BlockStore::migrations() {
    static const std::vector<const Migration*> all{&first};
    return all;
}

Task<std::vector<Blocked>> BlockStore::list() {
    auto work = [](SqlConnection& connection) {
        std::vector<Blocked> all;
        connection.run(
            "SELECT target, reason, actor, at, until FROM moderation_block ORDER BY target", {},
            [&](const SqlRow& row) {
                Blocked& one = all.emplace_back();
                one.target = row.text(0);
                one.reason = row.text(1);
                one.by = row.text(2);
                one.at = fromMilliseconds(row.integer(3));
                if (row.integer(4) != 0) one.until = fromMilliseconds(row.integer(4));
            });
        return all;
    };
    return database_.read(std::move(work));
}

Task<bool> BlockStore::put(Blocked blocked, std::int64_t most) {
    auto work = [blocked = std::move(blocked), most](SqlConnection& connection) {
        std::int64_t others = 0;
        connection.run("SELECT COUNT(*) FROM moderation_block WHERE target <> ?1", {blocked.target},
                       [&](const SqlRow& row) { others = row.integer(0); });
        if (others >= most) return false;
        connection.run(
            "INSERT INTO moderation_block(target, reason, actor, at, until) "
            "VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(target) DO UPDATE SET "
            "reason = excluded.reason, actor = excluded.actor, at = excluded.at, "
            "until = excluded.until",
            {blocked.target, blocked.reason, blocked.by, toMilliseconds(blocked.at),
             blocked.until ? toMilliseconds(*blocked.until) : 0});
        return true;
    };
    return database_.write(std::move(work));
}

Task<bool> BlockStore::remove(std::string target) {
    auto work = [target = std::move(target)](SqlConnection& connection) {
        return connection.run("DELETE FROM moderation_block WHERE target = ?1", {target}) != 0;
    };
    return database_.write(std::move(work));
}

Task<void> BlockStore::forgetEnded(WallTime now) {
    auto work = [now](SqlConnection& connection) {
        connection.run("DELETE FROM moderation_block WHERE until > 0 AND until <= ?1",
                       {toMilliseconds(now)});
    };
    return database_.write(std::move(work));
}

std::vector<std::string> readKnown(SqlConnection& connection, AccountId account) {
    std::vector<std::string> peers;
    connection.run("SELECT peer FROM moderation_known WHERE account = ?1", {account},
                   [&](const SqlRow& row) { peers.emplace_back(row.text(0)); });
    return peers;
}

void noteKnown(Database& database, Executor& executor, AccountId account, std::string peer,
               WallTime now, std::int64_t most) {
    auto work = [account, peer = std::move(peer), now, most](SqlConnection& connection) {
        connection.run(
            "INSERT INTO moderation_known(account, peer, at) VALUES(?1, ?2, ?3) "
            "ON CONFLICT(account, peer) DO UPDATE SET at = excluded.at",
            {account, peer, toMilliseconds(now)});
        connection.run(
            "DELETE FROM moderation_known WHERE account = ?1 AND peer IN (SELECT peer FROM "
            "moderation_known WHERE account = ?1 ORDER BY at DESC, peer LIMIT 1000 OFFSET ?2)",
            {account, most});
    };
    database.enqueueWrite(executor, std::move(work), {}, Urgency::Patient);
}

const AccountTable& knownTable() {
    static const AccountTable known{.table = "moderation_known", .what = "known correspondents"};
    return known;
}

}  // namespace epode::moderation
