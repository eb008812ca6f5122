// A database whose disk the test holds in its hand: it may be slow, hang, or fail. What is not
// committed yet is lost in a crash. Behind it is SQLite in memory.
#pragma once

#include "store/database.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace epode {

class TestDatabase final : public Database {
public:
    TestDatabase();
    ~TestDatabase() override;

    // Each commit takes so long; what comes meanwhile goes into the next one.
    void setDelay(Duration delay) { delay_ = delay; }
    // Nothing is read or written any more, nor refused, until the disk goes on.
    void stall() { isStalled_ = true; }
    void goOn();
    // Everything that is asked from now on is refused.
    void fail() { isFailing_ = true; }
    void repair() { isFailing_ = false; }
    // What waits for its commit is lost, and everything is refused, until it is opened again.
    void crash();
    void open();
    std::size_t waiting() const { return writes_.size(); }
    // Whether anybody waits for an answer.
    bool owes() const { return !writes_.empty() || !reads_.empty(); }
    // More writes than this that wait are pressure.
    void setPressedAbove(std::size_t writes) { pressedAbove_ = writes; }

    Dialect dialect() const override { return inner_->dialect(); }
    void migrate(std::span<const Migration> migrations) override { inner_->migrate(migrations); }
    std::vector<Migration> missing(std::span<const Migration> migrations) override {
        return inner_->missing(migrations);
    }
    std::vector<AppliedMigration> applied() override { return inner_->applied(); }
    void enqueueRead(Executor& executor, WorkFunction work, DoneFunction done) override;
    void enqueueWrite(Executor& executor, WorkFunction work, DoneFunction done,
                      Urgency urgency) override;
    Health health() const override { return inner_->health(); }
    bool isPressed() const override { return writes_.size() > pressedAbove_; }
    Activity activity() const override { return inner_->activity(); }
    void close() override { inner_->close(); }
    Task<void> backup(std::string path, LongWork work = {}) override {
        return inner_->backup(path, std::move(work));
    }
    Task<std::vector<std::string>> verify(LongWork work = {}) override {
        return inner_->verify(std::move(work));
    }

protected:
    void enqueueRow(RowQueue& queue, Executor& executor, std::size_t bytes, DoneFunction done,
                    FunctionRef<void()> push) override;
    void forget(RowQueue& queue) override;

private:
    // A piece of work, or a row of a queue.
    struct Write {
        Executor* executor;
        WorkFunction work;
        RowQueue* queue;
        DoneFunction done;
    };
    struct Read {
        Executor* executor;
        WorkFunction work;
        DoneFunction done;
    };
    void add(Write write);
    void schedule(Executor& executor);
    void commit();
    void run(Read read);
    std::exception_ptr runNow(WorkFunction work);

    std::unique_ptr<Database> inner_;
    std::vector<Write> writes_;
    std::vector<Read> reads_;  // that wait for a stalled disk
    Duration delay_{};
    std::size_t pressedAbove_ = SIZE_MAX;
    Timer tick_;
    bool isScheduled_ = false;
    bool isStalled_ = false;
    bool isFailing_ = false;
};

}  // namespace epode
