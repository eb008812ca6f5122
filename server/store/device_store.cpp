#include "store/device_store.h"

namespace epode {

namespace {

constexpr Migration deviceMigrations[] = {
    {"store.device", 1, "devices and their tokens", R"(
        CREATE TABLE login_device(
            account {bigint} NOT NULL,
            device {text} NOT NULL,
            software {text} NOT NULL,
            name {text} NOT NULL,
            first_seen {bigint} NOT NULL,
            last_seen {bigint} NOT NULL,
            has_password {bigint} NOT NULL,
            PRIMARY KEY(account, device)){clustered};
        CREATE TABLE login_token(
            account {bigint} NOT NULL,
            device {text} NOT NULL,
            nonce {blob} NOT NULL,
            mechanism {text} NOT NULL,
            issued {bigint} NOT NULL,
            expires {bigint} NOT NULL,
            counter {bigint} NOT NULL,
            is_used {bigint} NOT NULL,
            PRIMARY KEY(account, device, nonce)){clustered};
    )"},
};

constexpr AccountTable tables[] = {{"login_device"}, {"login_token"}};

constexpr std::string_view rules[] = {
    "DELETE FROM login_token WHERE account = ?1",
    "UPDATE login_device SET has_password = 0 WHERE account = ?1",
};

constexpr std::string_view deleteTokens =
    "DELETE FROM login_token WHERE account = ?1 AND device = ?2";
constexpr std::string_view deleteDevice =
    "DELETE FROM login_device WHERE account = ?1 AND device = ?2";

// What the rows of a result name, in its first column.
std::vector<std::string> texts(SqlConnection& connection, std::string_view sql,
                               std::initializer_list<SqlValue> parameters) {
    std::vector<std::string> found;
    connection.run(sql, parameters, [&](const SqlRow& row) { found.emplace_back(row.text(0)); });
    return found;
}

void note(SqlConnection& connection, const DeviceLogin& login, std::int64_t most) {
    const auto when = toMilliseconds(login.when);
    const std::int64_t byPassword = login.byPassword;
    const auto known = connection.run(
        "UPDATE login_device SET software = ?3, name = ?4, last_seen = ?5, "
        "has_password = CASE WHEN ?6 <> 0 THEN 1 ELSE has_password END "
        "WHERE account = ?1 AND device = ?2",
        {login.account, login.device, login.software, login.name, when, byPassword});
    if (known != 0) return;
    // The account may have been removed meanwhile: then nobody would remove this.
    connection.run(
        "INSERT INTO login_device SELECT id, ?2, ?3, ?4, ?5, ?5, ?6 FROM account WHERE id = ?1 "
        "ON CONFLICT DO NOTHING",
        {login.account, login.device, login.software, login.name, when, byPassword});
    const auto forgotten = texts(connection,
                                 "SELECT device FROM login_device WHERE account = ?1 "
                                 "ORDER BY last_seen DESC, device LIMIT 1000 OFFSET ?2",
                                 {login.account, most});
    for (const auto& device : forgotten) {
        connection.run(deleteTokens, {login.account, device});
        connection.run(deleteDevice, {login.account, device});
    }
}

StoredToken readToken(const SqlRow& row, int first) {
    StoredToken token;
    token.nonce = row.blob(first);
    token.mechanism = row.text(first + 1);
    token.issued = fromMilliseconds(row.integer(first + 2));
    token.expires = fromMilliseconds(row.integer(first + 3));
    token.counter = row.integer(first + 4);
    token.isUsed = row.integer(first + 5) != 0;
    return token;
}

}  // namespace

std::span<const Migration> DeviceStore::migrations() { return deviceMigrations; }
std::span<const AccountTable> DeviceStore::accountTables() { return tables; }
std::span<const std::string_view> DeviceStore::passwordRules() { return rules; }

DeviceStore::DeviceStore(Database& database) : database_{database} {}

void DeviceStore::noteLogin(Executor& executor, DeviceLogin login, std::int64_t most) {
    auto work = [login = std::move(login), most](SqlConnection& connection) {
        note(connection, login, most);
    };
    database_.enqueueWrite(executor, std::move(work), {}, Urgency::Patient);
}

Task<std::vector<StoredDevice>> DeviceStore::list(AccountId account) {
    auto work = [account](SqlConnection& connection) {
        std::vector<StoredDevice> found;
        connection.run(
            "SELECT d.device, d.software, d.name, d.first_seen, d.last_seen, d.has_password, "
            "(SELECT max(t.expires) FROM login_token t "
            "WHERE t.account = d.account AND t.device = d.device) "
            "FROM login_device d WHERE d.account = ?1 ORDER BY d.last_seen DESC, d.device",
            {account}, [&](const SqlRow& row) {
                StoredDevice device;
                device.device = row.text(0);
                device.software = row.text(1);
                device.name = row.text(2);
                device.firstSeen = fromMilliseconds(row.integer(3));
                device.lastSeen = fromMilliseconds(row.integer(4));
                device.hasPassword = row.integer(5) != 0;
                if (!row.isNull(6)) device.tokenExpires = fromMilliseconds(row.integer(6));
                found.push_back(std::move(device));
            });
        return found;
    };
    return database_.read(std::move(work));
}

Task<bool> DeviceStore::forget(AccountId account, std::string device) {
    auto work = [account, device = std::move(device)](SqlConnection& connection) {
        const auto tokens = connection.run(deleteTokens, {account, device});
        const auto devices = connection.run(deleteDevice, {account, device});
        return tokens + devices != 0;
    };
    return database_.write(std::move(work));
}

Task<bool> DeviceStore::forgetTokens(AccountId account, std::string device) {
    auto work = [account, device = std::move(device)](SqlConnection& connection) {
        return connection.run(deleteTokens, {account, device}) != 0;
    };
    return database_.write(std::move(work));
}

Task<std::optional<DeviceTokens>> DeviceStore::tokens(std::string jid, std::string device) {
    auto work = [jid = std::move(jid), device = std::move(device)](SqlConnection& connection) {
        std::optional<DeviceTokens> found;
        connection.run(
            "SELECT a.id, a.is_disabled, t.nonce, t.mechanism, t.issued, t.expires, t.counter, "
            "t.is_used, a.disabled_reason, a.disabled_until FROM account a LEFT JOIN login_token t ON t.account = a.id AND "
            "t.device = ?2 WHERE a.jid = ?1",
            {jid, device}, [&](const SqlRow& row) {
                if (!found) found.emplace();
                found->account = row.integer(0);
                found->isDisabled = row.integer(1) != 0;
                found->disabling.reason = row.text(8);
                if (row.integer(9) != 0)
                    found->disabling.until = fromMilliseconds(row.integer(9));
                if (!row.isNull(2)) found->tokens.push_back(readToken(row, 2));
            });
        return found;
    };
    return database_.read(std::move(work));
}

Task<bool> DeviceStore::useToken(AccountId account, std::string device, std::string nonce,
                                 std::optional<std::int64_t> counter) {
    auto work = [account, device = std::move(device), nonce = std::move(nonce),
                 counter](SqlConnection& connection) {
        const auto used = counter
                              ? connection.run(
                                    "UPDATE login_token SET is_used = 1, counter = ?4 WHERE "
                                    "account = ?1 AND device = ?2 AND nonce = ?3 AND counter < ?4",
                                    {account, device, Blob{nonce}, *counter})
                              : connection.run(
                                    "UPDATE login_token SET is_used = 1 WHERE account = ?1 AND "
                                    "device = ?2 AND nonce = ?3",
                                    {account, device, Blob{nonce}});
        if (used == 0) return false;
        connection.run(
            "DELETE FROM login_token WHERE account = ?1 AND device = ?2 AND expires < "
            "(SELECT max(u.expires) FROM login_token u WHERE u.account = ?1 AND u.device = ?2 AND "
            "u.nonce = ?3)",
            {account, device, Blob{nonce}});
        return true;
    };
    return database_.write(std::move(work));
}

Task<bool> DeviceStore::putToken(AccountId account, std::string device, StoredToken token,
                                 std::int64_t most, std::optional<std::string> replaced) {
    auto work = [account, device = std::move(device), token = std::move(token), most,
                 replaced = std::move(replaced)](SqlConnection& connection) {
        if (replaced) {
            bool isThere = false;
            connection.run(
                "SELECT 1 FROM login_token WHERE account = ?1 AND device = ?2 AND nonce = ?3",
                {account, device, Blob{*replaced}}, [&](const SqlRow&) { isThere = true; });
            if (!isThere) return false;
        }
        connection.run("DELETE FROM login_token WHERE account = ?1 AND device = ?2 AND is_used = 0",
                       {account, device});
        connection.run(
            "INSERT INTO login_token SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, ?8 FROM account "
            "WHERE id = ?1",
            {account, device, Blob{token.nonce}, token.mechanism, toMilliseconds(token.issued),
             toMilliseconds(token.expires), token.counter, std::int64_t{token.isUsed}});
        const auto forgotten =
            texts(connection,
                  "SELECT device FROM login_token WHERE account = ?1 GROUP BY device "
                  "ORDER BY max(expires) DESC, device LIMIT 1000 OFFSET ?2",
                  {account, most});
        for (const auto& one : forgotten) connection.run(deleteTokens, {account, one});
        return true;
    };
    return database_.write(std::move(work));
}

// What is to go is looked for by a reader, so that the writer is not kept busy with searching.
Task<std::int64_t> DeviceStore::expire(WallTime now, WallTime seenSince, std::int64_t most) {
    struct Found {
        AccountId account;
        std::string device;
        std::string nonce;
    };
    struct Expired {
        std::vector<Found> tokens;
        std::vector<Found> devices;
    };
    auto look = [now, seenSince, most](SqlConnection& connection) {
        Expired expired;
        connection.run("SELECT account, device, nonce FROM login_token WHERE expires < ?1 LIMIT ?2",
                       {toMilliseconds(now), most}, [&](const SqlRow& row) {
                           expired.tokens.push_back({row.integer(0), std::string{row.text(1)},
                                                     std::string{row.blob(2)}});
                       });
        connection.run(
            "SELECT d.account, d.device FROM login_device d WHERE d.last_seen < ?1 AND NOT EXISTS "
            "(SELECT 1 FROM login_token t WHERE t.account = d.account AND t.device = d.device) "
            "LIMIT ?2",
            {toMilliseconds(seenSince), most}, [&](const SqlRow& row) {
                expired.devices.push_back({row.integer(0), std::string{row.text(1)}, {}});
            });
        return expired;
    };
    auto expired = co_await database_.read(std::move(look));
    if (expired.tokens.empty() && expired.devices.empty()) co_return 0;
    auto work = [&expired, seenSince](SqlConnection& connection) {
        std::int64_t gone = 0;
        for (const auto& [account, device, nonce] : expired.tokens)
            gone += connection.run(
                "DELETE FROM login_token WHERE account = ?1 AND device = ?2 AND nonce = ?3",
                {account, device, Blob{nonce}});
        // It may have come back meanwhile.
        for (const auto& [account, device, nonce] : expired.devices)
            gone += connection.run(
                "DELETE FROM login_device WHERE account = ?1 AND device = ?2 AND last_seen < ?3",
                {account, device, toMilliseconds(seenSince)});
        return gone;
    };
    auto gone = co_await database_.write(std::move(work));
    co_return gone;
}

}  // namespace epode
