#include "store/engine.h"

#include "core/log.h"

#include <algorithm>
#include <future>

namespace epode {

namespace {

const Log log{"store"};
constexpr const char* closedText = "The database is closed.";

std::string textOf(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& exception) {
        return exception.what();
    } catch (...) {
        return "an unknown exception";
    }
}

std::exception_ptr asUnavailable(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const StoreUnavailable&) {
        return failure;
    } catch (...) {
        return std::make_exception_ptr(StoreUnavailable{textOf(failure)});
    }
}

}  // namespace

Engine::Engine(std::unique_ptr<Connector> connector, const DatabaseSettings& settings)
    : settings_{settings},
      connector_{std::move(connector)},
      queue_{settings},
      writer_{connector_->connect(Connector::Role::Writer)},
      retryWait_{settings.retryFirst} {
    if (isInline()) return;
    if (connector_->hasReaders()) {
        readers_ = std::make_unique<ReaderPool>(
            *connector_, std::max<std::size_t>(1, settings.readers), settings.queueReadsMax);
    }
    writerThread_ = std::thread{[this] { writeLoop(); }};
    if (dialect() == Dialect::Sqlite && connector_->hasReaders()) {
        checkpointThread_ = std::thread{[this] { checkpointLoop(); }};
    }
}

Engine::~Engine() {
    if (isClosed_) return;
    queue_.drop();
    stopThreads();
}

void Engine::close() {
    if (isClosed_.exchange(true)) return;
    if (readers_) readers_->close();
    stopThreads();
    if (isInline()) {
        Batch batch;
        queue_.take(batch);
        commit(batch);
    }
    writer_.reset();
}

void Engine::stopThreads() {
    queue_.close();
    if (writerThread_.joinable()) writerThread_.join();
    {
        const std::lock_guard lock{checkpointMutex_};
        checkpointStop_ = true;
    }
    checkpointWake_.notify_one();
    if (checkpointThread_.joinable()) checkpointThread_.join();
}

void Engine::migrate(std::span<const Migration> migrations) {
    runOnWriter([&](NativeConnection& connection) {
        connection.runOnce(
            connection.dialect() == Dialect::Sqlite
                ? "CREATE TABLE IF NOT EXISTS schema_version(component TEXT NOT NULL, "
                  "number INTEGER NOT NULL, applied_at INTEGER NOT NULL, summary TEXT NOT NULL, "
                  "PRIMARY KEY(component, number))"
                : "CREATE TABLE IF NOT EXISTS schema_version(component TEXT NOT NULL, "
                  "number BIGINT NOT NULL, applied_at BIGINT NOT NULL, summary TEXT NOT NULL, "
                  "PRIMARY KEY(component, number))");
        for (const Migration& migration : missingMigrations(connection, migrations)) {
            connection.begin();
            try {
                for (const auto& statement : statementsOf(migration.sql, connection.dialect())) {
                    connection.runOnce(statement);
                }
                const auto insert = statementsOf(
                    "INSERT INTO schema_version VALUES(?1, ?2, {now}, ?3)", connection.dialect());
                connection.run(insert.front(), {migration.component, std::int64_t{migration.number},
                                                migration.summary});
                connection.commit();
            } catch (...) {
                connection.rollback();
                throw;
            }
            log.info("schema migrated", {{"component", migration.component},
                                         {"number", migration.number},
                                         {"summary", migration.summary}});
        }
    });
}

std::vector<Migration> Engine::missing(std::span<const Migration> migrations) {
    std::vector<Migration> result;
    runOnWriter([&](NativeConnection& connection) {
        result = missingMigrations(connection, migrations);
    });
    return result;
}

std::vector<AppliedMigration> Engine::applied() {
    std::vector<AppliedMigration> result;
    runOnWriter([&](NativeConnection& connection) { result = appliedMigrations(connection); });
    return result;
}

void Engine::enqueueRead(Executor& executor, WorkFunction work, DoneFunction done) {
    ReadJob job{&executor, std::move(work), std::move(done)};
    if (readers_) {
        readers_->add(std::move(job));
    } else if (isInline()) {
        executor.post([this, job = std::move(job)]() mutable { readOnWriter(std::move(job)); });
    } else {
        const auto shared = std::make_shared<ReadJob>(std::move(job));
        if (!addPiece([this, shared] { readOnWriter(std::move(*shared)); })) {
            shared->refuse(closedText);
        }
    }
}

