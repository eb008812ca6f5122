// What waits for the writer: bounded, in order, and with the moment at which the writer should go.
#pragma once

#include "store/batch.h"
#include "store/open_database.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <string>

namespace epode {

class WriteQueue {
public:
    explicit WriteQueue(const DatabaseSettings& settings);

    // Both refuse (posting the reason to `done`) when the queue is full, refused or closed.
    void addRow(RowQueue& queue, Executor& executor, std::size_t bytes, Database::DoneFunction done,
                FunctionRef<void()> push);
    void addWork(Executor& executor, Database::WorkFunction work, Database::DoneFunction done,
                 Urgency urgency);

    // From now on everything is refused for `reason`, or with an empty one taken again.
    void refuse(std::string reason);
    // Nothing more comes in; waitForBatch returns at once.
    void close();
    // Takes the waiting rows of `queue` out, and waits until no batch holds taken ones.
    void forget(RowQueue& queue);
    // What is waiting is destroyed without being told.
    void drop();

    // The writer's side. Waits until there is something that should be committed now, a nudge, the
    // close, or `deadline`; then takes all that waits (perhaps nothing). False when the queue is
    // closed and empty: there will never be anything again.
    bool waitForBatch(Batch& batch, std::chrono::steady_clock::time_point deadline);
    void take(Batch& batch);
    // The batch that was taken is done with.
    void finished();
    void nudge();

    std::size_t waiting() const;
    bool isPressed() const { return pressed_.load(std::memory_order_relaxed); }

private:
    // With the lock held; what to tell who comes now, or null.
    std::exception_ptr refusal(std::size_t bytes) const;
    void entered(Executor& executor, Database::DoneFunction done, std::size_t bytes);
    void takeLocked(Batch& batch);
    bool isDue() const;

    const Duration linger_;
    const std::size_t lingerRows_;
    const std::size_t rowsMax_;
    const std::size_t bytesMax_;

    mutable std::mutex mutex_;
    std::condition_variable wake_;  // the writer waits here
    std::condition_variable idle_;  // who forgets a queue waits here
    Batch waiting_;
    bool urgent_ = false;
    bool nudged_ = false;
    bool closed_ = false;
    bool busy_ = false;  // the writer holds a batch
    std::atomic<bool> pressed_{false};
    std::string refusal_;
    std::chrono::steady_clock::time_point oldest_;
};

}  // namespace epode
