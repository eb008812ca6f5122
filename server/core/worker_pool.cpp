#include "core/worker_pool.h"

namespace epode {

WorkerPool::WorkerPool(unsigned threads) {
    for (unsigned i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

WorkerPool::~WorkerPool() {
    {
        std::lock_guard lock{mutex_};
        stopping_ = true;
    }
    arrived_.notify_all();
    for (auto& thread : threads_) thread.join();
}

void WorkerPool::run(UniqueFunction<void()> work) {
    if (threads_.empty()) {
        work();
        return;
    }
    {
        std::lock_guard lock{mutex_};
        queue_.push_back(std::move(work));
    }
    arrived_.notify_one();
}

void WorkerPool::work() {
    std::unique_lock lock{mutex_};
    for (;;) {
        arrived_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        if (queue_.empty()) return;
        auto next = std::move(queue_.front());
        queue_.pop_front();
        lock.unlock();
        next();
        next = nullptr;
        lock.lock();
    }
}

}  // namespace epode
