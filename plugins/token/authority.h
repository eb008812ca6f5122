// Which tokens a host believes, and whose they are.
#pragma once

#include "jwt.h"

#include "core/jid.h"
#include "core/option.h"
#include "store/account_store.h"

#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace epode::token {

std::vector<OptionRef> tokenOptions();

// What a host has been told.
struct Rules {
    Rules(const Settings& settings, const std::string& host);

    std::string host;
    std::string keyFile;   // JWK Set; "" for none
    std::string keysUrl;   // where there is another one; "" for nowhere
    Duration keysEvery{};  // how often it is asked for
    std::string issuer;    // of the tokens that those keys sign
    std::string audience;  // whom they must be for
    std::string accountClaim;
    std::string scope;  // that a token needs for a login; "" for none
    std::string openidConfiguration;
    bool isPassword;  // PLAIN takes tokens as well
    Duration lifetimeMost;
};

// Why a token is refused, in the words of RFC 6750, 3.1.
enum class Problem : std::uint8_t { InvalidToken, InsufficientScope };

// Whom a token is for.
struct Holder {
    Jid account;                 // bare
    std::int64_t accountId = 0;  // which it was made for; 0: whoever has the address
    std::string passwordMark{};  // of a token of our own: see Authority::markOf
    std::vector<std::string> scopes{};
    WallTime expires{};
};

// Thread-safe.
class Authority {
public:
    Authority(Rules rules, std::string dataFolder);

    const Rules& rules() const { return rules_; }

    // Reads the server's own key, once, and the key file when it has changed; blocks. A file that
    // can't be read leaves the keys as they were, and is logged.
    void readKeys();
    // Before it has been done no token is good.
    bool hasRead() const;

    // Whether the set at the address of `token.keys_url` shall be fetched now: for the first time,
    // in its interval, or because a token names a key that nobody knows. Who is told so does it;
    // strangers can't have it asked for more often than now and then.
    enum class Reason : std::uint8_t { Interval, UnknownKey };
    bool shallFetch(Reason reason, SteadyTime now);
    // What has come, or why nothing has. Then the keys stay as they were.
    void takeFetched(const std::string& json, const std::string& problem);

    // Its signature, issuer, audience and times. Whether there is such an account, and whether the
    // scope will do, is asked elsewhere.
    struct Outcome {
        std::optional<Holder> holder;
        bool isKeyUnknown = false;  // it names one that none of ours is
    };
    Outcome check(std::string_view compact, WallTime now) const;

    // Whether it would do for a login to XMPP.
    bool isForLogin(const Holder& holder) const;
    // Whether the account is the one that the token was made for, may log in, and has the password
    // that it had then.
    bool isFor(const Holder& holder, const AccountCredentials& stored) const;

    // A token of our own; "" when there is no key for it.
    std::string issue(const AccountCredentials& stored, const Jid& account, std::string_view scope,
                      WallTime now, WallTime expires) const;

private:
    struct Keys {
        std::vector<Key> own;
        std::vector<Key> foreign;
    };
    Keys keys() const;
    std::optional<Token> read(std::string_view compact, const Keys& keys, bool& isOwn) const;
    // Of a password as it is stored: nobody can tell from it what the password is, nor whether two
    // accounts have the same.
    std::string markOf(const Key& own, const StoredKeys& stored) const;

    void readOwnKey();
    void readForeignKeys();

    const Rules rules_;
    const std::string dataFolder_;
    mutable std::mutex mutex_;
    bool hasRead_ = false;
    std::vector<Key> own_;  // one, or none
    std::vector<Key> fromFile_;
    std::vector<Key> fetched_;
    std::int64_t fileStamp_ = 0;
    std::optional<SteadyTime> asked_;  // for `fetched_`, the last time
    bool hasFailed_ = false;           // that
};

// The key of this server, in a file of the data folder that is made with the first token. Blocks;
// throws std::runtime_error.
Key ownKey(const std::string& dataFolder);

}  // namespace epode::token
