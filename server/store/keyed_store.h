// Small things that plugins keep for accounts, by name: a vCard, private XML, a setting. A plugin
// that has more to ask than "what is there under this key?" brings tables of its own (migration.h).
#pragma once

#include "store/account_store.h"
#include "store/database.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace epode {

// The values of one component (a plugin's name); it sees no other's. Keys are UTF-8, values any
// bytes. What belongs to nobody is kept under account 0.
//
// No call blocks the loop. All throw StoreUnavailable when the database does not answer. What
// writes is durable once its task is done.
class KeyedStore {
public:
    KeyedStore(Database& database, std::string component);

    static std::span<const Migration> migrations();
    static std::span<const AccountTable> accountTables();

    // Those that keep anything for the account.
    static Task<std::vector<std::string>> components(Database& database, AccountId account);

    using Values = std::vector<std::pair<std::string, std::string>>;  // key, value

    Task<std::optional<std::string>> get(AccountId account, std::string key);
    // The same for who is on a connection already.
    static std::optional<std::string> read(SqlConnection& connection, AccountId account,
                                           std::string_view component, std::string_view key);
    // All of an account whose keys begin with `prefix`, by key.
    Task<Values> list(AccountId account, std::string prefix);
    Task<void> put(AccountId account, std::string key, std::string value);
    // All or none.
    Task<void> putAll(AccountId account, Values values);
    // Puts what has a value and removes what has none, all or nothing: false, and nothing is
    // changed, when the account would have more than `keysMax` keys.
    using Changes = std::vector<std::pair<std::string, std::optional<std::string>>>;
    Task<bool> change(AccountId account, Changes changes, std::int64_t keysMax);
    // False when there was nothing.
    Task<bool> remove(AccountId account, std::string key);

private:
    Database& database_;
    const std::string component_;
};

}  // namespace epode
