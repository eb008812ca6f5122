// Making, changing and removing accounts, for everybody who may: commands, registration, invitations.
#pragma once

#include "core/jid.h"
#include "core/task.h"
#include "core/unique_function.h"

#include <functional>
#include <string>

namespace epode {

class Server;
class SqlConnection;

// All are awaited on a shard and throw StoreUnavailable. What they change is durable when they are done.

enum class Creation { Done, Taken, BadPassword, Refused };
// `also` runs in the transaction that makes the account, unless the address is taken: false refuses it.
using CreationCheck = std::function<bool(SqlConnection&)>;
Task<Creation> createAccount(Server& server, Jid bare, std::string password,
                             CreationCheck also = {});

enum class PasswordChange { Done, NoAccount, BadPassword };
Task<PasswordChange> changePassword(Server& server, Jid bare, std::string password);

// Removes the account with everything that is kept of it, and ends its sessions. False when there was
// none. `lastWords` runs on the account's shard, when it is gone for good and before its sessions end.
Task<bool> removeAccount(Server& server, Jid bare, UniqueFunction<void()> lastWords = {});

}  // namespace epode
