// Threads that read, with a connection each.
#pragma once

#include "store/database.h"
#include "store/native_connection.h"

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace epode {

// A work that reads, and who waits for it.
struct ReadJob {
    Executor* executor = nullptr;
    Database::WorkFunction work;
    Database::DoneFunction done;

    // Runs the work and posts the outcome.
    void run(NativeConnection& connection);
    // Posts StoreUnavailable instead.
    void refuse(const std::string& reason);

private:
    void tell(std::exception_ptr failure);
};

class ReaderPool {
public:
    ReaderPool(Connector& connector, std::size_t threads, std::size_t waitingMax);
    // Jobs that wait are dropped; those that run are waited for.
    ~ReaderPool();

    void add(ReadJob job);
    // Finishes what waits; later jobs fail.
    void close();
    std::size_t waiting() const;
    std::uint64_t finished() const { return finished_.load(std::memory_order_relaxed); }

private:
    void run();
    void stop();

    Connector& connector_;
    const std::size_t waitingMax_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<ReadJob> jobs_;
    bool closed_ = false;
    std::atomic<std::uint64_t> finished_{0};
    std::vector<std::thread> threads_;
};

}  // namespace epode
