#include "store/keyed_store.h"

namespace epode {

namespace {

constexpr Migration keyedMigrations[] = {
    {"store.keyed", 1, "values of plugins by account and key", R"(
        CREATE TABLE keyed(
            component {text} NOT NULL,
            account {bigint} NOT NULL,
            name {text} NOT NULL,
            value {blob} NOT NULL,
            PRIMARY KEY(account, component, name));
    )"},
};

constexpr AccountTable tables[] = {{.table = "keyed", .what = "values", .group = "component"}};

void putOne(SqlConnection& connection, std::string_view component, AccountId account,
            std::string_view key, std::string_view value) {
    connection.run(
        "INSERT INTO keyed VALUES(?1, ?2, ?3, ?4) ON CONFLICT(account, component, name) "
        "DO UPDATE SET value = excluded.value",
        {component, account, key, Blob{value}});
}

bool removeOne(SqlConnection& connection, std::string_view component, AccountId account,
               std::string_view key) {
    return connection.run("DELETE FROM keyed WHERE account = ?1 AND component = ?2 AND name = ?3",
                          {account, component, key}) != 0;
}

}  // namespace

std::span<const Migration> KeyedStore::migrations() { return keyedMigrations; }
std::span<const AccountTable> KeyedStore::accountTables() { return tables; }

Task<std::vector<std::string>> KeyedStore::components(Database& database, AccountId account) {
    auto work = [account](SqlConnection& connection) {
        std::vector<std::string> found;
        connection.run(
            "SELECT DISTINCT component FROM keyed WHERE account = ?1 ORDER BY component", {account},
            [&](const SqlRow& row) { found.emplace_back(row.text(0)); });
        return found;
    };
    return database.read(std::move(work));
}

KeyedStore::KeyedStore(Database& database, std::string component)
    : database_{database}, component_{std::move(component)} {}

Task<std::optional<std::string>> KeyedStore::get(AccountId account, std::string key) {
    auto work = [component = component_, account, key = std::move(key)](SqlConnection& connection) {
        return read(connection, account, component, key);
    };
    return database_.read(std::move(work));
}

std::optional<std::string> KeyedStore::read(SqlConnection& connection, AccountId account,
                                            std::string_view component, std::string_view key) {
    std::optional<std::string> value;
    connection.run("SELECT value FROM keyed WHERE account = ?1 AND component = ?2 AND name = ?3",
                   {account, component, key}, [&](const SqlRow& row) { value = row.blob(0); });
    return value;
}

Task<KeyedStore::Values> KeyedStore::list(AccountId account, std::string prefix) {
    auto work = [component = component_, account,
                 prefix = std::move(prefix)](SqlConnection& connection) {
        Values values;
        connection.run(
            "SELECT name, value FROM keyed WHERE account = ?1 AND component = ?2 AND name >= ?3 "
            "ORDER BY name",
            {account, component, prefix}, [&](const SqlRow& row) {
                if (!row.text(0).starts_with(prefix)) return;
                values.emplace_back(row.text(0), row.blob(1));
            });
        return values;
    };
    return database_.read(std::move(work));
}

Task<void> KeyedStore::put(AccountId account, std::string key, std::string value) {
    auto work = [component = component_, account, key = std::move(key),
                 value = std::move(value)](SqlConnection& connection) {
        putOne(connection, component, account, key, value);
    };
    return database_.write(std::move(work));
}

Task<void> KeyedStore::putAll(AccountId account, Values values) {
    auto work = [component = component_, account,
                 values = std::move(values)](SqlConnection& connection) {
        for (const auto& [key, value] : values) {
            putOne(connection, component, account, key, value);
        }
    };
    return database_.write(std::move(work));
}

Task<bool> KeyedStore::change(AccountId account, Changes changes, std::int64_t keysMax) {
    struct TooMany {};  // thrown, so that what was changed before is undone
    auto work = [component = component_, account, changes = std::move(changes),
                 keysMax](SqlConnection& connection) {
        const auto count = [&] {
            std::int64_t keys = 0;
            connection.run("SELECT count(*) FROM keyed WHERE account = ?1 AND component = ?2",
                           {account, component},
                           [&](const SqlRow& row) { keys = row.integer(0); });
            return keys;
        };
        const std::int64_t before = count();
        for (const auto& [key, value] : changes) {
            if (value) putOne(connection, component, account, key, *value);
            else removeOne(connection, component, account, key);
        }
        const std::int64_t after = count();
        if (after > keysMax && after > before) throw TooMany{};
    };
    try {
        co_await database_.write(std::move(work));
    } catch (const TooMany&) {
        co_return false;
    }
    co_return true;
}

Task<bool> KeyedStore::remove(AccountId account, std::string key) {
    auto work = [component = component_, account, key = std::move(key)](SqlConnection& connection) {
        return removeOne(connection, component, account, key);
    };
    return database_.write(std::move(work));
}

}  // namespace epode
