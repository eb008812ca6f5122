// Who wants to hear of rooms that he is not in (XEP-0437): clients that have said so to the
// service. Thread-safe; rooms of all shards look here.
#pragma once

#include "core/jid.h"
#include "core/time.h"

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
    enum class Added : std::uint8_t { Yes, Lately, TooMany };
    // Lately: he has asked a moment ago, and nothing has changed.
    Added add(const Jid& client, SteadyTime now);
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
    struct Told {
        std::set<std::string> rooms;
        SteadyTime since{};
    };
    std::map<Jid, Told> clients_;
    std::atomic<std::uint64_t> version_{0};
};

}  // namespace epode::muc
