// Who a token speaks for, for doors where nobody logs in with a password each time (HTTP). A plugin
// offers it with `context.offerBearers`; others find it at `Services::bearers` (null: this host
// has no tokens).
#pragma once

#include "core/jid.h"
#include "core/task.h"
#include "core/time.h"
#include "store/account_store.h"

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

struct Bearer {
    Jid account;  // bare
    AccountId id = 0;
    std::vector<std::string> scopes{};
    WallTime expires{};
    bool isWhole = false;  // may whatever the account may: it would do for a login to XMPP

    bool may(std::string_view scope) const {
        return isWhole || std::find(scopes.begin(), scopes.end(), scope) != scopes.end();
    }
};

class Bearers {
public:
    virtual ~Bearers() = default;

    // All on a shard; throw StoreUnavailable. Nothing for a token that is not believed, and for
    // one whose account is gone, disabled, or has another password since.
    virtual Task<std::optional<Bearer>> bearerOf(std::string token) = 0;

    // A token of the server's own, for an account of the host. Nothing when there is no such
    // account or no key.
    struct Issued {
        std::string token;
        WallTime expires{};
    };
    virtual Task<std::optional<Issued>> issue(Jid account, std::vector<std::string> scopes,
                                              Duration lifetime) = 0;
    virtual Duration lifetimeMost() const = 0;
};

}  // namespace epode
