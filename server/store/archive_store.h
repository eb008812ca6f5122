// The log: every message that an account sent or received, once, in the order of its stamps.
// Archive queries (XEP-0313), offline messages (XEP-0160) and unread counts are readers with a
// position in it.
//
// An entry's id is a UUID of version 7 whose time is the entry's stamp, so account and stamp are
// the key. Whoever appends gives each entry of an account a later stamp than the one before.
//
// `docs/decisions/archive-layout.md` says why the tables are as they are.
#pragma once

#include "core/time.h"
#include "core/uuid.h"
#include "store/account_store.h"
#include "store/conversations.h"
#include "store/database.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

enum class MessageKind : std::uint8_t { Normal, Chat, Groupchat, Headline };

// What is known of an entry beside its stanza.
struct ArchiveFlags {
    bool isOutgoing = false;
    bool isArchived = true;  // archive queries see it
    bool isOffline = false;  // to be delivered when no client has got it
    bool hasBody = false;
    MessageKind kind = MessageKind::Chat;
    friend bool operator==(const ArchiveFlags&, const ArchiveFlags&) = default;
};

struct ArchiveEntry {
    Uuid id;
    ArchiveFlags flags;
    std::string stanza;  // XML
    WallTime stamp() const { return id.stamp(); }
};

// What is to be read, in the words of XEP-0313 and XEP-0059.
struct ArchiveQuery {
    AccountId account = 0;
    std::string with{};               // a bare or full address, or empty for all
    std::optional<WallTime> start{};  // both included
    std::optional<WallTime> end{};
    std::optional<Uuid> afterId{};  // of the form: entries outside do not count
    std::optional<Uuid> beforeId{};
    std::vector<Uuid> ids{};      // only these, when there are any
    std::optional<Uuid> after{};  // of the page
    std::optional<Uuid> before{};
    bool isBackwards = false;  // the last page first: <before/>
    std::size_t most = 50;     // 0: nothing but the count
    bool wantsCount = false;
};

struct ArchivePage {
    // An id of the query is not in the archive: item-not-found.
    bool isIdUnknown = false;
    std::vector<ArchiveEntry> entries;  // oldest first, in every direction
    bool isComplete = true;             // nothing is left in the direction of the query
    // When asked for: all that the form selects, and how many of them are before the first entry.
    std::optional<std::int64_t> count;
    std::optional<std::int64_t> firstIndex;
};

struct ArchiveMetadata {
    Uuid first;
    Uuid last;
};

// XEP-0441.
struct ArchivePreferences {
    enum class Fallback { Always, Never, Roster };
    Fallback fallback = Fallback::Always;
    std::vector<std::string> always;
    std::vector<std::string> never;
    friend bool operator==(const ArchivePreferences&, const ArchivePreferences&) = default;
};

class ArchiveStore {
public:
    explicit ArchiveStore(Database& database);

    static std::span<const Migration> migrations();
    static std::span<const AccountTable> accountTables();

    // Appends; `done` is called after the commit that contains it, with a failure when the entry
    // was not stored. `peer` is the bare address on the other side; empty when there is none (a
    // room).
    void append(Executor& executor, AccountId account, std::string peer, ArchiveEntry entry,
                Database::DoneFunction done);

    Task<ArchivePage> query(ArchiveQuery query);
    // The first and the last entry that queries see; nothing when there is none.
    Task<std::optional<ArchiveMetadata>> metadata(AccountId account);

    // Entries for offline delivery after `position`, oldest first, at most `most`.
    Task<std::vector<ArchiveEntry>> pendingAfter(AccountId account, WallTime position,
                                                 std::size_t most);
    // Everything up to here has reached a client; what queries don't see either is deleted. A
    // position never goes back. Cheap; `done` may be empty.
    void setDelivered(Executor& executor, AccountId account, WallTime position,
                      Database::DoneFunction done);

    // The newest entry of a conversation, in one direction, whose message has this id, as the id of
    // its stanza or as its origin-id (XEP-0359). Looks at the newest `most` of the conversation, also
    // at those that queries don't see.
    struct MessageSearch {
        AccountId account = 0;
        std::string peer{};  // bare
        std::string id{};
        bool isOutgoing = false;
        std::size_t most = 500;
    };
    Task<std::optional<ArchiveEntry>> findMessage(MessageSearch search);

    // Puts another stanza in an entry's place (a tombstone). False when there is no such entry.
    Task<bool> replace(AccountId account, Uuid id, std::string stanza);

    // Deletes in bounded steps what is older than `before`, except what waits for offline delivery.
    // Looks at no more than `most` entries after `position`; `next` is the position for the next
    // step, or nothing when all has been looked at.
    struct Expired {
        std::int64_t deleted = 0;
        std::optional<std::int64_t> next;
    };
    Task<Expired> expire(WallTime before, std::int64_t position, std::size_t most);
    // The same for one account, from its oldest entry: returns how many were deleted; fewer than
    // `most` when it has no more.
    Task<std::int64_t> purge(AccountId account, WallTime before, std::size_t most);

    // Nothing when the account has set none.
    Task<std::optional<ArchivePreferences>> preferences(AccountId account);
    Task<void> setPreferences(AccountId account, ArchivePreferences preferences);

private:
    struct Appended {
        AccountId account;
        std::string peer;
        ArchiveEntry entry;
    };
    struct Delivered {
        AccountId account;
        WallTime position;
    };
    void insert(SqlConnection& connection, std::span<Appended> rows);
    void moveDelivered(SqlConnection& connection, std::span<Delivered> rows);

    Database& database_;
    Conversations conversations_;   // the writer's alone
    std::vector<SqlValue> values_;  // the writer's alone
    RowChannel<Appended> appends_;
    RowChannel<Delivered> deliveries_;
};

// Shared with who loads accounts.
std::optional<ArchivePreferences> readPreferences(SqlConnection& connection, AccountId account);
struct ArchiveState {
    WallTime last{};  // of all entries; 1970 when there is none
    WallTime delivered{};
    std::int64_t pending = 0;  // entries for offline delivery
    WallTime firstPending{};   // the first of them
    bool isPendingArchived = true;  // whether archive queries see all of them
};
ArchiveState readArchiveState(SqlConnection& connection, AccountId account);

}  // namespace epode
