// Accounts: who there is, with what proof of a password, and since when.
//
// An account is known by a number that is never used again, also after it was removed; all other
// stores keep their rows under it. Addresses are bare and prepared ("juliet@capulet.example").
#pragma once

#include "core/time.h"
#include "store/database.h"

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

using AccountId = std::int64_t;

// What a server keeps of a password for one hash of SCRAM (RFC 5802, 3).
struct StoredKeys {
    std::string hash;  // "SHA-256"
    std::string salt;
    std::int64_t iterations = 0;
    std::string storedKey;
    std::string serverKey;
    friend bool operator==(const StoredKeys&, const StoredKeys&) = default;
};

// Why nobody logs in to an account, and for how long; both may be unsaid.
struct Disabling {
    std::string reason;
    std::optional<WallTime> until;

    // A sentence for who tries to log in.
    std::string text() const;
};

struct AccountCredentials {
    AccountId account = 0;
    bool isDisabled = false;
    Disabling disabling{};
    std::vector<StoredKeys> keys;  // by name of the hash
};

struct AccountSummary {
    AccountId account = 0;
    std::string jid;
    bool isDisabled = false;
    Disabling disabling{};
    WallTime created{};
    std::optional<WallTime> lastLogin;
    std::optional<WallTime> lastActivity;
};

// A table whose rows belong to accounts: what is kept in it goes away with its account. The store
// of the table declares it; `column` holds the account's number.
struct AccountTable {
    std::string_view table;
    std::string_view column = "account";
    bool isLarge = false;  // may hold so many rows of one account that they go in steps
    std::string_view what{};   // for people: "contacts"; empty: the table's name
    std::string_view group{};  // a column by whose values rows are told apart, for people
};

// Rows of one account in one table.
struct AccountRows {
    std::string table;
    std::string what;
    std::int64_t rows = 0;
};

// No call blocks the loop. All throw StoreUnavailable when the database does not answer. What
// writes is durable once its task is done.
class AccountStore {
public:
    explicit AccountStore(Database& database);

    static std::span<const Migration> migrations();

    // Makes an account; nothing when the address is taken. `also` runs in the same transaction; when
    // it returns false, nothing has happened and nothing is returned.
    using Also = std::function<bool(SqlConnection&)>;
    Task<std::optional<AccountId>> create(std::string jid, std::vector<StoredKeys> keys,
                                          WallTime now, Also also = {});
    // Replaces all keys, and applies the rules of `addPasswordRule` along with it. False when there is
    // no such account.
    Task<bool> setCredentials(std::string jid, std::vector<StoredKeys> keys);
    // Keys of the password that the account has, for a hash it had none for.
    Task<void> addCredentials(AccountId account, StoredKeys keys);
    Task<std::optional<AccountCredentials>> credentials(std::string jid);
    Task<std::optional<AccountId>> find(std::string jid);
    Task<std::optional<AccountSummary>> summary(std::string jid);
    // Disabled accounts keep everything, but nobody logs in. False when there is no such account.
    // Without a reason the second form is the first; no default argument, because g++ 12 destroys one
    // that is an aggregate twice when the call is awaited.
    Task<bool> setDisabled(std::string jid, bool isDisabled);
    Task<bool> setDisabled(std::string jid, bool isDisabled, Disabling disabling);
    // Lets accounts log in again that were disabled until now; their addresses.
    Task<std::vector<std::string>> endDisabling(WallTime now);

    // Removes the account and its rows in all tables that were declared with `addTable`. The
    // address is free at once; what may be large goes in steps, which `finishRemovals` takes up
    // again after a crash. False when there is no such account.
    Task<bool> remove(std::string jid);
    // The same in its two halves, for who has something to do between them: after the first nobody
    // finds the account, the second erases its rows. Nothing when there is no such account.
    Task<std::optional<AccountId>> beginRemoval(std::string jid);
    Task<void> finishRemoval(AccountId account);
    // At start: completes removals that were interrupted.
    Task<void> finishRemovals();
    // What there is of an account in those tables, also of one that is being removed.
    Task<std::vector<AccountRows>> rows(AccountId account);
    // From any thread; again does nothing. Removals that begin later know the table.
    void addTable(AccountTable table);
    // A statement with the account's number as ?1 that belongs to each change of a password: what was
    // granted by the old one ends with it. Before the first change.
    void addPasswordRule(std::string_view sql) { passwordRules_.emplace_back(sql); }

    // At most `most` accounts of a domain (empty: of all), after the address `after`, by address.
    Task<std::vector<AccountSummary>> list(std::string domain, std::string after, std::size_t most);
    Task<std::int64_t> count(std::string domain);

    // Cheap, and not awaited: committed with what else comes.
    void noteLogin(Executor& executor, AccountId account, WallTime when);
    void noteActivity(Executor& executor, AccountId account, WallTime when);

private:
    struct Note {
        AccountId account;
        WallTime when;
    };

    std::vector<AccountTable> tables() const;

    Database& database_;
    mutable std::mutex mutex_;
    std::vector<AccountTable> tables_;
    std::vector<std::string> passwordRules_;
    RowChannel<Note> logins_;
    RowChannel<Note> activities_;
};

}  // namespace epode
