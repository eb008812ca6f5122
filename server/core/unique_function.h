// A callable that is moved, never copied: what is posted to a loop may own things.
// (std::move_only_function arrives with C++23.)
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace epode {

template <typename Signature>
class UniqueFunction;

template <typename Result, typename... Arguments>
class UniqueFunction<Result(Arguments...)> {
public:
    UniqueFunction() = default;
    UniqueFunction(std::nullptr_t) {}

    template <typename Callable>
        requires(!std::is_same_v<std::decay_t<Callable>, UniqueFunction> &&
                 std::is_invocable_r_v<Result, std::decay_t<Callable>&, Arguments...>)
    UniqueFunction(Callable&& callable) {
        using Stored = std::decay_t<Callable>;
        if constexpr (fitsInline<Stored>) {
            new (&storage_) Stored(std::forward<Callable>(callable));
            operations_ = &inlineOperations<Stored>;
        } else {
            new (&storage_) Stored*(new Stored(std::forward<Callable>(callable)));
            operations_ = &heapOperations<Stored>;
        }
    }

    UniqueFunction(UniqueFunction&& other) noexcept { take(other); }
    UniqueFunction& operator=(UniqueFunction&& other) noexcept {
        if (this != &other) {
            reset();
            take(other);
        }
        return *this;
    }
    UniqueFunction(const UniqueFunction&) = delete;
    UniqueFunction& operator=(const UniqueFunction&) = delete;
    ~UniqueFunction() { reset(); }

    explicit operator bool() const { return operations_ != nullptr; }

    Result operator()(Arguments... arguments) {
        return operations_->call(&storage_, std::forward<Arguments>(arguments)...);
    }

private:
    static constexpr std::size_t inlineBytes = 48;

    struct Operations {
        Result (*call)(void*, Arguments&&...);
        void (*move)(void* from, void* to) noexcept;
        void (*destroy)(void*) noexcept;
    };

    template <typename Stored>
    static constexpr bool fitsInline =
        sizeof(Stored) <= inlineBytes && alignof(Stored) <= alignof(std::max_align_t) &&
        std::is_nothrow_move_constructible_v<Stored>;

    template <typename Stored>
    static constexpr Operations inlineOperations{
        [](void* self, Arguments&&... arguments) -> Result {
            return (*static_cast<Stored*>(self))(std::forward<Arguments>(arguments)...);
        },
        [](void* from, void* to) noexcept {
            new (to) Stored(std::move(*static_cast<Stored*>(from)));
            static_cast<Stored*>(from)->~Stored();
        },
        [](void* self) noexcept { static_cast<Stored*>(self)->~Stored(); },
    };

    template <typename Stored>
    static constexpr Operations heapOperations{
        [](void* self, Arguments&&... arguments) -> Result {
            return (**static_cast<Stored**>(self))(std::forward<Arguments>(arguments)...);
        },
        [](void* from, void* to) noexcept { new (to) Stored*(*static_cast<Stored**>(from)); },
        [](void* self) noexcept { delete *static_cast<Stored**>(self); },
    };

    void take(UniqueFunction& other) noexcept {
        if (!other.operations_) return;
        other.operations_->move(&other.storage_, &storage_);
        operations_ = std::exchange(other.operations_, nullptr);
    }

    void reset() noexcept {
        if (operations_) std::exchange(operations_, nullptr)->destroy(&storage_);
    }

    alignas(std::max_align_t) std::byte storage_[inlineBytes];
    const Operations* operations_ = nullptr;
};

}  // namespace epode
