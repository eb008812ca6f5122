#include "store/account_store.h"

#include "core/time_format.h"

#include <algorithm>

namespace epode {

namespace {

constexpr Migration accountMigrations[] = {
    {"store.account", 1, "accounts and their keys", R"(
        CREATE TABLE account(
            id {id},
            jid {text} NOT NULL UNIQUE,
            domain {text} NOT NULL,
            is_disabled {bigint} NOT NULL,
            created_at {bigint} NOT NULL,
            last_login_at {bigint},
            last_activity_at {bigint});
        CREATE INDEX account_by_domain ON account(domain, jid);
        CREATE TABLE credential(
            account {bigint} NOT NULL,
            hash {text} NOT NULL,
            salt {blob} NOT NULL,
            iterations {bigint} NOT NULL,
            stored_key {blob} NOT NULL,
            server_key {blob} NOT NULL,
            PRIMARY KEY(account, hash)) {clustered};
        CREATE TABLE account_removal(account {bigint} PRIMARY KEY);
    )"},
    {"store.account", 2, "why and how long accounts are disabled", R"(
        ALTER TABLE account ADD COLUMN disabled_reason {text} NOT NULL DEFAULT '';
        ALTER TABLE account ADD COLUMN disabled_until {bigint} NOT NULL DEFAULT 0;
        CREATE INDEX account_by_disabled_until ON account(disabled_until);
    )"},
};

// Rows of one account that go in one transaction while it is removed.
constexpr std::int64_t rowsPerStep = 2000;

std::string_view domainOf(std::string_view jid) {
    const auto at = jid.find('@');
    return at == std::string_view::npos ? jid : jid.substr(at + 1);
}

std::optional<AccountId> findAccount(SqlConnection& connection, std::string_view jid) {
    std::optional<AccountId> found;
    connection.run("SELECT id FROM account WHERE jid = ?1", {jid},
                   [&](const SqlRow& row) { found = row.integer(0); });
    return found;
}

void insertKeys(SqlConnection& connection, AccountId account, const std::vector<StoredKeys>& keys) {
    for (const auto& entry : keys) {
        connection.run("INSERT INTO credential VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
                       {account, entry.hash, Blob{entry.salt}, entry.iterations,
                        Blob{entry.storedKey}, Blob{entry.serverKey}});
    }
}

std::optional<WallTime> timeAt(const SqlRow& row, int column) {
    if (row.isNull(column)) return std::nullopt;
    return fromMilliseconds(row.integer(column));
}

Disabling disablingAt(const SqlRow& row, int column) {
    Disabling found{.reason = std::string{row.text(column)}, .until = {}};
    if (row.integer(column + 1) != 0) found.until = fromMilliseconds(row.integer(column + 1));
    return found;
}

constexpr std::string_view summaryColumns =
    "id, jid, is_disabled, created_at, last_login_at, last_activity_at, disabled_reason, "
    "disabled_until";

AccountSummary readSummary(const SqlRow& row) {
    AccountSummary summary;
    summary.account = row.integer(0);
    summary.jid = row.text(1);
    summary.isDisabled = row.integer(2) != 0;
    summary.created = fromMilliseconds(row.integer(3));
    summary.lastLogin = timeAt(row, 4);
    summary.lastActivity = timeAt(row, 5);
    summary.disabling = disablingAt(row, 6);
    return summary;
}

// One statement for all notes of a commit.
template <typename Note>
auto noteWith(std::string_view sql) {
    return [sql, values = std::vector<SqlValue>{}](SqlConnection& connection,
                                                   std::span<Note> notes) mutable {
        values.clear();
        for (const Note& note : notes) {
            values.emplace_back(note.account);
            values.emplace_back(toMilliseconds(note.when));
        }
        connection.runMany(sql, 2, values);
    };
}

}  // namespace

std::span<const Migration> AccountStore::migrations() { return accountMigrations; }

AccountStore::AccountStore(Database& database)
    : database_{database},
      tables_{{.table = "credential", .what = "keys of the password"}},
      logins_{database, {noteWith<Note>("UPDATE account SET last_login_at = ?2 WHERE id = ?1")}},
      activities_{database,
                  {noteWith<Note>("UPDATE account SET last_activity_at = ?2 WHERE id = ?1")}} {}

void AccountStore::addTable(AccountTable table) {
    const std::lock_guard lock{mutex_};
    const auto isKnown = [&table](const AccountTable& known) {
        return known.table == table.table && known.column == table.column;
    };
    if (std::none_of(tables_.begin(), tables_.end(), isKnown)) tables_.push_back(table);
}

std::vector<AccountTable> AccountStore::tables() const {
    const std::lock_guard lock{mutex_};
    return tables_;
}

Task<std::vector<AccountRows>> AccountStore::rows(AccountId account) {
    auto work = [account, tables = tables()](SqlConnection& connection) {
        std::vector<AccountRows> found;
        for (const AccountTable& table : tables) {
            const std::string name{table.table};
            const std::string what = table.what.empty() ? name : std::string{table.what};
            const std::string where =
                " FROM " + name + " WHERE " + std::string{table.column} + " = ?1";
            const std::string group{table.group};
            const std::string sql =
                group.empty() ? "SELECT count(*)" + where
                              : "SELECT count(*), " + group + where + " GROUP BY " + group +
                                    " ORDER BY " + group;
            connection.run(sql, {account}, [&](const SqlRow& row) {
                if (row.integer(0) == 0) return;
                const std::string of = group.empty() ? "" : " of " + std::string{row.text(1)};
                found.push_back({name, what + of, row.integer(0)});
            });
        }
        return found;
    };
    return database_.read(std::move(work));
}

Task<std::optional<AccountId>> AccountStore::create(std::string jid, std::vector<StoredKeys> keys,
                                                    WallTime now, Also also) {
    struct Refused {};  // thrown, so that what was done before is undone
    auto work = [jid = std::move(jid), keys = std::move(keys), now,
                 also = std::move(also)](SqlConnection& connection) {
        std::optional<AccountId> made;
        connection.run(
            "INSERT INTO account(jid, domain, is_disabled, created_at) VALUES(?1, ?2, 0, ?3) "
            "ON CONFLICT DO NOTHING RETURNING id",
            {jid, domainOf(jid), toMilliseconds(now)},
            [&](const SqlRow& row) { made = row.integer(0); });
        if (made) insertKeys(connection, *made, keys);
        if (made && also && !also(connection)) throw Refused{};
        return made;
    };
    auto write = database_.write(std::move(work));
    try {
        auto made = co_await write;
        co_return made;
    } catch (const Refused&) {
        co_return std::nullopt;
    }
}

Task<bool> AccountStore::setCredentials(std::string jid, std::vector<StoredKeys> keys) {
    auto work = [this, jid = std::move(jid), keys = std::move(keys)](SqlConnection& connection) {
        const auto account = findAccount(connection, jid);
        if (!account) return false;
        connection.run("DELETE FROM credential WHERE account = ?1", {*account});
        insertKeys(connection, *account, keys);
        for (const auto& rule : passwordRules_) connection.run(rule, {*account});
        return true;
    };
    return database_.write(std::move(work));
}

Task<void> AccountStore::addCredentials(AccountId account, StoredKeys keys) {
    auto work = [account, keys = std::move(keys)](SqlConnection& connection) {
        connection.run(
            "INSERT INTO credential SELECT id, ?2, ?3, ?4, ?5, ?6 FROM account WHERE id = ?1 "
            "ON CONFLICT DO NOTHING",
            {account, keys.hash, Blob{keys.salt}, keys.iterations, Blob{keys.storedKey},
             Blob{keys.serverKey}});
    };
    return database_.write(std::move(work));
}

Task<std::optional<AccountCredentials>> AccountStore::credentials(std::string jid) {
    auto work = [jid = std::move(jid)](SqlConnection& connection) {
        std::optional<AccountCredentials> found;
        connection.run(
            "SELECT a.id, a.is_disabled, c.hash, c.salt, c.iterations, c.stored_key, c.server_key, "
            "a.disabled_reason, a.disabled_until FROM account a LEFT JOIN credential c ON c.account = a.id WHERE a.jid = ?1 "
            "ORDER BY c.hash",
            {jid}, [&](const SqlRow& row) {
                if (!found) found.emplace();
                found->account = row.integer(0);
                found->isDisabled = row.integer(1) != 0;
                found->disabling = disablingAt(row, 7);
                if (row.isNull(2)) return;
                StoredKeys keys;
                keys.hash = row.text(2);
                keys.salt = row.blob(3);
                keys.iterations = row.integer(4);
                keys.storedKey = row.blob(5);
                keys.serverKey = row.blob(6);
                found->keys.push_back(std::move(keys));
            });
        return found;
    };
    return database_.read(std::move(work));
}

Task<std::optional<AccountId>> AccountStore::find(std::string jid) {
    auto work = [jid = std::move(jid)](SqlConnection& connection) {
        return findAccount(connection, jid);
    };
    return database_.read(std::move(work));
}

Task<std::optional<AccountSummary>> AccountStore::summary(std::string jid) {
    auto work = [jid = std::move(jid)](SqlConnection& connection) {
        static const std::string sql =
            "SELECT " + std::string{summaryColumns} + " FROM account WHERE jid = ?1";
        std::optional<AccountSummary> found;
        connection.run(sql, {jid}, [&](const SqlRow& row) { found = readSummary(row); });
        return found;
    };
    return database_.read(std::move(work));
}

Task<bool> AccountStore::setDisabled(std::string jid, bool isDisabled) {
    return setDisabled(std::move(jid), isDisabled, Disabling{});
}

Task<bool> AccountStore::setDisabled(std::string jid, bool isDisabled, Disabling disabling) {
    auto work = [jid = std::move(jid), isDisabled,
                 disabling = std::move(disabling)](SqlConnection& connection) {
        const std::int64_t until = disabling.until ? toMilliseconds(*disabling.until) : 0;
        return connection.run(
                   "UPDATE account SET is_disabled = ?2, disabled_reason = ?3, "
                   "disabled_until = ?4 WHERE jid = ?1",
                   {jid, std::int64_t{isDisabled}, disabling.reason, until}) != 0;
    };
    return database_.write(std::move(work));
}

Task<std::vector<std::string>> AccountStore::endDisabling(WallTime now) {
    auto work = [now](SqlConnection& connection) {
        std::vector<std::string> freed;
        connection.run(
            "SELECT jid FROM account WHERE disabled_until > 0 AND disabled_until <= ?1",
            {toMilliseconds(now)}, [&](const SqlRow& row) { freed.emplace_back(row.text(0)); });
        for (const auto& jid : freed)
            connection.run(
                "UPDATE account SET is_disabled = 0, disabled_reason = '', disabled_until = 0 "
                "WHERE jid = ?1",
                {jid});
        return freed;
    };
    return database_.write(std::move(work));
}

std::string Disabling::text() const {
    if (reason.empty() && !until) return "The account has been disabled.";
    std::string text = "The account is suspended";
    if (until) text += " until " + formatDateTime(*until);
    return text + (reason.empty() ? "." : ": " + reason);
}

Task<bool> AccountStore::remove(std::string jid) {
    auto account = co_await beginRemoval(std::move(jid));
    if (!account) co_return false;
    co_await finishRemoval(*account);
    co_return true;
}

Task<std::optional<AccountId>> AccountStore::beginRemoval(std::string jid) {
    auto work = [jid = std::move(jid)](SqlConnection& connection) {
        const auto account = findAccount(connection, jid);
        if (!account) return account;
        connection.run("DELETE FROM account WHERE id = ?1", {*account});
        connection.run("INSERT INTO account_removal VALUES(?1)", {*account});
        return account;
    };
    return database_.write(std::move(work));
}

Task<void> AccountStore::finishRemovals() {
    auto work = [](SqlConnection& connection) {
        std::vector<AccountId> accounts;
        connection.run("SELECT account FROM account_removal", {},
                       [&](const SqlRow& row) { accounts.push_back(row.integer(0)); });
        return accounts;
    };
    auto accounts = co_await database_.read(std::move(work));
    for (const AccountId account : accounts) {
        co_await finishRemoval(account);
    }
}

Task<void> AccountStore::finishRemoval(AccountId account) {
    // One table after the other, in transactions of a bounded size, so that others are not kept
    // waiting by an archive of years.
    const auto tables = this->tables();
    for (const AccountTable& table : tables) {
        const std::string name{table.table};
        const std::string where = " WHERE " + std::string{table.column} + " = ?1";
        const std::string key = database_.dialect() == Dialect::Sqlite ? "rowid" : "ctid";
        const std::string sql = table.isLarge ? "DELETE FROM " + name + " WHERE " + key +
                                                    " IN (SELECT " + key + " FROM " + name + where +
                                                    " LIMIT " + std::to_string(rowsPerStep) + ")"
                                              : "DELETE FROM " + name + where;
        for (;;) {
            auto work = [sql, account](SqlConnection& connection) {
                return connection.run(sql, {account});
            };
            auto removed = co_await database_.write(std::move(work));
            if (!table.isLarge || removed < rowsPerStep) break;
        }
    }
    auto finish = [account](SqlConnection& connection) {
        connection.run("DELETE FROM account_removal WHERE account = ?1", {account});
    };
    co_await database_.write(std::move(finish));
}

Task<std::vector<AccountSummary>> AccountStore::list(std::string domain, std::string after,
                                                     std::size_t most) {
    auto work = [domain = std::move(domain), after = std::move(after),
                 most](SqlConnection& connection) {
        static const std::string ofAll = "SELECT " + std::string{summaryColumns} +
                                         " FROM account WHERE jid > ?1 ORDER BY jid LIMIT ?2";
        static const std::string ofDomain =
            "SELECT " + std::string{summaryColumns} +
            " FROM account WHERE domain = ?3 AND jid > ?1 ORDER BY jid LIMIT ?2";
        std::vector<AccountSummary> found;
        auto keep = [&](const SqlRow& row) { found.push_back(readSummary(row)); };
        const auto limit = static_cast<std::int64_t>(most);
        if (domain.empty()) {
            connection.run(ofAll, {after, limit}, keep);
        } else {
            connection.run(ofDomain, {after, limit, domain}, keep);
        }
        return found;
    };
    return database_.read(std::move(work));
}

Task<std::int64_t> AccountStore::count(std::string domain) {
    auto work = [domain = std::move(domain)](SqlConnection& connection) {
        std::int64_t count = 0;
        auto keep = [&](const SqlRow& row) { count = row.integer(0); };
        if (domain.empty()) {
            connection.run("SELECT count(*) FROM account", {}, keep);
        } else {
            connection.run("SELECT count(*) FROM account WHERE domain = ?1", {domain}, keep);
        }
        return count;
    };
    return database_.read(std::move(work));
}

void AccountStore::noteLogin(Executor& executor, AccountId account, WallTime when) {
    logins_.add(executor, {account, when}, sizeof(Note), {});
}

void AccountStore::noteActivity(Executor& executor, AccountId account, WallTime when) {
    activities_.add(executor, {account, when}, sizeof(Note), {});
}

}  // namespace epode
