// Threads for work that would block a loop: `auto keys = co_await offload(pool, work);`
#pragma once

#include "core/executor.h"
#include "core/task.h"
#include "core/unique_function.h"

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace epode {

class WorkerPool {
public:
    // With no threads the work runs within the turn that asks for it (tests, simulations).
    explicit WorkerPool(unsigned threads);
    ~WorkerPool();  // runs what is queued, then ends the threads

    void run(UniqueFunction<void()> work);

private:
    void work();

    std::mutex mutex_;
    std::condition_variable arrived_;
    std::deque<UniqueFunction<void()>> queue_;
    std::vector<std::thread> threads_;
    bool stopping_ = false;
};

// Runs `work()` on the pool; its result resumes the coroutine on the executor that awaits.
template <typename Work>
Task<std::invoke_result_t<Work&>> offload(WorkerPool& pool, Work work) {
    using Result = std::invoke_result_t<Work&>;
    struct Outcome {
        std::optional<Result> value;
        std::exception_ptr failure;
    };
    Executor* executor = Executor::current();
    auto outcome = std::make_shared<Outcome>();
    auto begin = [&pool, &work, executor, outcome](UniqueFunction<void(bool)> resolve) {
        pool.run([&work, executor, outcome, resolve = std::move(resolve)]() mutable {
            try {
                outcome->value.emplace(work());
            } catch (...) {
                outcome->failure = std::current_exception();
            }
            executor->post([resolve = std::move(resolve)]() mutable { resolve(true); });
        });
    };
    Callback<bool> finished(std::move(begin));
    co_await finished;
    if (outcome->failure) std::rethrow_exception(outcome->failure);
    co_return std::move(*outcome->value);
}

}  // namespace epode