void Engine::readOnWriter(ReadJob job) {
    try {
        if (isClosed_) throw StoreUnavailable{closedText};
        NativeConnection& connection = writer();
        job.run(connection);
    } catch (const StoreUnavailable& problem) {
        job.refuse(problem.what());
    }
    reads_.fetch_add(1, std::memory_order_relaxed);
}

void Engine::enqueueWrite(Executor& executor, WorkFunction work, DoneFunction done,
                          Urgency urgency) {
    queue_.addWork(executor, std::move(work), std::move(done), urgency);
    if (!isInline()) return;
    executor.post([this] {
        Batch batch;
        queue_.take(batch);
        commit(batch);
    });
}

void Engine::enqueueRow(RowQueue& queue, Executor& executor, std::size_t bytes, DoneFunction done,
                        FunctionRef<void()> push) {
    queue_.addRow(queue, executor, bytes, std::move(done), push);
    if (!isInline()) return;
    executor.post([this] {
        Batch batch;
        queue_.take(batch);
        commit(batch);
    });
}

void Engine::forget(RowQueue& queue) { queue_.forget(queue); }

void Engine::writeLoop() {
    Batch batch;
    while (queue_.waitForBatch(batch, retryAt_)) {
        runPieces();
        if (!batch.empty()) {
            commit(batch);
        } else if (std::chrono::steady_clock::now() >= retryAt_) {
            tryAgain();
        }
        checkpointWhenDue();
    }
    {
        const std::lock_guard lock{piecesMutex_};
        piecesOver_ = true;
    }
    runPieces();
}

void Engine::commit(Batch& batch) {
    if (batch.empty()) return;
    const std::size_t count = batch.completions.size();
    std::exception_ptr failure;
    try {
        NativeConnection& connection = writer();
        batch.run(connection);
    } catch (...) {
        failure = asUnavailable(std::current_exception());
        if (writer_) writer_->rollback();
    }
    // Known as unavailable before anybody hears of a failure, and as available before a success.
    if (failure) {
        noteFailure(failure);
    } else {
        noteSuccess();
    }
    Outcomes outcomes;
    const std::size_t failed = batch.conclude(outcomes, failure);
    commits_.fetch_add(failure ? 0 : 1, std::memory_order_relaxed);
    committed_.fetch_add(count - failed, std::memory_order_relaxed);
    failed_.fetch_add(failed, std::memory_order_relaxed);
    outcomes.post();
    queue_.finished();
    if (isInline()) checkpointWhenDue();
}

// Nobody has asked for anything since the last failure: see whether the problem is gone.
void Engine::tryAgain() {
    try {
        NativeConnection& connection = writer();
        connection.probe();
        noteSuccess();
    } catch (...) {
        noteFailure(std::current_exception());
        // What comes is let in all the same: a full disk may refuse the probe, but not the deletion
        // that makes room. Its failure closes the door again.
        queue_.refuse({});
    }
}

NativeConnection& Engine::writer() {
    if (writer_ && writer_->isGone()) writer_.reset();
    if (!writer_) writer_ = connector_->connect(Connector::Role::Writer);
    return *writer_;
}

void Engine::noteSuccess() {
    if (retryAt_ == Moment::max()) return;
    retryAt_ = Moment::max();
    retryWait_ = settings_.retryFirst;
    {
        const std::lock_guard lock{problemMutex_};
        problem_.clear();
    }
    queue_.refuse({});
    log.notice("database is back");
}

void Engine::noteFailure(std::exception_ptr failure) {
    const std::string problem = textOf(failure);
    const bool isNew = retryAt_ == Moment::max();
    retryAt_ = std::chrono::steady_clock::now() +
               std::chrono::duration_cast<std::chrono::steady_clock::duration>(retryWait_);
    retryWait_ = std::min(retryWait_ * 2, settings_.retryMost);
    {
        const std::lock_guard lock{problemMutex_};
        problem_ = problem;
    }
    // In inline mode no time passes by itself: each batch is a new try.
    if (!isInline()) queue_.refuse("The database is unavailable: " + problem);
    if (isNew)
        log.error("database is unavailable, nothing is acknowledged", {{"problem", problem}});
}

