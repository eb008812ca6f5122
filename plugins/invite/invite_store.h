// Invitations as they are stored: of a token nothing but its hash, so that who reads the database
// can redeem none.
#pragma once

#include "core/task.h"
#include "core/time.h"
#include "store/account_store.h"
#include "store/database.h"

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace epode {

struct Invite {
    std::int64_t id = 0;
    std::string host;
    std::string inviter;  // bare address: whose contact the invited becomes; empty for nobody's
    AccountId inviterAccount = 0;
    bool mayRegister = false;  // the invited may make an account
    std::string username;      // the name that is kept for him; empty: he chooses
    std::string room;          // bare address: where the page takes him; empty: nowhere
    WallTime created{};
    WallTime expires{};
    std::int64_t usesMax = 1;
    std::int64_t usesLeft = 1;
    std::optional<WallTime> revoked;

    bool isOpen(WallTime now) const { return !revoked && usesLeft > 0 && now < expires; }
};

// What is stored of a token.
std::string hashOf(std::string_view token);

// No call blocks the loop. All throw StoreUnavailable. What writes is durable once its task is
// done.
class InviteStore {
public:
    explicit InviteStore(Database& database) : database_{database} {}

    static const std::vector<const Migration*>& migrations();
    static const std::vector<AccountTable>& accountTables();

    enum class Refused { TooMany, NameTaken };
    // Its number. `openMax`: how many open ones its inviter may have; 0: any number.
    Task<std::variant<std::int64_t, Refused>> add(Invite invite, std::string hash,
                                                  std::int64_t openMax);
    // One that can be used now.
    Task<std::optional<Invite>> find(std::string hash, WallTime now);
    // Uses one of this inviter, and tells the room that it leads to ("" for none); nothing when
    // there is none that can be used. However many try at once, it is used as often as it may be.
    Task<std::optional<std::string>> redeem(std::string hash, AccountId inviter, WallTime now);
    // The same of any that leads to a room, of this host.
    Task<std::optional<Invite>> redeemRoom(std::string hash, std::string host, WallTime now);
    // The newest first; with `all` also those that can't be used any more.
    Task<std::vector<Invite>> list(std::string host, bool all, WallTime now, std::int64_t most);
    // False when there is none that could be used.
    Task<bool> revoke(std::int64_t id, WallTime now);
    // Deletes at most `most` that have ended before; how many.
    Task<std::int64_t> expire(WallTime before, std::int64_t most);

private:
    Database& database_;
};

// Within somebody else's transaction. Uses an invitation, whether it has expired or not (XEP-0445,
// 4).
bool useInvite(SqlConnection& connection, std::string_view hash);
// Whether another invitation than this keeps the name.
bool isNameKept(SqlConnection& connection, std::string_view host, std::string_view username,
                std::string_view hash, WallTime now);

}  // namespace epode
