// An executor on a thread of its own, where no time passes: for handlers that only need to run elsewhere.
#pragma once

#include "core/executor.h"

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

namespace epode::test {

class ThreadExecutor final : public Executor {
public:
    ThreadExecutor() : thread_{[this] { run(); }} {}
    ~ThreadExecutor() override { stop(); }

    // Work that has not begun is destroyed.
    void stop() {
        {
            const std::lock_guard lock{mutex_};
            if (isStopping_) return;
            isStopping_ = true;
        }
        wake_.notify_one();
        thread_.join();
        const auto left = std::move(queue_);
    }

    void post(UniqueFunction<void()> work) override {
        {
            const std::lock_guard lock{mutex_};
            if (isStopping_) return;
            queue_.push_back(std::move(work));
        }
        wake_.notify_one();
    }
    void atEndOfTurn(UniqueFunction<void()> work) override { post(std::move(work)); }
    // Its time never comes.
    Timer after(Duration, UniqueFunction<void()>) override { return {}; }
    SteadyTime now() const override { return {}; }
    WallTime wallNow() const override { return {}; }

private:
    void cancelTimer(std::uint64_t) override {}
    bool isTimerSet(std::uint64_t) const override { return false; }

    void run() {
        const Mark mark{*this};
        std::unique_lock lock{mutex_};
        for (;;) {
            wake_.wait(lock, [this] { return isStopping_ || !queue_.empty(); });
            if (isStopping_) return;
            auto work = std::move(queue_.front());
            queue_.pop_front();
            lock.unlock();
            work();
            work = {};
            lock.lock();
        }
    }

    std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<UniqueFunction<void()>> queue_;
    bool isStopping_ = false;
    std::thread thread_;
};

}  // namespace epode::test
