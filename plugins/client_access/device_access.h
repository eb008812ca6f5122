// Taking a device's access away, for its owner and for operators.
#pragma once

#include "core/jid.h"
#include "core/task.h"
#include "route/server.h"
#include "store/stores.h"

#include <set>
#include <string>
#include <vector>

namespace epode::devices {

enum class Revocation {
    Done,
    PasswordReset,  // tokens and sessions have ended, but it may know the password
    Unknown,
};
// On any shard. Its sessions end in a later turn, so that it can be answered before.
Task<Revocation> revoke(Server& server, Jid account, AccountId id, std::string device);

// The devices among the sessions of an account in memory. On the account's shard.
std::set<std::string> connectedDevices(const Account& account);
// Of a session: "" when its client has not said which device it is.
std::string deviceOf(const Session& session);

// Whether it can log in, as far as we know.
bool hasAccess(const StoredDevice& device, WallTime now);

}  // namespace epode::devices
