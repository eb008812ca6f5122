// Which nodes a client wants to hear of: the features "<node>+notify" that it announces by a hash
// in its presence (XEP-0163, 4.2; XEP-0115, XEP-0390). A hash is asked for once, and believed for
// others only when it is the hash of what was answered.
#pragma once

#include "core/digest.h"
#include "core/stanza.h"
#include "core/unique_function.h"
#include "route/shard.h"

#include <cstddef>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace epode::pubsub {

class Interests {
public:
    // From a disco#info <query/>.
    explicit Interests(const Element& discoInfo);
    // From `text()`.
    explicit Interests(std::string_view text);

    bool wants(std::string_view node) const;
    bool empty() const { return nodes_.empty(); }
    std::string text() const;

private:
    void add(std::string_view node);
    std::vector<std::string> nodes_;  // sorted
    std::size_t bytes_ = 0;
};
using InterestsPtr = std::shared_ptr<const Interests>;

// What a presence says of the client's abilities.
struct CapsMark {
    std::string key;   // the same for all who announce the same; empty when nobody can check it
    std::string node;  // what is asked for
    bool isSecond = false;  // XEP-0390
    Hash hash = Hash::Sha1;
    std::string value;

    // The answer is what the mark promises.
    bool fits(const Element& discoInfo, std::string_view lang) const;
    friend bool operator==(const CapsMark& a, const CapsMark& b) {
        return a.key == b.key && a.node == b.node;
    }
};
// Nothing when it announces none, or none that can be asked for.
std::optional<CapsMark> readCaps(const Stanza& presence);

// What was learnt of hashes, for all shards: so many, the least used go first.
class InterestsBook {
public:
    explicit InterestsBook(std::size_t most) : most_{most} {}
    InterestsPtr find(const std::string& key);
    // Adds; the keys that had to go, for who stores them.
    std::vector<std::string> put(const std::string& key, InterestsPtr interests);

private:
    struct Entry {
        std::string key;
        InterestsPtr interests;
    };
    std::mutex mutex_;
    std::list<Entry> entries_;  // the most recently used first
    std::unordered_map<std::string, std::list<Entry>::iterator> places_;
    const std::size_t most_;
};

// Asks clients, of one shard.
class InterestsAsker {
public:
    // Null when the client does not tell.
    using Learnt = UniqueFunction<void(const InterestsPtr&)>;
    // `verified` gets what may be believed of everybody who announces the same.
    using Verified = std::function<void(const std::string& key, const InterestsPtr&)>;

    InterestsAsker(Shard& shard, InterestsBook& book, Verified verified)
        : shard_{shard}, book_{book}, verified_{std::move(verified)} {}

    // At once when it is known. Those who announce the same wait for the answer of the first; the
    // next one is asked when that one lies or is silent.
    void learn(const Jid& asker, const Jid& client, const CapsMark& mark, Learnt learnt,
               std::shared_ptr<const void> keep);

private:
    struct Waiter {
        Jid asker;
        Jid client;
        Learnt learnt;
        std::shared_ptr<const void> keep;  // the plugin, until the answer is there
    };
    void ask(const CapsMark& mark, Waiter waiter);
    void answered(const CapsMark& mark, Waiter waiter, const StanzaPtr& answer);

    Shard& shard_;
    InterestsBook& book_;
    Verified verified_;
    std::map<std::string, std::deque<Waiter>> waiting_;
};

}  // namespace epode::pubsub
