#include "tests/support/test_database.h"

#include "store/open_database.h"

#include <map>
#include <stdexcept>

namespace epode {

namespace {

// Does what is posted at once: the database behind it has no time of its own.
class AtOnce final : public Executor {
public:
    void post(UniqueFunction<void()> work) override { work(); }
    void atEndOfTurn(UniqueFunction<void()> work) override { work(); }
    Timer after(Duration, UniqueFunction<void()>) override {
        throw std::logic_error{"a database sets no timers"};
    }
    SteadyTime now() const override { return {}; }
    WallTime wallNow() const override { return {}; }

protected:
    void cancelTimer(std::uint64_t) override {}
    bool isTimerSet(std::uint64_t) const override { return false; }
};

AtOnce atOnce;

std::exception_ptr unavailable() {
    return std::make_exception_ptr(StoreUnavailable{"The test has broken the disk."});
}

void tell(Executor& executor, Database::DoneFunction done, std::exception_ptr failure) {
    if (!done) return;
    executor.post([done = std::move(done), failure]() mutable { done(failure); });
}

}  // namespace

TestDatabase::TestDatabase()
    : inner_{openDatabase(
          {.location = ":memory:", .threads = ThreadModel::Inline, .sync = Sync::Off})} {}

TestDatabase::~TestDatabase() = default;

void TestDatabase::crash() {
    isFailing_ = true;
    for (auto& write : std::exchange(writes_, {})) {
        write.work = nullptr;
        tell(*write.executor, std::move(write.done), unavailable());
    }
    for (auto& read : std::exchange(reads_, {}))
        tell(*read.executor, std::move(read.done), unavailable());
}

void TestDatabase::open() {
    tick_ = {};
    isScheduled_ = isStalled_ = isFailing_ = false;
}

void TestDatabase::goOn() {
    isStalled_ = false;
    // A commit that was to take long and need not any more.
    if (delay_ == Duration::zero() && tick_) {
        tick_ = {};
        isScheduled_ = false;
    }
    for (auto& read : std::exchange(reads_, {})) run(std::move(read));
    if (!writes_.empty()) schedule(*writes_.front().executor);
}

// ---- reads

void TestDatabase::enqueueRead(Executor& executor, WorkFunction work, DoneFunction done) {
    run({&executor, std::move(work), std::move(done)});
}

void TestDatabase::run(Read read) {
    if (isFailing_) {
        tell(*read.executor, std::move(read.done), unavailable());
    } else if (isStalled_) {
        reads_.push_back(std::move(read));
    } else {
        Executor& executor = *read.executor;
        executor.post([this, read = std::move(read)]() mutable {
            std::exception_ptr failure;
            if (isFailing_) {
                read.done(unavailable());
                return;
            }
            inner_->enqueueRead(atOnce, std::move(read.work),
                                [&failure](std::exception_ptr problem) { failure = problem; });
            read.done(failure);
        });
    }
}

// ---- writes

void TestDatabase::enqueueWrite(Executor& executor, WorkFunction work, DoneFunction done, Urgency) {
    add({&executor, std::move(work), nullptr, std::move(done)});
}

void TestDatabase::enqueueRow(RowQueue& queue, Executor& executor, std::size_t, DoneFunction done,
                              FunctionRef<void()> push) {
    if (!isFailing_) push();
    add({&executor, {}, &queue, std::move(done)});
}

void TestDatabase::add(Write write) {
    if (isFailing_) {
        write.work = nullptr;
        tell(*write.executor, std::move(write.done), unavailable());
        return;
    }
    Executor& executor = *write.executor;
    writes_.push_back(std::move(write));
    schedule(executor);
}

void TestDatabase::schedule(Executor& executor) {
    if (isStalled_ || std::exchange(isScheduled_, true)) return;
    if (delay_ > Duration::zero()) {
        tick_ = executor.after(delay_, [this] { commit(); });
        return;
    }
    executor.post([this] { commit(); });
}

void TestDatabase::commit() {
    isScheduled_ = false;
    tick_ = {};
    if (isStalled_) return;
    auto writes = std::exchange(writes_, {});
    // The rows of a queue go in together, with the first of them.
    std::map<RowQueue*, std::size_t> rows;
    for (const auto& write : writes)
        if (write.queue) ++rows[write.queue];
    std::map<RowQueue*, std::exception_ptr> outcomes;
    for (auto& write : writes) {
        std::exception_ptr failure;
        if (!write.queue) {
            failure = runNow(std::move(write.work));
        } else if (const auto known = outcomes.find(write.queue); known != outcomes.end()) {
            failure = known->second;
        } else {
            RowQueue& queue = *write.queue;
            queue.take();
            failure = runNow([&queue, count = rows[write.queue]](SqlConnection& connection) {
                queue.insert(connection, 0, count);
            });
            failure ? queue.undone() : queue.committed();
            outcomes[write.queue] = failure;
        }
        tell(*write.executor, std::move(write.done), failure);
    }
}

std::exception_ptr TestDatabase::runNow(WorkFunction work) {
    std::exception_ptr failure;
    inner_->enqueueWrite(
        atOnce, std::move(work), [&failure](std::exception_ptr problem) { failure = problem; },
        Urgency::Urgent);
    return failure;
}

void TestDatabase::forget(RowQueue& queue) {
    std::erase_if(writes_, [&queue](const Write& write) { return write.queue == &queue; });
}

}  // namespace epode
