// The database behind all stores: SQLite (embedded) or PostgreSQL, one SQL for both, no call that
// blocks a loop.
//
// There is one writer. It takes what has come in since its last commit, as one transaction with one
// sync (SQLite: WAL, synchronous=FULL; PostgreSQL: synchronous_commit=on), so that the cost of a
// durable row falls as load rises. Readers are threads with a connection each.
//
// When the database is full or gone, everything of the transaction fails with StoreUnavailable and
// nothing of it is stored; so does, at once, what comes while it is known to be gone. The writer
// tries again by itself. (A PostgreSQL connection that is lost during COMMIT leaves open whether
// the transaction was stored: it is reported as failed, and may be found stored.)
#pragma once

#include "core/executor.h"
#include "core/task.h"
#include "core/unique_function.h"
#include "store/long_work.h"
#include "store/migration.h"
#include "store/sql.h"

#include <cassert>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace epode {

// Whether somebody waits for the commit of a piece of work. For patient work the writer may linger
// a moment to let more come, so that one sync serves many.
enum class Urgency { Urgent, Patient };

class RowQueue;

class Database {
public:
    virtual ~Database() = default;
    virtual Dialect dialect() const = 0;

    // Runs what is missing, in transactions; throws std::runtime_error, naming the versions, when
    // the schema is newer than this server knows. Before anything else is read or written; blocks.
    virtual void migrate(std::span<const Migration> migrations) = 0;
    // What `migrate` would run, in its order.
    virtual std::vector<Migration> missing(std::span<const Migration> migrations) = 0;
    // What was run on this database so far, by whatever version. Blocks, like the other two.
    virtual std::vector<AppliedMigration> applied() = 0;

    // Runs `work(SqlConnection&)` on a reader's thread; its result resumes the coroutine on the
    // executor that awaits. Throws what `work` throws, StoreUnavailable when the queue is full.
    // With SQLite all statements of a work see one state of the database; with PostgreSQL each sees
    // what was committed when it began.
    //
    // The task must be awaited to its end; `work` and what it refers to live until then.
    template <typename Work>
    auto read(Work work) -> Task<std::invoke_result_t<Work&, SqlConnection&>>;
    // The same within the writer's next transaction; resumes after the commit that contains it.
    // When `work` throws, its own changes are undone (a savepoint) and nobody else's.
    template <typename Work>
    auto write(Work work) -> Task<std::invoke_result_t<Work&, SqlConnection&>>;

    // The forms below them, for plain code. `done(failure)` runs on `executor`; null failure: the
    // work is done (and for enqueueWrite committed and synced). `done` may be empty. When the
    // executor or the database ends first, `done` is destroyed without being called.
    using WorkFunction = UniqueFunction<void(SqlConnection&)>;
    using DoneFunction = UniqueFunction<void(std::exception_ptr)>;
    virtual void enqueueRead(Executor& executor, WorkFunction work, DoneFunction done) = 0;
    virtual void enqueueWrite(Executor& executor, WorkFunction work, DoneFunction done,
                              Urgency urgency = Urgency::Urgent) = 0;

    // State for `status`, health and metrics. From any thread.
    struct Health {
        bool available = true;
        std::string problem;            // what is wrong, for people
        std::size_t waitingWrites = 0;  // rows and works
        std::size_t waitingReads = 0;
    };
    virtual Health health() const = 0;
    // Whether more than half of what may wait for the writer does wait: who can make others wait (a
    // stream stops reading) does so now, before anything has to be refused. Cheap, from any thread.
    virtual bool isPressed() const = 0;

    // Counts since the start. From any thread.
    struct Activity {
        std::uint64_t commits = 0;
        std::uint64_t committed = 0;  // rows and works in them
        std::uint64_t failed = 0;     // rows and works that were refused or undone
        std::uint64_t reads = 0;
    };
    virtual Activity activity() const = 0;

    // Commits what is queued, checkpoints, closes; `done`s of before are posted. After it every
    // call fails with StoreUnavailable. Blocks. (The destructor alone drops what is queued, like a
    // crash.)
    virtual void close() = 0;

    // A copy of the whole database at `path`, while it is in use; the file appears when it is
    // complete and must not exist before. For PostgreSQL it throws and says what to use instead.
    virtual Task<void> backup(std::string path, LongWork work = {}) = 0;
    // Problems found by the database's own check; empty when it is sound. Reads everything.
    virtual Task<std::vector<std::string>> verify(LongWork work = {}) = 0;

protected:
    friend class RowQueue;
    // Calls `push` within the writer's queue, if there is room for `bytes` more; else `done` is
    // told.
    virtual void enqueueRow(RowQueue& queue, Executor& executor, std::size_t bytes,
                            DoneFunction done, FunctionRef<void()> push) = 0;
    // Returns when the writer has nothing more to do with `queue`. Its waiting rows are dropped.
    virtual void forget(RowQueue& queue) = 0;
};

