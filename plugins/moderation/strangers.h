// What people may do who have nothing to do with each other yet: how many ask for a subscription,
// and whether their first messages may have links in them.
#pragma once

#include "route/account.h"

#include <cstdint>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

namespace epode {
class Server;
}

namespace epode::moderation {

// So many in an hour, by any name. Thread-safe; what is counted is rare.
class HourlyCount {
public:
    // False when it was one too many. Zero: as many as they like.
    bool take(const std::string& name, std::int64_t most, SteadyTime now);
    // Whether the next one would be, without counting it.
    bool isUsedUp(const std::string& name, std::int64_t most, SteadyTime now);

private:
    struct Count {
        std::int64_t taken = 0;
        SteadyTime since{};
    };
    std::mutex mutex_;
    std::unordered_map<std::string, Count> counts_;
};

// The slot of an account: whom it has written to, beside its contacts.
struct Known {
    std::set<std::string, std::less<>> peers;
};

// Whether the account has never had to do with somebody: he is no contact, it has not written to
// him, and it is not in a room of this address.
bool isStranger(Account& account, const Jid& jid);

// Of this server: its accounts, its rooms and other services, its components.
bool isOfThisServer(Server& server, Account& account, const Jid& jid);

}  // namespace epode::moderation
