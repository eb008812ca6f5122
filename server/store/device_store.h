// The devices of accounts: installations of clients that have said which one they are (XEP-0388,
// 2.3), and the tokens with which they log in (XEP-0484). A device is known by a text that
// route/login.h makes from the client's own id, which is not stored.
#pragma once

#include "core/time.h"
#include "store/account_store.h"
#include "store/database.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace epode {

// A login, as far as it is kept.
struct DeviceLogin {
    AccountId account = 0;
    std::string device;
    std::string software;  // as its user may read them; may be empty
    std::string name;
    bool byPassword = false;
    WallTime when{};
};

struct StoredDevice {
    std::string device;
    std::string software;
    std::string name;
    WallTime firstSeen{};
    WallTime lastSeen{};
    bool hasPassword = false;  // has logged in with the password that the account has now
    std::optional<WallTime> tokenExpires;
};

// What is kept of a token: not the token but what the server makes it from, together with a secret
// that is not in the database. So who reads the database can't log in by it.
struct StoredToken {
    std::string nonce;
    std::string mechanism;  // "HT-SHA-256-EXPR"; it serves no other
    WallTime issued{};
    WallTime expires{};
    std::int64_t counter = 0;  // the last that the client has said; 0: none
    bool isUsed = false;
};

struct DeviceTokens {
    AccountId account = 0;
    bool isDisabled = false;
    Disabling disabling{};
    std::vector<StoredToken> tokens;
};

// No call blocks the loop. All tasks throw StoreUnavailable when the database does not answer; what
// they write is durable when they are done.
class DeviceStore {
public:
    explicit DeviceStore(Database& database);

    static std::span<const Migration> migrations();
    static std::span<const AccountTable> accountTables();
    // What happens when the password of an account changes: see AccountStore::addPasswordRule.
    static std::span<const std::string_view> passwordRules();

    // Not awaited: committed with what else comes. Of more than `most` devices of an account those
    // that were away longest are forgotten, with their tokens.
    void noteLogin(Executor& executor, DeviceLogin login, std::int64_t most);
    // The last seen first.
    Task<std::vector<StoredDevice>> list(AccountId account);
    // The device and its tokens, or its tokens alone. False when there was nothing.
    Task<bool> forget(AccountId account, std::string device);
    Task<bool> forgetTokens(AccountId account, std::string device);

    // Nothing when there is no such account.
    Task<std::optional<DeviceTokens>> tokens(std::string jid, std::string device);
    // A token was used: those of its device that expire earlier are gone. `counter`, when the
    // client has sent one, has to be greater than the last; false when it is not, or the token is
    // gone.
    Task<bool> useToken(AccountId account, std::string device, std::string nonce,
                        std::optional<std::int64_t> counter);
    // In place of one that was given to the same device and not used. Of more than `most` devices
    // with tokens the one whose token expires first loses it. Whoever has logged in by the token
    // `replaced` gets none when that is gone: it was taken away meanwhile. False then.
    Task<bool> putToken(AccountId account, std::string device, StoredToken token, std::int64_t most,
                        std::optional<std::string> replaced = std::nullopt);

    // Forgets tokens that expired before `now`, and devices without a token that were last here
    // before `seenSince`. At most `most` of each; returns how many.
    Task<std::int64_t> expire(WallTime now, WallTime seenSince, std::int64_t most);

private:
    Database& database_;
};

}  // namespace epode
