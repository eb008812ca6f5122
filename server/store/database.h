// The database behind all stores: SQLite (embedded) or PostgreSQL, one SQL for both, no call that
// blocks a loop.
//
// There is one writer. It takes what has come in since its last commit, as one transaction with one
// sync (SQLite: WAL, synchronous=FULL; PostgreSQL: synchronous_commit=on), so that the cost of a
// durable row falls as load rises. Readers are threads with a connection each.
#pragma once

#include "core/executor.h"
#include "core/task.h"
#include "core/unique_function.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace epode {

// The database does not answer, is full, or refused the transaction. Nothing of it was stored.
class StoreUnavailable : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

enum class Dialect { Sqlite, Postgres };

struct Blob {
    std::string_view bytes;
};
// A parameter `?1`… of a statement. Texts and blobs must live until the statement has run.
using SqlValue = std::variant<std::nullptr_t, std::int64_t, double, std::string_view, Blob>;

// One row of a result while it is being read; views end with the next step.
class SqlRow {
public:
    virtual ~SqlRow() = default;
    virtual bool isNull(int column) const = 0;
    virtual std::int64_t integer(int column) const = 0;
    virtual double real(int column) const = 0;
    virtual std::string_view text(int column) const = 0;
    virtual std::string_view blob(int column) const = 0;
};

// A connection, used on a database thread inside `read` or `write`. Statements are written once, with
// `?1 ?2 …` for parameters; they're prepared once per connection and kept. The few differences of the
// dialects are helpers here, not branches in stores.
class SqlConnection {
public:
    virtual ~SqlConnection() = default;
    virtual Dialect dialect() const = 0;
    // Runs a statement; calls `row` for each row of its result; returns the number of rows changed.
    // Throws StoreUnavailable, or SqlConflict when a unique key is violated.
    virtual std::int64_t run(std::string_view sql, std::span<const SqlValue> parameters,
                             const std::function<void(const SqlRow&)>& row = {}) = 0;
    std::int64_t run(std::string_view sql, std::initializer_list<SqlValue> parameters = {},
                     const std::function<void(const SqlRow&)>& row = {}) {
        return run(sql, std::span{parameters.begin(), parameters.size()}, row);
    }
    // Many rows by one statement, as fast as the dialect can: SQLite steps one prepared statement,
    // PostgreSQL takes arrays (UNNEST) or its pipeline. `rows` is a matrix, `columns` wide.
    virtual void runMany(std::string_view sql, int columns, std::span<const SqlValue> rows) = 0;
};

class SqlConflict : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// A numbered change of the schema, for both dialects. `component` is "core" or a plugin's name; each
// has its own numbering from 1. Text in {braces} is replaced per dialect: {id} an auto-numbered primary
// key, {blob}, {bigint}, {now}.
struct Migration {
    std::string_view component;
    int number;
    std::string_view summary;
    std::string_view sql;  // statements separated by ';'
};

class Database {
public:
    virtual ~Database() = default;
    virtual Dialect dialect() const = 0;

    // Runs what is missing, in transactions; throws std::runtime_error, naming the versions, when the
    // schema is newer than this server knows. Before anything else is read or written.
    virtual void migrate(std::span<const Migration> migrations) = 0;

    // Runs `work(SqlConnection&)` on a reader's thread; its result resumes the coroutine on the
    // executor that awaits. Throws what `work` throws, StoreUnavailable when the queue is full.
    template <typename Work>
    auto read(Work work) -> Task<std::invoke_result_t<Work&, SqlConnection&>>;
    // The same within the writer's next transaction; resumes after the commit that contains it.
    // When `work` throws, its own changes are undone (a savepoint) and nobody else's.
    template <typename Work>
    auto write(Work work) -> Task<std::invoke_result_t<Work&, SqlConnection&>>;

    // The forms below them, for plain code. `done(failure)` runs on `executor`; null failure: the work
    // is done (and for enqueueWrite committed and synced).
    using WorkFunction = UniqueFunction<void(SqlConnection&)>;
    using DoneFunction = UniqueFunction<void(std::exception_ptr)>;
    virtual void enqueueRead(Executor& executor, WorkFunction work, DoneFunction done) = 0;
    virtual void enqueueWrite(Executor& executor, WorkFunction work, DoneFunction done) = 0;

    // The hot path: rows of one kind that go into every commit together. A store makes one channel
    // for each kind of row. Everything enqueued (rows and writes) is committed in the order of
    // enqueueing or together.
    class RowChannel {
    public:
        virtual ~RowChannel() = default;
    };

    // State for `status`, health and metrics.
    struct Health {
        bool available = true;
        std::string problem;          // what is wrong, for people
        std::size_t waitingWrites = 0;
    };
    virtual Health health() const = 0;

    // Commits what is queued, checkpoints, closes. After it every call fails with StoreUnavailable.
    virtual void close() = 0;

    // A copy while running (SQLite's backup API, or an error that says how for PostgreSQL).
    virtual void backup(const std::string& path) = 0;
    // Problems found by the database's own check; empty when it is sound.
    virtual std::vector<std::string> verify() = 0;
};

}  // namespace epode