// What the writer sees of a RowChannel.
class RowQueue {
public:
    explicit RowQueue(Database& database) : database_{database} {}
    RowQueue(const RowQueue&) = delete;
    RowQueue& operator=(const RowQueue&) = delete;

    // Makes the rows that were pushed the rows that are taken. With the queue's lock held.
    virtual void take() = 0;
    // Inserts some of the rows that were taken, in their order. On the writer's thread, in a
    // savepoint; called again with less when it throws.
    virtual void insert(SqlConnection& connection, std::size_t first, std::size_t count) = 0;
    // The fate of all that was inserted since the last call.
    virtual void committed() = 0;
    virtual void undone() = 0;

protected:
    ~RowQueue() = default;
    void enqueue(Executor& executor, std::size_t bytes, Database::DoneFunction done,
                 FunctionRef<void()> push) {
        database_.enqueueRow(*this, executor, bytes, std::move(done), push);
    }
    void forget() { database_.forget(*this); }

private:
    Database& database_;
};

// The hot path: rows of one kind that go into every commit together. A store makes one channel for
// each kind of row. Rows and works are committed in the order in which they were added, or
// together.
template <typename Row>
class RowChannel final : private RowQueue {
public:
    // What the store does with its rows, on the writer's thread. A row that cannot be inserted
    // makes `insert` throw; it is called again for each row of the span alone, so that others don't
    // suffer.
    struct Handler {
        std::function<void(SqlConnection&, std::span<Row>)> insert;
        // Afterwards: what `insert` has learnt since the last of these calls holds, or does not.
        std::function<void()> committed = {};
        std::function<void()> undone = {};
    };

    RowChannel(Database& database, Handler handler)
        : RowQueue{database}, handler_{std::move(handler)} {}
    ~RowChannel() { forget(); }

    // `bytes` counts against the limit of what may wait. From any thread.
    void add(Executor& executor, Row row, std::size_t bytes, Database::DoneFunction done) {
        enqueue(executor, bytes, std::move(done), [&] { pushed_.push_back(std::move(row)); });
    }

private:
    void take() override {
        taken_.clear();
        taken_.swap(pushed_);
    }
    void insert(SqlConnection& connection, std::size_t first, std::size_t count) override {
        handler_.insert(connection, std::span{taken_}.subspan(first, count));
    }
    void committed() override {
        if (handler_.committed) handler_.committed();
    }
    void undone() override {
        if (handler_.undone) handler_.undone();
    }

    Handler handler_;
    std::vector<Row> pushed_;
    std::vector<Row> taken_;
};

namespace detail {

// Awaited as a named local: enqueues at the suspension and resumes on the executor of that moment.
class DatabaseWait {
public:
    enum class Kind { Read, Write };
    DatabaseWait(Database& database, Kind kind, FunctionRef<void(SqlConnection&)> work)
        : database_{database}, kind_{kind}, work_{work} {}
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> awaiting) {
        Executor* const executor = Executor::current();
        assert(executor && "a store is awaited on an executor");
        auto done = [this, awaiting](std::exception_ptr failure) {
            failure_ = std::move(failure);
            awaiting.resume();
        };
        if (kind_ == Kind::Read) {
            database_.enqueueRead(*executor, work_, done);
        } else {
            database_.enqueueWrite(*executor, work_, done, Urgency::Urgent);
        }
    }
    void await_resume() {
        if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
    }

private:
    Database& database_;
    Kind kind_;
    FunctionRef<void(SqlConnection&)> work_;
    std::exception_ptr failure_;
};

template <typename Work>
auto runAwaited(Database& database, DatabaseWait::Kind kind, Work work)
    -> Task<std::invoke_result_t<Work&, SqlConnection&>> {
    using Result = std::invoke_result_t<Work&, SqlConnection&>;
    if constexpr (std::is_void_v<Result>) {
        DatabaseWait wait(database, kind, work);
        co_await wait;
    } else {
        std::optional<Result> result;
        auto keep = [&result, &work](SqlConnection& connection) {
            result.emplace(work(connection));
        };
        DatabaseWait wait(database, kind, keep);
        co_await wait;
        co_return std::move(*result);
    }
}

}  // namespace detail

template <typename Work>
auto Database::read(Work work) -> Task<std::invoke_result_t<Work&, SqlConnection&>> {
    return detail::runAwaited(*this, detail::DatabaseWait::Kind::Read, std::move(work));
}

template <typename Work>
auto Database::write(Work work) -> Task<std::invoke_result_t<Work&, SqlConnection&>> {
    return detail::runAwaited(*this, detail::DatabaseWait::Kind::Write, std::move(work));
}

}  // namespace epode
