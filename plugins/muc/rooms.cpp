#include "rooms.h"

#include "core/log.h"

namespace epode::muc {

RoomPtr Rooms::find(std::string_view bare) const {
    const auto found = rooms_.find(std::string{bare});
    return found == rooms_.end() ? nullptr : found->second;
}

void Rooms::with(const Jid& address, const Load& load, std::shared_ptr<const void> keep, Use use,
                 Failed failed) {
    const std::string key{address.bareText()};
    if (const auto waiting = loading_.find(key); waiting != loading_.end()) {
        waiting->second.push_back({std::move(use), std::move(failed)});
        return;
    }
    if (const RoomPtr room = find(key)) {
        use(room);
        return;
    }
    loading_[key].push_back({std::move(use), std::move(failed)});
    start(load(address.bare()), [this, key, keep = std::move(keep)](std::optional<RoomPtr> room,
                                                                    std::exception_ptr failure) {
        Waiters waiters = std::move(loading_.extract(key).mapped());
        if (failure) {
            Log{"muc"}.warning("a room could not be loaded", {{"room", key}});
            for (auto& waiter : waiters) waiter.failed();
            return;
        }
        if (*room) rooms_[key] = *room;
        serve(key, std::move(waiters));
    });
}

// One of them may make the room, or destroy it: the next ones wait for that, or see it.
void Rooms::serve(const std::string& key, Waiters waiters) {
    for (auto& waiter : waiters) {
        if (const auto waiting = loading_.find(key); waiting != loading_.end())
            waiting->second.push_back(std::move(waiter));
        else
            waiter.use(find(key));
    }
}

void Rooms::reserve(const Jid& address) { loading_[std::string{address.bareText()}]; }

void Rooms::release(const Jid& address, RoomPtr room) {
    const std::string key{address.bareText()};
    auto waiting = loading_.extract(key);
    if (room) rooms_[key] = std::move(room);
    if (waiting) serve(key, std::move(waiting.mapped()));
}

void Rooms::remove(const Room& room) {
    const auto found = rooms_.find(room.address.text());
    if (found != rooms_.end() && found->second.get() == &room) rooms_.erase(found);
}

void Rooms::forgetIdle(SteadyTime before) {
    std::erase_if(rooms_, [before](const auto& entry) {
        const RoomPtr& room = entry.second;
        return room.use_count() == 1 && room->occupants().empty() && room->outgoing.empty() &&
               room->waiting.empty() && room->lastUsed < before;
    });
}

void Rooms::each(const std::function<void(const RoomPtr&)>& visit) const {
    std::vector<RoomPtr> all;
    for (const auto& [key, room] : rooms_) all.push_back(room);
    for (const RoomPtr& room : all) visit(room);
}

}  // namespace epode::muc
