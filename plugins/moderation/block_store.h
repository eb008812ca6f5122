// What is kept of blocked addresses: one list for the whole server.
#pragma once

#include "block_list.h"

#include "core/task.h"
#include "store/account_store.h"
#include "store/database.h"

#include <vector>

namespace epode::moderation {

class BlockStore {
public:
    explicit BlockStore(Database& database) : database_{database} {}
    static const std::vector<const Migration*>& migrations();

    Task<std::vector<Blocked>> list();
    // Replaces what was said of this target; false when there are `most` others.
    Task<bool> put(Blocked blocked, std::int64_t most);
    Task<bool> remove(std::string target);
    Task<void> forgetEnded(WallTime now);

private:
    Database& database_;
};

// Whom accounts have written to first: these are no strangers to them. `readKnown` is for who is on
// a connection already; `noteKnown` is not waited for, and forgets the oldest beyond `most`.
std::vector<std::string> readKnown(SqlConnection& connection, AccountId account);
void noteKnown(Database& database, Executor& executor, AccountId account, std::string peer,
               WallTime now, std::int64_t most);
const AccountTable& knownTable();

}  // namespace epode::moderation
