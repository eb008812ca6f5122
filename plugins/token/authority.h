// Which tokens a host believes, and whose they are.
#pragma once

#include "jwt.h"

#include "core/jid.h"
#include "core/option.h"

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

struct Bearer {
    Jid account;                 // bare
    std::int64_t accountId = 0;  // which it was made for; 0: whoever has the address
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

    // Its signature, issuer, audience, times and scope. Whether there is such an account is asked
    // elsewhere.
    struct Outcome {
        std::optional<Bearer> bearer;
        Problem problem = Problem::InvalidToken;
    };
    Outcome check(std::string_view compact, WallTime now) const;

    // A token of our own; "" when there is no key for it.
    std::string issue(const Bearer& bearer, std::string_view scope, WallTime now,
                      WallTime expires) const;

private:
    std::optional<Token> read(std::string_view compact, bool& isOwn) const;

    void readOwnKey();
    void readForeignKeys();

    const Rules rules_;
    const std::string dataFolder_;
    mutable std::mutex mutex_;
    bool hasRead_ = false;
    std::vector<Key> own_;  // one, or none
    std::vector<Key> foreign_;
    std::int64_t fileStamp_ = 0;
};

// The key of this server, in a file of the data folder that is made with the first token. Blocks;
// throws std::runtime_error.
Key ownKey(const std::string& dataFolder);

}  // namespace epode::token
