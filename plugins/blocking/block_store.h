// The block lists as they are stored.
#pragma once

#include "core/jid.h"
#include "core/task.h"
#include "core/time.h"
#include "store/account_store.h"
#include "store/database.h"

#include <optional>
#include <string>
#include <vector>

namespace epode {

// No call blocks the loop. All throw StoreUnavailable. What writes is durable once its task is
// done.
class BlockStore {
public:
    explicit BlockStore(Database& database) : database_{database} {}

    static const std::vector<const Migration*>& migrations();
    static const AccountTable& table();

    // All or none; false when the list would be longer than `entriesMax`.
    Task<bool> add(AccountId account, std::vector<Jid> jids, WallTime now, std::size_t entriesMax);
    Task<void> remove(AccountId account, std::vector<Jid> jids);
    Task<void> clear(AccountId account);

private:
    Database& database_;
};

// Shared with who loads accounts.
std::vector<std::string> readBlocked(SqlConnection& connection, AccountId account);

}  // namespace epode
