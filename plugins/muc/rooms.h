// The rooms of one shard that are in memory. Idle ones go, and are read again when somebody asks.
#pragma once

#include "room.h"

#include "core/task.h"
#include "core/unique_function.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace epode::muc {

class Rooms {
public:
    // With the room, or null when there is none.
    using Use = UniqueFunction<void(const RoomPtr&)>;
    using Failed = UniqueFunction<void()>;
    // Reads a room; null when there is none.
    using Load = std::function<Task<RoomPtr>(Jid address)>;

    // At once when the room is in memory; calls for one room keep their order. `failed` instead
    // when the store does not answer. `keep` lives until one of them was called.
    void with(const Jid& address, const Load& load, std::shared_ptr<const void> keep, Use use,
              Failed failed);
    RoomPtr find(std::string_view bare) const;

    // Whoever asks for this room waits, until `release`: it is being made.
    void reserve(const Jid& address);
    void release(const Jid& address, RoomPtr room);

    void remove(const Room& room);
    // Forgets rooms that nobody is in and that were not used since `before`.
    void forgetIdle(SteadyTime before);
    void each(const std::function<void(const RoomPtr&)>& visit) const;

private:
    struct Waiter {
        Use use;
        Failed failed;
    };
    using Waiters = std::vector<Waiter>;
    void serve(const std::string& key, Waiters waiters);

    std::unordered_map<std::string, RoomPtr> rooms_;
    std::map<std::string, Waiters, std::less<>> loading_;
};

}  // namespace epode::muc
