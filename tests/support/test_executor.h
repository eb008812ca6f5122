// An executor that runs when the test says so, on the test's own thread, with a time that the test
// moves. Work may be posted to it from any thread.
#pragma once

#include "core/executor.h"
#include "core/task.h"

#include <chrono>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <utility>
#include <vector>

namespace epode {

class TestExecutor final : public Executor {
public:
    void post(UniqueFunction<void()> work) override {
        const std::lock_guard lock{mutex_};
        ++posts_;
        posted_.push_back(std::move(work));
        wake_.notify_one();
    }
    void atEndOfTurn(UniqueFunction<void()> work) override { ends_.push_back(std::move(work)); }
    Timer after(Duration delay, UniqueFunction<void()> work) override {
        timers_.emplace(++lastTimer_, std::pair{now_ + delay, std::move(work)});
        return {*this, lastTimer_};
    }
    SteadyTime now() const override { return now_; }
    WallTime wallNow() const override {
        return fromMilliseconds(1'790'000'000'000) +
               std::chrono::duration_cast<std::chrono::milliseconds>(now_.time_since_epoch());
    }

    // Runs what has been posted so far, and what that asks for at the end of the turn. False when
    // there was nothing.
    bool turn() {
        std::deque<UniqueFunction<void()>> works;
        {
            const std::lock_guard lock{mutex_};
            works.swap(posted_);
        }
        const Mark mark{*this};
        for (auto& work : works) work();
        while (!ends_.empty()) {
            for (auto& work : std::exchange(ends_, {})) work();
        }
        return !works.empty();
    }
    // Turns until there is nothing left to do at once.
    void settle() {
        while (turn()) {
        }
    }
    // Turns until `isDone()`, waiting for other threads in between.
    template <typename Condition>
    void turnUntil(Condition isDone) {
        const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{60};
        while (!isDone()) {
            {
                std::unique_lock lock{mutex_};
                if (!wake_.wait_until(lock, deadline, [&] { return !posted_.empty(); })) {
                    throw std::runtime_error{"nothing was posted for a minute"};
                }
            }
            turn();
        }
    }
    // Moves time and runs the timers that are due, in their order.
    void advance(Duration by) {
        const SteadyTime until = now_ + by;
        for (;;) {
            auto next = timers_.end();
            for (auto it = timers_.begin(); it != timers_.end(); ++it) {
                if (it->second.first > until) continue;
                if (next == timers_.end() || it->second.first < next->second.first) next = it;
            }
            if (next == timers_.end()) break;
            now_ = std::max(now_, next->second.first);
            auto work = std::move(next->second.second);
            timers_.erase(next);
            post(std::move(work));
            settle();
        }
        now_ = until;
    }

    // Runs a task to its end and gives what it gives.
    template <typename T>
    T await(Task<T> task) {
        std::optional<T> result;
        std::exception_ptr failure;
        bool isDone = false;
        post([&, task = std::move(task)]() mutable {
            start(std::move(task), [&](std::optional<T> value, std::exception_ptr problem) {
                if (value) result.emplace(std::move(*value));
                failure = std::move(problem);
                isDone = true;
            });
        });
        turnUntil([&] { return isDone; });
        if (failure) std::rethrow_exception(failure);
        return std::move(*result);
    }
    void await(Task<void> task) {
        std::exception_ptr failure;
        bool isDone = false;
        post([&, task = std::move(task)]() mutable {
            start(std::move(task), [&](std::exception_ptr problem) {
                failure = std::move(problem);
                isDone = true;
            });
        });
        turnUntil([&] { return isDone; });
        if (failure) std::rethrow_exception(failure);
    }

    // How often somebody has posted.
    std::size_t posts() const {
        const std::lock_guard lock{mutex_};
        return posts_;
    }

protected:
    void cancelTimer(std::uint64_t id) override { timers_.erase(id); }
    bool isTimerSet(std::uint64_t id) const override { return timers_.count(id) != 0; }

private:
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<UniqueFunction<void()>> posted_;
    std::size_t posts_ = 0;
    std::vector<UniqueFunction<void()>> ends_;
    std::map<std::uint64_t, std::pair<SteadyTime, UniqueFunction<void()>>> timers_;
    std::uint64_t lastTimer_ = 0;
    SteadyTime now_{};
};

}  // namespace epode
