// Whether the server may say something for an account to an address by itself: presence,
// notifications, copies. What a client says there goes through the `outgoing` hooks, what comes
// from there through the `incoming` ones.
#pragma once

#include "route/account.h"
#include "route/host.h"

namespace epode {

inline bool mayReach(Account& account, const Jid& to) {
    const auto& hook = account.host().services().reaches;
    if (hook.empty()) return true;
    ReachEvent event{account, to};
    return hook.run(event) == Verdict::Pass;
}

}  // namespace epode
