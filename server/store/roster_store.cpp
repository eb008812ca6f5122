#include "store/roster_store.h"

#include <algorithm>

namespace epode {

namespace {

constexpr Migration rosterMigrations[] = {
    {"store.roster", 1, "contacts and subscription requests", R"(
        CREATE TABLE roster_item(
            account {bigint} NOT NULL,
            jid {text} NOT NULL,
            version {bigint} NOT NULL,
            is_removed {bigint} NOT NULL,
            name {text} NOT NULL,
            groups {text} NOT NULL,
            subscription {bigint} NOT NULL,
            is_asking {bigint} NOT NULL,
            is_approved {bigint} NOT NULL,
            PRIMARY KEY(account, jid)) {clustered};
        CREATE INDEX roster_item_by_version ON roster_item(account, version);
        CREATE TABLE roster_version(
            account {bigint} PRIMARY KEY,
            version {bigint} NOT NULL,
            forgotten {bigint} NOT NULL);
        CREATE TABLE roster_request(
            account {bigint} NOT NULL,
            jid {text} NOT NULL,
            asked_at {bigint} NOT NULL,
            stanza {blob} NOT NULL,
            PRIMARY KEY(account, jid)) {clustered};
    )"},
};

constexpr AccountTable tables[] = {
    {.table = "roster_item", .what = "contacts"},
    {.table = "roster_version", .what = "version of the roster"},
    {.table = "roster_request", .what = "requests of contacts"},
};

// Removed contacts are remembered for clients that were away; the oldest are forgotten.
constexpr std::int64_t removedMost = 100;

// Groups are one text: "<bytes>:<name>" for each, so that a name may hold anything.
std::string joinGroups(const std::vector<std::string>& groups) {
    std::string text;
    for (const auto& group : groups) {
        text.append(std::to_string(group.size())).append(":").append(group);
    }
    return text;
}

std::vector<std::string> splitGroups(std::string_view text) {
    std::vector<std::string> groups;
    while (!text.empty()) {
        const auto colon = text.find(':');
        if (colon == std::string_view::npos) break;
        std::size_t bytes = 0;
        for (const char digit : text.substr(0, colon))
            bytes = bytes * 10 + std::size_t(digit - '0');
        groups.emplace_back(text.substr(colon + 1, bytes));
        text.remove_prefix(std::min(text.size(), colon + 1 + bytes));
    }
    return groups;
}

// The columns of each contact that is read: jid, name, groups, subscription, is_asking,
// is_approved, is_removed.
RosterItem readItem(const SqlRow& row) {
    RosterItem item;
    item.jid = row.text(0);
    item.name = row.text(1);
    item.groups = splitGroups(row.text(2));
    item.subscription = static_cast<Subscription>(row.integer(3));
    item.isAsking = row.integer(4) != 0;
    item.isApproved = row.integer(5) != 0;
    return item;
}

struct Versions {
    std::int64_t current = 0;
    std::int64_t forgotten = 0;  // removals up to this one are not known any more
};

Versions readVersions(SqlConnection& connection, AccountId account) {
    Versions versions;
    connection.run("SELECT version, forgotten FROM roster_version WHERE account = ?1", {account},
                   [&](const SqlRow& row) {
                       versions.current = row.integer(0);
                       versions.forgotten = row.integer(1);
                   });
    return versions;
}

std::int64_t nextVersion(SqlConnection& connection, AccountId account) {
    std::int64_t version = 0;
    connection.run(
        "INSERT INTO roster_version VALUES(?1, 1, 0) ON CONFLICT(account) "
        "DO UPDATE SET version = roster_version.version + 1 RETURNING version",
        {account}, [&](const SqlRow& row) { version = row.integer(0); });
    return version;
}

// Forgets the oldest removals beyond `removedMost`.
void forgetRemovals(SqlConnection& connection, AccountId account) {
    std::int64_t upTo = 0;
    connection.run(
        "SELECT version FROM roster_item WHERE account = ?1 AND is_removed = 1 "
        "ORDER BY version DESC LIMIT 1 OFFSET ?2",
        {account, removedMost}, [&](const SqlRow& row) { upTo = row.integer(0); });
    if (upTo == 0) return;
    connection.run(
        "DELETE FROM roster_item WHERE account = ?1 AND is_removed = 1 AND version <= ?2",
        {account, upTo});
    connection.run("UPDATE roster_version SET forgotten = ?2 WHERE account = ?1", {account, upTo});
}

}  // namespace

std::span<const Migration> RosterStore::migrations() { return rosterMigrations; }
std::span<const AccountTable> RosterStore::accountTables() { return tables; }

RosterStore::RosterStore(Database& database) : database_{database} {}

StoredRoster readRoster(SqlConnection& connection, AccountId account) {
    StoredRoster roster;
    // The version first: with PostgreSQL a change may come in between, and is then told twice instead
    // of never.
    roster.version = readVersions(connection, account).current;
    connection.run("SELECT jid FROM roster_request WHERE account = ?1 ORDER BY jid", {account},
                   [&](const SqlRow& row) { roster.asking.emplace_back(row.text(0)); });
    if (roster.version == 0) return roster;
    connection.run(
        "SELECT jid, name, groups, subscription, is_asking, is_approved, is_removed "
        "FROM roster_item WHERE account = ?1 AND is_removed = 0 ORDER BY jid",
        {account}, [&](const SqlRow& row) { roster.items.push_back(readItem(row)); });
    return roster;
}

Task<StoredRoster> RosterStore::load(AccountId account) {
    auto work = [account](SqlConnection& connection) { return readRoster(connection, account); };
    return database_.read(std::move(work));
}

Task<std::optional<RosterChanges>> RosterStore::changesSince(AccountId account,
                                                             std::int64_t version) {
    auto work = [=](SqlConnection& connection) {
        std::optional<RosterChanges> result;
        const Versions versions = readVersions(connection, account);
        // A version of the future is from another life of this roster.
        if (version < versions.forgotten || version > versions.current || version < 0)
            return result;
        result.emplace();
        result->version = versions.current;
        connection.run(
            "SELECT jid, name, groups, subscription, is_asking, is_approved, is_removed, version "
            "FROM roster_item WHERE account = ?1 AND version > ?2 ORDER BY version",
            {account, version}, [&](const SqlRow& row) {
                result->changes.push_back({readItem(row), row.integer(6) != 0, row.integer(7)});
            });
        return result;
    };
    return database_.read(std::move(work));
}

namespace {

bool eraseRequest(SqlConnection& connection, AccountId account, const std::string& jid) {
    return connection.run("DELETE FROM roster_request WHERE account = ?1 AND jid = ?2",
                          {account, jid}) != 0;
}

}  // namespace

Task<std::int64_t> RosterStore::put(AccountId account, RosterItem item) {
    auto work = [account, item = std::move(item)](SqlConnection& connection) {
        const std::int64_t version = nextVersion(connection, account);
        const std::string groups = joinGroups(item.groups);
        connection.run(
            "INSERT INTO roster_item(account, jid, version, is_removed, name, groups, "
            "subscription, is_asking, is_approved) VALUES(?1, ?2, ?3, 0, ?4, ?5, ?6, ?7, ?8) "
            "ON CONFLICT(account, jid) DO UPDATE SET version = excluded.version, is_removed = 0, "
            "name = excluded.name, groups = excluded.groups, subscription = excluded.subscription, "
            "is_asking = excluded.is_asking, is_approved = excluded.is_approved",
            {account, item.jid, version, item.name, groups,
             static_cast<std::int64_t>(item.subscription), std::int64_t{item.isAsking},
             std::int64_t{item.isApproved}});
        const bool isSeen = item.subscription == Subscription::From ||
                            item.subscription == Subscription::Both;
        if (isSeen) eraseRequest(connection, account, item.jid);
        return version;
    };
    return database_.write(std::move(work));
}

Task<std::optional<std::int64_t>> RosterStore::remove(AccountId account, std::string jid) {
    auto work = [account, jid = std::move(jid)](SqlConnection& connection) {
        std::optional<std::int64_t> version;
        bool isThere = false;
        connection.run(
            "SELECT 1 FROM roster_item WHERE account = ?1 AND jid = ?2 AND is_removed = 0",
            {account, jid}, [&](const SqlRow&) { isThere = true; });
        if (!isThere) return version;
        version = nextVersion(connection, account);
        connection.run(
            "UPDATE roster_item SET version = ?3, is_removed = 1, name = '', groups = '', "
            "subscription = 0, is_asking = 0, is_approved = 0 WHERE account = ?1 AND jid = ?2",
            {account, jid, *version});
        forgetRemovals(connection, account);
        eraseRequest(connection, account, jid);
        return version;
    };
    return database_.write(std::move(work));
}

Task<std::vector<SubscriptionRequest>> RosterStore::requests(AccountId account) {
    auto work = [account](SqlConnection& connection) {
        std::vector<SubscriptionRequest> found;
        connection.run(
            "SELECT jid, stanza FROM roster_request WHERE account = ?1 ORDER BY asked_at, jid",
            {account}, [&](const SqlRow& row) {
                found.push_back({std::string{row.text(0)}, std::string{row.blob(1)}});
            });
        return found;
    };
    return database_.read(std::move(work));
}

Task<void> RosterStore::putRequest(AccountId account, SubscriptionRequest request, WallTime now) {
    auto work = [account, request = std::move(request), now](SqlConnection& connection) {
        connection.run(
            "INSERT INTO roster_request VALUES(?1, ?2, ?3, ?4) ON CONFLICT(account, jid) "
            "DO UPDATE SET stanza = excluded.stanza",
            {account, request.jid, toMilliseconds(now), Blob{request.stanza}});
    };
    return database_.write(std::move(work));
}

Task<bool> RosterStore::removeRequest(AccountId account, std::string jid) {
    auto work = [account, jid = std::move(jid)](SqlConnection& connection) {
        return eraseRequest(connection, account, jid);
    };
    return database_.write(std::move(work));
}

}  // namespace epode