void Engine::runOnWriter(std::function<void(NativeConnection&)> piece) {
    if (isClosed_) throw StoreUnavailable{closedText};
    if (isInline()) {
        piece(writer());
        return;
    }
    // The failure is the caller's alone by the time he hears of it.
    std::exception_ptr failure;
    std::promise<void> promise;
    const bool isAdded = addPiece([&] {
        try {
            piece(writer());
        } catch (...) {
            failure = std::current_exception();
        }
        promise.set_value();
    });
    if (!isAdded) throw StoreUnavailable{closedText};
    promise.get_future().wait();
    if (failure) std::rethrow_exception(failure);
}

bool Engine::addPiece(std::function<void()> piece) {
    {
        const std::lock_guard lock{piecesMutex_};
        if (piecesOver_) return false;
        pieces_.push_back(std::move(piece));
        ++waitingPieces_;
    }
    queue_.nudge();
    return true;
}

void Engine::runPieces() {
    if (waitingPieces_.load(std::memory_order_acquire) == 0) return;
    std::vector<std::function<void()>> pieces;
    {
        const std::lock_guard lock{piecesMutex_};
        pieces.swap(pieces_);
        waitingPieces_ = 0;
    }
    for (auto& piece : pieces) piece();
}

// The writer starts a checkpoint beside itself, and copies what has come in meanwhile: so no commit
// waits for more than a few pages.
void Engine::checkpointWhenDue() {
    if (checkpointRest_.exchange(false)) {
        if (writer_) connector_->checkpointRest(*writer_);
        return;
    }
    if (!connector_->wantsCheckpoint()) return;
    if (!checkpointThread_.joinable()) {
        if (writer_) connector_->checkpointRest(*writer_);
        return;
    }
    const std::lock_guard lock{checkpointMutex_};
    if (std::exchange(checkpointWanted_, true)) return;
    checkpointWake_.notify_one();
}

void Engine::checkpointLoop() {
    std::unique_lock lock{checkpointMutex_};
    for (;;) {
        checkpointWake_.wait(lock, [&] { return checkpointStop_ || checkpointWanted_; });
        if (checkpointStop_) return;
        lock.unlock();
        try {
            connector_->checkpointBeside();
        } catch (const StoreUnavailable& problem) {
            log.warning("checkpoint failed, it is tried again", {{"problem", problem.what()}});
        }
        checkpointRest_ = true;
        queue_.nudge();
        lock.lock();
        checkpointWanted_ = false;
    }
}

Engine::Health Engine::health() const {
    Health health;
    {
        const std::lock_guard lock{problemMutex_};
        health.problem = problem_;
    }
    health.available = health.problem.empty();
    health.waitingWrites = queue_.waiting();
    health.waitingReads = readers_ ? readers_->waiting() : waitingPieces_.load();
    return health;
}

Engine::Activity Engine::activity() const {
    Activity activity;
    activity.commits = commits_.load(std::memory_order_relaxed);
    activity.committed = committed_.load(std::memory_order_relaxed);
    activity.failed = failed_.load(std::memory_order_relaxed);
    activity.reads = reads_.load(std::memory_order_relaxed) + (readers_ ? readers_->finished() : 0);
    return activity;
}

Task<void> Engine::backup(std::string path, LongWork longWork) {
    auto work = [path, longWork](SqlConnection& connection) {
        static_cast<NativeConnection&>(connection).backup(path, longWork);
    };
    co_await read(std::move(work));
}

Task<std::vector<std::string>> Engine::verify(LongWork longWork) {
    auto work = [longWork](SqlConnection& connection) {
        return static_cast<NativeConnection&>(connection).verify(longWork);
    };
    auto problems = co_await read(std::move(work));
    co_return problems;
}

std::unique_ptr<Database> openDatabase(const DatabaseSettings& settings) {
    const std::string_view location = settings.location;
    if (location.starts_with("postgresql://") || location.starts_with("postgres://") ||
        location.find('=') != std::string_view::npos) {
        return std::make_unique<Engine>(makePostgresConnector(settings.location), settings);
    }
    return std::make_unique<Engine>(
        makeSqliteConnector(settings.location, settings.sync == Sync::Full), settings);
}

}  // namespace epode
