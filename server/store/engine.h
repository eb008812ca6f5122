// The Database that both dialects share: a writer with group commit, readers, a checkpointer.
#pragma once

#include "store/batch.h"
#include "store/native_connection.h"
#include "store/open_database.h"
#include "store/reader_pool.h"
#include "store/write_queue.h"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace epode {

class Engine final : public Database {
public:
    Engine(std::unique_ptr<Connector> connector, const DatabaseSettings& settings);
    ~Engine() override;

    Dialect dialect() const override { return connector_->dialect(); }
    void migrate(std::span<const Migration> migrations) override;
    std::vector<Migration> missing(std::span<const Migration> migrations) override;
    std::vector<AppliedMigration> applied() override;
    void enqueueRead(Executor& executor, WorkFunction work, DoneFunction done) override;
    void enqueueWrite(Executor& executor, WorkFunction work, DoneFunction done,
                      Urgency urgency) override;
    Health health() const override;
    bool isPressed() const override { return queue_.isPressed(); }
    Activity activity() const override;
    void close() override;
    Task<void> backup(std::string path, LongWork longWork = {}) override;
    Task<std::vector<std::string>> verify(LongWork longWork = {}) override;

protected:
    void enqueueRow(RowQueue& queue, Executor& executor, std::size_t bytes, DoneFunction done,
                    FunctionRef<void()> push) override;
    void forget(RowQueue& queue) override;

private:
    using Moment = std::chrono::steady_clock::time_point;

    bool isInline() const { return settings_.threads == ThreadModel::Inline; }
    void stopThreads();

    // On the writer's thread, or in inline mode on the only one.
    void writeLoop();
    void commit(Batch& batch);
    void tryAgain();
    NativeConnection& writer();  // connects when there is none
    void noteSuccess();
    void noteFailure(std::exception_ptr failure);
    void readOnWriter(ReadJob job);
    void runOnWriter(std::function<void(NativeConnection&)> piece);
    bool addPiece(std::function<void()> piece);  // false when the writer has ended
    void runPieces();
    void checkpointWhenDue();

    void checkpointLoop();

    const DatabaseSettings settings_;
    const std::unique_ptr<Connector> connector_;
    WriteQueue queue_;
    std::unique_ptr<NativeConnection> writer_;

    // The writer's own: when it tries again, and how long it waits after the next failure.
    Moment retryAt_ = Moment::max();
    Duration retryWait_;

    // What has to be run on the writer's connection between two transactions.
    std::mutex piecesMutex_;
    std::vector<std::function<void()>> pieces_;
    std::atomic<std::size_t> waitingPieces_{0};
    bool piecesOver_ = false;

    mutable std::mutex problemMutex_;
    std::string problem_;

    std::atomic<std::uint64_t> commits_{0}, committed_{0}, failed_{0}, reads_{0};

    std::mutex checkpointMutex_;
    std::condition_variable checkpointWake_;
    bool checkpointWanted_ = false;
    bool checkpointStop_ = false;
    std::atomic<bool> checkpointRest_{false};

    std::unique_ptr<ReaderPool> readers_;  // none: reads go through the writer's connection
    std::thread writerThread_;
    std::thread checkpointThread_;
    std::atomic<bool> isClosed_{false};
};

}  // namespace epode
