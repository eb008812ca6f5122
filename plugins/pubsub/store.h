// Nodes, items, subscriptions and affiliations as they are stored, of accounts (XEP-0163) and of
// served domains alike.
#pragma once

#include "model.h"
#include "store/account_store.h"
#include "store/database.h"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace epode::pubsub {

// Whose nodes: an account's, or (account 0) a served domain's.
struct NodeOwner {
    AccountId account = 0;
    std::string domain;
};

// What is there at an address. A node that was deleted may say where it has gone.
struct StoredNodes {
    AccountId account = 0;
    std::vector<Node> nodes;                   // by name
    std::map<std::string, std::string> moved;  // node, URI
};

enum class Created : std::uint8_t { Yes, Exists, TooMany, NoOwner };

struct Publication {
    Item item;
    std::int64_t itemsMax = 1;
    std::int64_t ownerBytesMax = 0;  // of all nodes of the creator at this service
    WhenFull whenFull = WhenFull::RetractOldest;
    bool replacesOthers = true;  // may overwrite what somebody else has published
};
struct Published {
    enum class Outcome : std::uint8_t {
        Done,
        NoNode,
        NotYours,
        Full,
        OverQuota
    } outcome = Outcome::Done;
    std::vector<std::string> removed;  // items that had to go
};

enum class Retracted : std::uint8_t { Done, NoSuchItem, NotYours };

struct ItemQuery {
    std::vector<std::string> ids;        // these alone, when there are any
    std::optional<std::int64_t> newest;  // so many at most, of the newest
    // By pages, as XEP-0059 has it.
    std::optional<std::string> after;
    std::optional<std::string> before;
    std::optional<std::int64_t> index;
    bool isBackward = false;
    std::int64_t max = 0;
    std::size_t bytesMax = 0;  // of the payloads: fewer items than asked for when they are large
    std::optional<WallTime> notBefore;  // older ones have expired
};
struct ItemPage {
    std::vector<Item> items;  // oldest first
    std::int64_t count = 0;   // of all in the node
    std::int64_t index = 0;   // of the first
    bool isCut = false;       // there are more than were returned
    bool isKnown = true;      // the item that the page is counted from exists
};

// What a single entity has at a domain: for XEP-0060, 5.6 and 5.7.
struct OwnSubscription {
    std::string node;
    Jid jid;
    Subscription subscription;
};
struct OwnAffiliation {
    std::string node;
    Affiliation affiliation;
};
// A node among others of a domain.
struct NodeSummary {
    std::int64_t id = 0;
    std::string name;
    std::string config;
};

// No call blocks the loop. All throw StoreUnavailable when the database does not answer. What
// writes is durable once its task is done, and all or nothing. A node that has been deleted
// meanwhile is nowhere made again: what is meant for it comes back as not done.
class Store {
public:
    explicit Store(Database& database) : database_{database} {}

    static std::span<const Migration* const> migrations();
    static std::span<const AccountTable> accountTables();

    // In the order of the addresses; those that are no account's are left out.
    Task<std::vector<std::pair<std::string, StoredNodes>>> loadAccounts(
        std::vector<std::string> jids);
    // One node of a domain, if it exists, or where it went.
    Task<StoredNodes> loadNode(std::string domain, std::string name);

    // Makes the node, of `node.creator`, who is its owner; sets `node.id`. TooMany: the creator has
    // `nodesMax` already at this service.
    Task<std::pair<Created, std::int64_t>> create(NodeOwner owner, Node node,
                                                  std::int64_t nodesMax);
    // Replaces the configuration and removes the items that there is no room for any more.
    Task<bool> configure(NodeOwner owner, std::int64_t node, NodeConfig config,
                         std::int64_t itemsMax);
    // With all that it had. `movedTo` may be empty.
    Task<bool> remove(NodeOwner owner, std::int64_t node, std::string name, std::string movedTo);

    Task<Published> publish(NodeOwner owner, std::int64_t node, Publication publication);
    // `publisher`: may remove what it has published itself; nothing: may remove all.
    Task<Retracted> retract(NodeOwner owner, std::int64_t node, std::vector<std::string> ids,
                            std::optional<std::string> publisher);
    Task<bool> purge(NodeOwner owner, std::int64_t node);
    Task<ItemPage> items(NodeOwner owner, std::int64_t node, ItemQuery query);
    // Ids alone, oldest first.
    Task<std::vector<std::string>> itemIds(NodeOwner owner, std::int64_t node, std::int64_t max,
                                           std::optional<WallTime> notBefore);

    Task<bool> putSubscription(NodeOwner owner, std::int64_t node, Jid jid,
                               Subscription subscription);
    using SubscriptionChanges = std::vector<std::pair<Jid, std::optional<Subscription>>>;
    using AffiliationChanges = std::vector<std::pair<Jid, Affiliation>>;
    // Nothing and None remove.
    Task<bool> changePeople(NodeOwner owner, std::int64_t node, SubscriptionChanges subscriptions,
                            AffiliationChanges affiliations);

    Task<std::vector<OwnSubscription>> subscriptionsOf(std::string domain, std::string bare,
                                                       std::size_t max);
    Task<std::vector<OwnAffiliation>> affiliationsOf(std::string domain, std::string bare,
                                                     std::size_t max);
    // After the name `after`, by name.
    Task<std::vector<NodeSummary>> nodesOf(std::string domain, std::string after, std::size_t max);

    // Removes expired items and subscriptions, at most about `max`; how many.
    Task<std::int64_t> expire(WallTime now, std::int64_t max);

private:
    Database& database_;
};

}  // namespace epode::pubsub
