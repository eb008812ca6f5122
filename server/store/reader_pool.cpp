#include "store/reader_pool.h"

#include <utility>

namespace epode {

void ReadJob::run(NativeConnection& connection) {
    std::exception_ptr failure;
    try {
        connection.begin();
        work(connection);
        connection.commit();
    } catch (...) {
        failure = std::current_exception();
        connection.rollback();
    }
    work = nullptr;
    tell(std::move(failure));
}

void ReadJob::refuse(const std::string& reason) {
    work = nullptr;
    tell(std::make_exception_ptr(StoreUnavailable{reason}));
}

void ReadJob::tell(std::exception_ptr failure) {
    if (!done) return;
    executor->post([done = std::move(done), failure = std::move(failure)]() mutable {
        done(std::move(failure));
    });
}

ReaderPool::ReaderPool(Connector& connector, std::size_t threads, std::size_t waitingMax)
    : connector_{connector}, waitingMax_{waitingMax} {
    for (std::size_t n = 0; n < threads; ++n) threads_.emplace_back([this] { run(); });
}

ReaderPool::~ReaderPool() {
    std::deque<ReadJob> dropped;
    {
        const std::lock_guard lock{mutex_};
        dropped.swap(jobs_);
    }
    stop();
}

void ReaderPool::close() { stop(); }

void ReaderPool::stop() {
    {
        const std::lock_guard lock{mutex_};
        closed_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
}

void ReaderPool::add(ReadJob job) {
    const char* refusal = nullptr;
    {
        const std::lock_guard lock{mutex_};
        if (closed_) {
            refusal = "The database is closed.";
        } else if (jobs_.size() >= waitingMax_) {
            refusal = "The database is slower than what it is asked: its queue is full.";
        } else {
            jobs_.push_back(std::move(job));
        }
    }
    if (!refusal) {
        wake_.notify_one();
        return;
    }
    job.refuse(refusal);
}

std::size_t ReaderPool::waiting() const {
    const std::lock_guard lock{mutex_};
    return jobs_.size();
}

void ReaderPool::run() {
    std::unique_ptr<NativeConnection> connection;
    for (;;) {
        ReadJob job;
        {
            std::unique_lock lock{mutex_};
            wake_.wait(lock, [&] { return closed_ || !jobs_.empty(); });
            if (jobs_.empty()) return;
            job = std::move(jobs_.front());
            jobs_.pop_front();
        }
        try {
            if (connection && connection->isGone()) connection.reset();
            if (!connection) connection = connector_.connect(Connector::Role::Reader);
        } catch (const StoreUnavailable& problem) {
            job.refuse(problem.what());
            continue;
        }
        job.run(*connection);
        finished_.fetch_add(1, std::memory_order_relaxed);
    }
}

}  // namespace epode
