// The part of a service that lives in one piece on one shard: all nodes of an account, or one node
// of a served domain. Kept in memory while it is used, the least used go first.
#pragma once

#include "config_form.h"
#include "core/task.h"
#include "core/unique_function.h"
#include "store.h"

#include <cstddef>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace epode::pubsub {

// Changes that must see each other's result, one after the other.
class Turns {
public:
    // The turn is over when this ends.
    class Turn {
    public:
        Turn() = default;
        explicit Turn(Turns& turns) : turns_{&turns} {}
        Turn(Turn&& other) noexcept : turns_{std::exchange(other.turns_, nullptr)} {}
        Turn& operator=(Turn&& other) noexcept {
            std::swap(turns_, other.turns_);
            return *this;
        }
        ~Turn() {
            if (turns_) turns_->next();
        }

    private:
        Turns* turns_ = nullptr;
    };
    Task<Turn> take();

private:
    void next();
    bool isTaken_ = false;
    std::deque<Callback<bool>::Resolve> waiting_;
};

using NodePtr = std::shared_ptr<Node>;

struct Realm {
    ServiceKind kind = ServiceKind::Account;
    Jid address;  // the account's bare address, or the domain
    NodeOwner owner;
    std::map<std::string, NodePtr, std::less<>> nodes;
    std::map<std::string, std::string> moved;  // node, URI
    Turns turns;

    NodePtr find(std::string_view name) const {
        const auto found = nodes.find(name);
        return found == nodes.end() ? nullptr : found->second;
    }
    bool isOwner(const Node& node, const Jid& bare) const {
        return (kind == ServiceKind::Account && bare == address) ||
               node.affiliationOf(bare) == Affiliation::Owner;
    }
};
using RealmPtr = std::shared_ptr<Realm>;

// Those of one shard. There is never more than one Realm of an address that anybody works with.
class Realms {
public:
    Realms(Store& store, std::size_t most) : store_{store}, most_{most} {}

    // Null when there is no such account.
    Task<RealmPtr> account(std::string bare);
    // Also when there is no such node yet.
    Task<RealmPtr> node(Jid domain, std::string name);
    // Those accounts that exist, in one trip.
    Task<std::vector<RealmPtr>> accounts(std::vector<std::string> bares);
    RealmPtr loaded(const std::string& bare);
    // The account was removed, or made.
    void forget(const std::string& bare);

private:
    struct Entry {
        std::string key;
        RealmPtr realm;
    };
    RealmPtr use(const std::string& key);
    RealmPtr keep(const std::string& key, ServiceKind kind, const Jid& address, StoredNodes stored);

    Store& store_;
    std::list<Entry> entries_;  // the most recently used first
    std::unordered_map<std::string, std::list<Entry>::iterator> places_;
    const std::size_t most_;
    unsigned forgotten_ = 0;
};

// The name under which a node of a domain is found, and by which its shard is chosen.
std::string placeOf(std::string_view domain, std::string_view node);

}  // namespace epode::pubsub
