// What objects have in common that don't know each other: a plugin's at several hosts, those of
// before and after a reload, and its commands. It belongs to the server: another one has its own.
#pragma once

#include "route/state_slots.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

namespace epode {

// By type and name (mostly a host's; "" for one of the whole server). Nothing is kept alive here: a
// part is gone with the last who has it. Thread-safe.
class SharedParts {
public:
    // The part that somebody has, or null.
    template <typename T>
    std::shared_ptr<T> find(std::string_view name = {}) {
        const std::lock_guard lock{mutex_};
        const auto found = parts_.find(keyOf<T>(name));
        return found == parts_.end() ? nullptr : std::static_pointer_cast<T>(found->second.lock());
    }
    // The same, or the one that `make` returns. It may not ask for parts itself.
    template <typename T, typename Make>
    std::shared_ptr<T> findOrMake(std::string_view name, Make make) {
        const std::lock_guard lock{mutex_};
        auto& entry = parts_[keyOf<T>(name)];
        auto part = std::static_pointer_cast<T>(entry.lock());
        if (!part) entry = part = make();
        return part;
    }
    // From now on this one is found.
    template <typename T>
    void put(std::string_view name, const std::shared_ptr<T>& part) {
        const std::lock_guard lock{mutex_};
        parts_[keyOf<T>(name)] = part;
    }

private:
    using Key = std::pair<const void*, std::string>;
    template <typename T>
    static Key keyOf(std::string_view name) {
        return {StateSlots::key<T>(), std::string{name}};
    }

    std::mutex mutex_;
    std::map<Key, std::weak_ptr<void>> parts_;
};

}  // namespace epode
