// State that somebody else keeps with an account or a session: one typed slot for each type.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace epode {

class StateSlots {
public:
    // The slot's value, made when it is asked for the first time.
    template <typename T>
    T& get() {
        if (T* found = find<T>()) return *found;
        slots_.emplace_back(key<T>(), Holder{new T{}, [](void* value) { delete static_cast<T*>(value); }});
        return *static_cast<T*>(slots_.back().second.get());
    }

    template <typename T>
    T* find() const {
        for (const auto& [slotKey, value] : slots_)
            if (slotKey == key<T>()) return static_cast<T*>(value.get());
        return nullptr;
    }

    template <typename T>
    void drop() {
        std::erase_if(slots_, [](const auto& slot) { return slot.first == key<T>(); });
    }
    // For the unloading of a plugin: its slots are known by where their destructors are in memory.
    void dropThoseOf(const void* codeBegin, const void* codeEnd) {
        const std::less<const void*> isBefore;
        std::erase_if(slots_, [&](const auto& slot) {
            const auto* code = reinterpret_cast<const void*>(slot.second.get_deleter());
            return !isBefore(code, codeBegin) && isBefore(code, codeEnd);
        });
    }
    bool empty() const { return slots_.empty(); }

    template <typename T>
    static const void* key() {
        static const char address = 0;
        return &address;
    }

private:
    using Holder = std::unique_ptr<void, void (*)(void*)>;
    std::vector<std::pair<const void*, Holder>> slots_;
};

// How the slot of one type is kept over a restart of the server, by a name that stays the same.
struct SavedSlot {
    std::string name;
    std::optional<std::string> (*save)(const StateSlots& slots);  // nothing when there is no such slot
    void (*restore)(StateSlots& slots, std::string_view text);
};

// Of a type that has `std::string save() const` and `static T restore(std::string_view)`.
template <typename T>
SavedSlot savedSlot(std::string name) {
    return {std::move(name),
            [](const StateSlots& slots) -> std::optional<std::string> {
                const T* state = slots.find<T>();
                if (!state) return std::nullopt;
                return state->save();
            },
            [](StateSlots& slots, std::string_view text) { slots.get<T>() = T::restore(text); }};
}

}  // namespace epode
