// Coroutines for handlers that have something to wait for (storage, DNS, HTTP). The hot path is
// plain code.
//
// g++ 12 compiles one form right, and it is the only one used: `auto x = co_await f(named);` as a
// whole statement, never inside a condition, and no aggregate, closure, `?:` or braces within the
// same expression. Who has nothing to keep leaves `auto x =` out; an `if` may stand before it.
#pragma once

#include "core/unique_function.h"

#include <cassert>
#include <coroutine>
#include <exception>
#include <optional>
#include <utility>
#include <variant>

namespace epode {

template <typename T = void>
class Task;

namespace detail {

struct FinalAwaiter {
    FinalAwaiter() {}
    bool await_ready() const noexcept { return false; }
    template <typename Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> finished) noexcept {
        auto continuation = finished.promise().continuation;
        return continuation ? continuation : std::noop_coroutine();
    }
    void await_resume() const noexcept {}
};

struct PromiseBase {
    std::coroutine_handle<> continuation;
    std::suspend_always initial_suspend() noexcept { return {}; }
    FinalAwaiter final_suspend() noexcept { return FinalAwaiter(); }
};

template <typename T>
struct Promise : PromiseBase {
    std::variant<std::monostate, T, std::exception_ptr> outcome;
    Task<T> get_return_object();
    template <typename Value>
    void return_value(Value&& value) {
        outcome.template emplace<1>(std::forward<Value>(value));
    }
    void unhandled_exception() { outcome.template emplace<2>(std::current_exception()); }
    T take() {
        if (outcome.index() == 2) std::rethrow_exception(std::get<2>(outcome));
        return std::move(std::get<1>(outcome));
    }
};

template <>
struct Promise<void> : PromiseBase {
    std::exception_ptr failure;
    Task<void> get_return_object();
    void return_void() {}
    void unhandled_exception() { failure = std::current_exception(); }
    void take() {
        if (failure) std::rethrow_exception(failure);
    }
};

}  // namespace detail

// Starts when it is awaited (or given to `start`), resumes on the executor that it was awaited on.
template <typename T>
class [[nodiscard]] Task {
public:
    using promise_type = detail::Promise<T>;
    using Handle = std::coroutine_handle<promise_type>;

    Task() = default;
    explicit Task(Handle handle) : handle_{handle} {}
    Task(Task&& other) noexcept : handle_{std::exchange(other.handle_, nullptr)} {}
    Task& operator=(Task&& other) noexcept {
        if (this != &other) {
            if (handle_) handle_.destroy();
            handle_ = std::exchange(other.handle_, nullptr);
        }
        return *this;
    }
    ~Task() {
        if (handle_) handle_.destroy();
    }

    class Awaiter {
    public:
        explicit Awaiter(Handle handle) : handle_{handle} {}
        bool await_ready() const { return handle_.done(); }
        std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiting) {
            handle_.promise().continuation = awaiting;
            return handle_;
        }
        T await_resume() { return handle_.promise().take(); }

    private:
        Handle handle_;
    };
    Awaiter operator co_await() const {
        assert(handle_);
        return Awaiter(handle_);
    }

private:
    Handle handle_ = nullptr;
};

namespace detail {

template <typename T>
Task<T> Promise<T>::get_return_object() {
    return Task<T>(std::coroutine_handle<Promise<T>>::from_promise(*this));
}
inline Task<void> Promise<void>::get_return_object() {
    return Task<void>(std::coroutine_handle<Promise<void>>::from_promise(*this));
}

// Runs at once until its first wait and frees itself at the end.
struct Detached {
    struct promise_type {
        Detached get_return_object() { return {}; }
        std::suspend_never initial_suspend() noexcept { return {}; }
        std::suspend_never final_suspend() noexcept { return {}; }
        void return_void() {}
        void unhandled_exception() { std::terminate(); }
    };
};

template <typename T, typename Done>
Detached run(Task<T> task, Done done) {
    std::exception_ptr failure;
    std::optional<T> value;
    try {
        auto result = co_await task;
        value.emplace(std::move(result));
    } catch (...) {
        failure = std::current_exception();
    }
    done(std::move(value), failure);
}

template <typename Done>
Detached run(Task<void> task, Done done) {
    std::exception_ptr failure;
    try {
        co_await task;
    } catch (...) {
        failure = std::current_exception();
    }
    done(failure);
}

}  // namespace detail

// Starts a task that nobody awaits. `done(std::optional<T>, std::exception_ptr)` (for void:
// `done(std::exception_ptr)`) is called once at its end, on the executor that it ends on, and must
// not throw. Whoever starts a task makes sure that what it refers to lives until then.
template <typename T, typename Done>
void start(Task<T> task, Done done) {
    detail::run(std::move(task), std::move(done));
}

// Waits for a call-back: `co_await Callback<T>(begin)`, where `begin(resolve)` is called at once and
// `resolve(T)` resumes the coroutine, on the thread that calls it.
template <typename T>
class Callback {
public:
    using Resolve = UniqueFunction<void(T)>;
    explicit Callback(UniqueFunction<void(Resolve)> begin) : begin_{std::move(begin)} {}
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> awaiting) {
        begin_([this, awaiting](T value) {
            value_.emplace(std::move(value));
            awaiting.resume();
        });
    }
    T await_resume() { return std::move(*value_); }

private:
    UniqueFunction<void(Resolve)> begin_;
    std::optional<T> value_;
};

}  // namespace epode
