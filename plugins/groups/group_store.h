// Groups of accounts that are in each other's rosters, as they are stored: a row for each member.
#pragma once

#include "core/jid.h"
#include "core/task.h"
#include "store/account_store.h"
#include "store/database.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace epode {

struct Group {
    std::int64_t id = 0;
    std::string name;          // for operators
    std::string title;         // what people see
    bool isEverybody = false;  // all accounts of the host
    std::vector<Jid> members;  // by address
    bool isCut = false;        // it has more than there may be
};

// No call blocks the loop. All throw StoreUnavailable. What writes is durable once its task is
// done.
class GroupStore {
public:
    explicit GroupStore(Database& database) : database_{database} {}

    static const std::vector<const Migration*>& migrations();
    static const std::vector<AccountTable>& accountTables();

    // False when there is one by this name.
    Task<bool> add(std::string host, std::string name, std::string title, bool isEverybody);
    // False when there is none.
    Task<bool> remove(std::string host, std::string name);
    enum class Change { Done, NoGroup, IsEverybody, TooMany };
    Task<Change> addMembers(std::string host, std::string name, std::vector<AccountId> accounts,
                            std::size_t membersMax);
    Task<Change> removeMembers(std::string host, std::string name, std::vector<AccountId> accounts);
    // All of a host by name, each with at most `membersMax` members.
    Task<std::vector<Group>> load(std::string host, std::size_t membersMax);

private:
    Database& database_;
};

// Shared with who loads accounts.
std::vector<Group> readGroups(SqlConnection& connection, std::string_view host,
                              std::size_t membersMax);

}  // namespace epode
