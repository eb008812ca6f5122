// The thread of one shard, as the code that runs on it sees it: work comes in turns, time is asked
// of it. EventLoop is the real one; tests have one whose time they move.
#pragma once

#include "core/time.h"
#include "core/unique_function.h"

#include <cstdint>
#include <memory>

namespace epode {

class Executor;

// A timer that has been set. Dropping it cancels it; it must not outlive its executor.
class Timer {
public:
    Timer() = default;
    Timer(Executor& executor, std::uint64_t id) : executor_{&executor}, id_{id} {}
    Timer(Timer&& other) noexcept
        : executor_{std::exchange(other.executor_, nullptr)}, id_{std::exchange(other.id_, 0)} {}
    Timer& operator=(Timer&& other) noexcept {
        if (this != &other) {
            cancel();
            executor_ = std::exchange(other.executor_, nullptr);
            id_ = std::exchange(other.id_, 0);
        }
        return *this;
    }
    ~Timer() { cancel(); }

    // True from setting until it has fired or was cancelled by its owner.
    explicit operator bool() const;
    void cancel();

private:
    Executor* executor_ = nullptr;
    std::uint64_t id_ = 0;
};

class Executor {
public:
    virtual ~Executor() = default;

    // Runs `work` on this executor in one of its next turns, in the order of posting. From any
    // thread. Work posted from the executor's own thread costs no wake-up. After the executor has
    // stopped, work is destroyed without being run.
    virtual void post(UniqueFunction<void()> work) = 0;

    // Runs `work` once after all events of this turn were handled and before output is flushed.
    // Own thread only.
    virtual void atEndOfTurn(UniqueFunction<void()> work) = 0;

    // Runs `work` once after `delay`. Own thread only.
    virtual Timer after(Duration delay, UniqueFunction<void()> work) = 0;

    // The time at the begin of this turn: cheap enough for the hot path.
    virtual SteadyTime now() const = 0;
    virtual WallTime wallNow() const = 0;

    // True on the executor's own thread.
    bool isCurrent() const { return current() == this; }

    // The executor whose turn this is, or null on a thread that has none.
    static Executor* current();

protected:
    friend class Timer;
    virtual void cancelTimer(std::uint64_t id) = 0;
    virtual bool isTimerSet(std::uint64_t id) const = 0;

    // Marks `executor` as the one whose turn it is, for as long as the mark lives.
    class Mark {
    public:
        explicit Mark(Executor& executor);
        ~Mark();
        Mark(const Mark&) = delete;
        Mark& operator=(const Mark&) = delete;

    private:
        Executor* previous_;
    };
};

inline Timer::operator bool() const { return executor_ && executor_->isTimerSet(id_); }
inline void Timer::cancel() {
    if (executor_) std::exchange(executor_, nullptr)->cancelTimer(id_);
}

}  // namespace epode
