// Contacts of accounts (RFC 6121, 2), with versions (2.6), and subscription requests that wait for
// an answer (3.1.3).
#pragma once

#include "core/time.h"
#include "store/account_store.h"
#include "store/database.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace epode {

// Who sees whose presence; `To`: the user sees the contact's.
enum class Subscription : std::uint8_t { None, To, From, Both };

struct RosterItem {
    std::string jid;  // bare
    std::string name{};
    std::vector<std::string> groups{};
    Subscription subscription = Subscription::None;
    bool isAsking = false;    // ask='subscribe'
    bool isApproved = false;  // pre-approved (RFC 6121, 3.4)
    friend bool operator==(const RosterItem&, const RosterItem&) = default;
};

struct StoredRoster {
    std::int64_t version = 0;
    std::vector<RosterItem> items;    // by address
    std::vector<std::string> asking;  // who has asked and waits for an answer, by address
};

// What has changed since a version that a client knows.
struct RosterChanges {
    std::int64_t version = 0;
    // In the order of their last changes.
    struct Change {
        RosterItem item;
        bool isRemoved = false;  // only the address of the item is meant
        std::int64_t version = 0;
    };
    std::vector<Change> changes;
};

// A presence of type subscribe that its account has not answered yet.
struct SubscriptionRequest {
    std::string jid;     // who asks, bare
    std::string stanza;  // XML
};

// Versions of an account's roster are whole numbers that grow with each change, from 0 for an
// account that never had a contact. They start again for another account of the same address: what
// a client is told should name the account as well.
//
// No call blocks the loop. All throw StoreUnavailable when the database does not answer. What
// writes is durable once its task is done.
class RosterStore {
public:
    explicit RosterStore(Database& database);

    static std::span<const Migration> migrations();
    static std::span<const AccountTable> accountTables();

    Task<StoredRoster> load(AccountId account);
    // Nothing when so much has changed, or so long ago, that the client needs the whole roster.
    Task<std::optional<RosterChanges>> changesSince(AccountId account, std::int64_t version);

    // Adds or replaces a contact; the new version. A contact who sees us has had his answer: with
    // `From` or `Both` his request is removed.
    Task<std::int64_t> put(AccountId account, RosterItem item);
    // With his request, if he has asked. The new version; nothing when there is no such contact.
    Task<std::optional<std::int64_t>> remove(AccountId account, std::string jid);

    Task<std::vector<SubscriptionRequest>> requests(AccountId account);  // oldest first
    // Adds or replaces; the place in the order stays.
    Task<void> putRequest(AccountId account, SubscriptionRequest request, WallTime now);
    Task<bool> removeRequest(AccountId account, std::string jid);

private:
    Database& database_;
};

// Shared with who loads accounts.
StoredRoster readRoster(SqlConnection& connection, AccountId account);

}  // namespace epode
