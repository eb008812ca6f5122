// Who wants to hear of rooms that he is not in (XEP-0437): clients that have said so to the
// service. Thread-safe; rooms of all shards look here.
#pragma once

#include "core/jid.h"

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace epode::muc {

class Listeners {
public:
    // False when there are too many.
    bool add(const Jid& client);
    bool remove(const Jid& client);

    // Changes when somebody begins to listen; 0 while nobody ever has. A room that has told
    // everybody as of a version has nothing to do until it is another one.
    std::uint64_t version() const { return version_.load(std::memory_order_relaxed); }

    struct Listener {
        Jid client;
        Jid bare;
    };
    // Those who have not been told of this room since they have begun to listen.
    std::vector<Listener> untold(const Jid& room) const;
    // False when he has been told already, or listens no more.
    bool tell(const Jid& client, const Jid& room);
    // He was in the room since: what comes next is news to him.
    void forget(const Jid& bare, const Jid& room);

private:
    mutable std::mutex mutex_;
    std::map<Jid, std::set<std::string>> clients_;  // with the rooms that they were told of
    std::atomic<std::uint64_t> version_{0};
};

}  // namespace epode::muc
