#include "store/write_queue.h"

#include <algorithm>

namespace epode {

namespace {

void postFailure(Executor& executor, Database::DoneFunction done, std::exception_ptr failure) {
    if (!done) return;
    executor.post([done = std::move(done), failure = std::move(failure)]() mutable {
        done(std::move(failure));
    });
}

}  // namespace

WriteQueue::WriteQueue(const DatabaseSettings& settings)
    : linger_{settings.linger},
      lingerRows_{settings.lingerRows},
      rowsMax_{settings.queueRowsMax},
      bytesMax_{settings.queueBytesMax} {}

std::exception_ptr WriteQueue::refusal(std::size_t bytes) const {
    if (closed_) return std::make_exception_ptr(StoreUnavailable{"The database is closed."});
    if (!refusal_.empty()) return std::make_exception_ptr(StoreUnavailable{refusal_});
    // One row larger than everything that may wait is still let in when nothing else waits.
    const bool full = waiting_.completions.size() >= rowsMax_ ||
                      (waiting_.bytes + bytes > bytesMax_ && !waiting_.empty());
    if (full) {
        return std::make_exception_ptr(
            StoreUnavailable{"The database is slower than what it is given: its queue is full."});
    }
    return nullptr;
}

// With the lock held, after the work or row has its place.
void WriteQueue::entered(Executor& executor, Database::DoneFunction done, std::size_t bytes) {
    waiting_.bytes += bytes;
    waiting_.completions.push_back({&executor, std::move(done)});
    if (waiting_.completions.size() > rowsMax_ / 2 || waiting_.bytes > bytesMax_ / 2) {
        pressed_.store(true, std::memory_order_relaxed);
    }
    // The writer sleeps without a limit only while nothing waits, and lingers only until then.
    if (waiting_.completions.size() == 1) {
        oldest_ = std::chrono::steady_clock::now();
        wake_.notify_one();
    } else if (waiting_.completions.size() == lingerRows_) {
        wake_.notify_one();
    }
}

void WriteQueue::addRow(RowQueue& queue, Executor& executor, std::size_t bytes,
                        Database::DoneFunction done, FunctionRef<void()> push) {
    std::unique_lock lock{mutex_};
    if (auto failure = refusal(bytes)) {
        lock.unlock();
        postFailure(executor, std::move(done), std::move(failure));
        return;
    }
    push();
    if (!waiting_.items.empty() && waiting_.items.back().queue == &queue) {
        ++waiting_.items.back().count;
    } else {
        waiting_.items.push_back({&queue, {}, 1});
        auto& queues = waiting_.queues;
        if (std::find(queues.begin(), queues.end(), &queue) == queues.end()) {
            queues.push_back(&queue);
        }
    }
    entered(executor, std::move(done), bytes);
}

void WriteQueue::addWork(Executor& executor, Database::WorkFunction work,
                         Database::DoneFunction done, Urgency urgency) {
    std::unique_lock lock{mutex_};
    if (auto failure = refusal(0)) {
        lock.unlock();
        // The work goes first: what it owns must not outlive the moment at which `done` is told.
        work = nullptr;
        postFailure(executor, std::move(done), std::move(failure));
        return;
    }
    waiting_.items.push_back({nullptr, std::move(work), 1});
    if (urgency == Urgency::Urgent && !urgent_) {
        urgent_ = true;
        wake_.notify_one();
    }
    entered(executor, std::move(done), 0);
}

void WriteQueue::refuse(std::string reason) {
    const std::lock_guard lock{mutex_};
    refusal_ = std::move(reason);
}

void WriteQueue::close() {
    const std::lock_guard lock{mutex_};
    closed_ = true;
    wake_.notify_one();
}

void WriteQueue::forget(RowQueue& queue) {
    std::unique_lock lock{mutex_};
    std::size_t completion = 0;
    for (auto& item : waiting_.items) {
        if (item.queue == &queue) {
            item.queue = nullptr;
            for (std::size_t n = 0; n < item.count; ++n) {
                waiting_.completions[completion + n].done = nullptr;
            }
        }
        completion += item.count;
    }
    std::erase(waiting_.queues, &queue);
    idle_.wait(lock, [&] { return !busy_; });
}

void WriteQueue::drop() {
    Batch dropped;
    {
        const std::lock_guard lock{mutex_};
        std::swap(dropped, waiting_);
        pressed_.store(false, std::memory_order_relaxed);
    }
}

bool WriteQueue::isDue() const {
    return closed_ || nudged_ || urgent_ || waiting_.completions.size() >= lingerRows_;
}

bool WriteQueue::waitForBatch(Batch& batch, std::chrono::steady_clock::time_point deadline) {
    std::unique_lock lock{mutex_};
    while (!isDue()) {
        auto until = deadline;
        if (!waiting_.empty()) {
            until = std::min(until, oldest_ + linger_);
            if (std::chrono::steady_clock::now() >= until) break;
        }
        // Waiting with an absurdly late deadline overflows in some C libraries.
        if (until == std::chrono::steady_clock::time_point::max()) {
            wake_.wait(lock);
        } else if (wake_.wait_until(lock, until) == std::cv_status::timeout &&
                   std::chrono::steady_clock::now() >= deadline) {
            break;
        }
    }
    nudged_ = false;
    takeLocked(batch);
    return !closed_ || !batch.empty();
}

void WriteQueue::take(Batch& batch) {
    const std::lock_guard lock{mutex_};
    takeLocked(batch);
}

void WriteQueue::takeLocked(Batch& batch) {
    urgent_ = false;
    if (waiting_.empty()) return;
    // `batch` is empty: its vectors, with their room, become the next ones to wait in.
    std::swap(batch, waiting_);
    for (RowQueue* queue : batch.queues) queue->take();
    busy_ = true;
    pressed_.store(false, std::memory_order_relaxed);
}

void WriteQueue::finished() {
    const std::lock_guard lock{mutex_};
    busy_ = false;
    idle_.notify_all();
}

void WriteQueue::nudge() {
    const std::lock_guard lock{mutex_};
    nudged_ = true;
    wake_.notify_one();
}

std::size_t WriteQueue::waiting() const {
    const std::lock_guard lock{mutex_};
    return waiting_.completions.size();
}

}  // namespace epode
