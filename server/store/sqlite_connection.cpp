// SQLite, embedded: WAL, synchronous=FULL, prepared statements kept for each connection.
#include "store/native_connection.h"

#include <sqlite3.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <unordered_map>

namespace epode {

namespace {

constexpr int pageBytes = 4096;
// From here on the log is copied into the file: large enough that a page which changes in every
// commit is copied once for many of them, small enough to be copied in a moment.
constexpr int checkpointPages = 4000;
constexpr int busyMilliseconds = 10000;
constexpr int backupPagesPerStep = 1024;

using Handle = std::unique_ptr<sqlite3, decltype([](sqlite3* handle) { sqlite3_close(handle); })>;
using Prepared =
    std::unique_ptr<sqlite3_stmt, decltype([](sqlite3_stmt* it) { sqlite3_finalize(it); })>;

// Statement texts as keys, looked up without a copy.
struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
        return std::hash<std::string_view>{}(text);
    }
};

[[noreturn]] void fail(sqlite3* handle, std::string_view during) {
    const int extended = sqlite3_extended_errcode(handle);
    const std::string_view message = sqlite3_errmsg(handle);
    const std::string_view kind = sqlite3_errstr(extended & 0xff);
    std::string text{"SQLite: "};
    text += message;
    if (message != kind) text.append(" (").append(kind).append(")");
    if (const int error = sqlite3_system_errno(handle); error != 0) {
        text += ", " + std::generic_category().message(error);
    }
    text += " in: ";
    text += during.substr(0, 200);
    switch (extended) {
        case SQLITE_CONSTRAINT_UNIQUE:
        case SQLITE_CONSTRAINT_PRIMARYKEY:
        case SQLITE_CONSTRAINT_ROWID:
            throw SqlConflict{text};
        default:
            throw StoreUnavailable{text};
    }
}

class Row final : public SqlRow {
public:
    explicit Row(sqlite3_stmt* statement) : statement_{statement} {}
    bool isNull(int column) const override {
        return sqlite3_column_type(statement_, column) == SQLITE_NULL;
    }
    std::int64_t integer(int column) const override {
        return sqlite3_column_int64(statement_, column);
    }
    double real(int column) const override { return sqlite3_column_double(statement_, column); }
    std::string_view text(int column) const override {
        const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
        return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
    }
    std::string_view blob(int column) const override {
        const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement_, column));
        return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
    }

private:
    sqlite3_stmt* statement_;
};

// Nothing is copied: values live until the statement has run, and no statement is stepped before
// all of its parameters are bound again.
struct Binder {
    sqlite3_stmt* statement;
    int index;

    int operator()(std::nullptr_t) const { return sqlite3_bind_null(statement, index); }
    int operator()(std::int64_t value) const { return sqlite3_bind_int64(statement, index, value); }
    int operator()(double value) const { return sqlite3_bind_double(statement, index, value); }
    int operator()(std::string_view text) const {
        // A null pointer would bind NULL instead of an empty text.
        return sqlite3_bind_text64(statement, index, text.data() ? text.data() : "", text.size(),
                                   SQLITE_STATIC, SQLITE_UTF8);
    }
    int operator()(Blob blob) const {
        return sqlite3_bind_blob64(statement, index, blob.bytes.data() ? blob.bytes.data() : "",
                                   blob.bytes.size(), SQLITE_STATIC);
    }
};

class SqliteConnection final : public NativeConnection {
public:
    SqliteConnection(const std::string& path, Connector::Role role, bool syncs)
        // A writer takes its lock at once: a transaction that begins by reading could not get it
        // later.
        : begin_{role == Connector::Role::Writer ? "BEGIN IMMEDIATE" : "BEGIN"} {
        sqlite3* opened = nullptr;
        const int result = sqlite3_open_v2(
            path.c_str(), &opened, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX,
            nullptr);
        handle_.reset(opened);
        if (result != SQLITE_OK) {
            throw StoreUnavailable{"SQLite cannot open \"" + path + "\": " +
                                   (opened ? sqlite3_errmsg(opened) : sqlite3_errstr(result))};
        }
        sqlite3_busy_timeout(opened, busyMilliseconds);
        runOnce("PRAGMA page_size=" + std::to_string(pageBytes));
        runOnce("PRAGMA journal_mode=WAL");
        runOnce(syncs ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=OFF");
        runOnce("PRAGMA foreign_keys=ON");
        runOnce("PRAGMA temp_store=MEMORY");
        runOnce("PRAGMA wal_autocheckpoint=0");
        if (role == Connector::Role::Reader) {
            runOnce("PRAGMA cache_size=-8192");
            runOnce("PRAGMA query_only=ON");
        } else {
            runOnce("PRAGMA cache_size=-65536");
            // After a rush the log's file is cut back to this, at its next restart.
            runOnce("PRAGMA journal_size_limit=67108864");
        }
    }

    sqlite3* handle() const { return handle_.get(); }
    Dialect dialect() const override { return Dialect::Sqlite; }

    std::int64_t run(std::string_view sql, std::span<const SqlValue> parameters,
                     RowSink row) override {
        const Use use{*this, sql};
        bind(use.statement(), parameters, sql);
        const std::int64_t before = sqlite3_total_changes64(handle());
        step(use.statement(), sql, row);
        return sqlite3_total_changes64(handle()) - before;
    }

    void runMany(std::string_view sql, std::size_t columns,
                 std::span<const SqlValue> values) override {
        const Use use{*this, sql};
        for (std::size_t first = 0; first < values.size(); first += columns) {
            bind(use.statement(), values.subspan(first, columns), sql);
            step(use.statement(), sql, {});
            sqlite3_reset(use.statement());
        }
    }

    void begin() override {
        lost_ = false;
        run(begin_, {}, {});
    }
    void commit() override { run("COMMIT", {}, {}); }
    void rollback() noexcept override {
        // Some failures (disk full) have ended the transaction already.
        if (!sqlite3_get_autocommit(handle())) {
            sqlite3_exec(handle(), "ROLLBACK", nullptr, nullptr, nullptr);
        }
    }
    void setSavepoint() override { run("SAVEPOINT work", {}, {}); }
    void releaseSavepoint() override { run("RELEASE work", {}, {}); }
    void rollbackToSavepoint() override {
        run("ROLLBACK TO work", {}, {});
        run("RELEASE work", {}, {});
    }
    bool isTransactionLost() const override { return lost_ || sqlite3_get_autocommit(handle()); }
    bool isGone() const override { return gone_; }

    void probe() override {
        begin();
        try {
            runOnce("CREATE TABLE IF NOT EXISTS store_probe(bytes BLOB)");
            runOnce("INSERT INTO store_probe VALUES(zeroblob(65536))");
            commit();
        } catch (...) {
            rollback();
            throw;
        }
        runOnce("DELETE FROM store_probe");
    }

    void runOnce(const std::string& sql) override {
        sqlite3_stmt* prepared = nullptr;
        if (sqlite3_prepare_v2(handle(), sql.c_str(), -1, &prepared, nullptr) != SQLITE_OK) {
            note();
            fail(handle(), sql);
        }
        const Prepared owner{prepared};
        if (prepared) step(prepared, sql, {});
    }

    void backup(const std::string& path, const LongWork& work) override;
    std::vector<std::string> verify(const LongWork& work) override;

private:
    struct Statement {
        Prepared prepared;
        bool isBusy = false;
    };

    // A kept statement while it is used; afterwards it holds no lock.
    class Use {
    public:
        Use(SqliteConnection& connection, std::string_view sql)
            : statement_{connection.prepared(sql)} {
            statement_.isBusy = true;
        }
        ~Use() {
            sqlite3_reset(statement());
            statement_.isBusy = false;
        }
        sqlite3_stmt* statement() const { return statement_.prepared.get(); }

    private:
        Statement& statement_;
    };

    Statement& prepared(std::string_view sql) {
        auto found = statements_.find(sql);
        if (found == statements_.end()) {
            sqlite3_stmt* made = nullptr;
            if (sqlite3_prepare_v3(handle(), sql.data(), static_cast<int>(sql.size()),
                                   SQLITE_PREPARE_PERSISTENT, &made, nullptr) != SQLITE_OK) {
                note();
                fail(handle(), sql);
            }
            if (!made) throw StoreUnavailable{"An empty statement."};
            found = statements_.try_emplace(std::string{sql}).first;
            found->second.prepared.reset(made);
        }
        if (found->second.isBusy) {
            throw std::logic_error{"A statement is run within itself: " + std::string{sql}};
        }
        return found->second;
    }

    void bind(sqlite3_stmt* statement, std::span<const SqlValue> values, std::string_view sql) {
        if (static_cast<std::size_t>(sqlite3_bind_parameter_count(statement)) != values.size()) {
            throw std::logic_error{"Not as many values as parameters: " + std::string{sql}};
        }
        int index = 0;
        for (const SqlValue& value : values) {
            if (std::visit(Binder{statement, ++index}, value) != SQLITE_OK) fail(handle(), sql);
        }
    }

    void step(sqlite3_stmt* statement, std::string_view sql, RowSink row) {
        const Row view{statement};
        for (;;) {
            const int result = sqlite3_step(statement);
            if (result == SQLITE_DONE) return;
            if (result != SQLITE_ROW) {
                note();
                fail(handle(), sql);
            }
            if (row) row(view);
        }
    }

    // Remembers what the last error says about the transaction. What concerns the file or the
    // memory may have undone a part of it (https://sqlite.org/lang_transaction.html): all of it is
    // undone.
    void note() {
        switch (sqlite3_errcode(handle())) {
            case SQLITE_CORRUPT:
            case SQLITE_NOTADB:
            case SQLITE_CANTOPEN:
                gone_ = true;
                [[fallthrough]];
            case SQLITE_FULL:
            case SQLITE_IOERR:
            case SQLITE_NOMEM:
            case SQLITE_BUSY:
            case SQLITE_READONLY:
            case SQLITE_INTERRUPT:
            case SQLITE_PROTOCOL:
                lost_ = true;
                break;
            default:
                break;
        }
    }

    Handle handle_;
    const std::string_view begin_;
    std::unordered_map<std::string, Statement, TextHash, std::equal_to<>> statements_;
    bool lost_ = false;
    bool gone_ = false;
};

void SqliteConnection::backup(const std::string& path, const LongWork& work) {
    if (std::filesystem::exists(path)) {
        throw StoreUnavailable{"\"" + path + "\" exists already; a backup never overwrites."};
    }
    const std::string part = path + ".part";
    std::filesystem::remove(part);
    try {
        sqlite3* opened = nullptr;
        const int result = sqlite3_open_v2(part.c_str(), &opened,
                                           SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, nullptr);
        const Handle copy{opened};
        if (result != SQLITE_OK) fail(opened, "opening the backup");
        // The caller's transaction holds one state of the database for all steps, so that writers
        // neither disturb the copy nor start it over.
        run("SELECT count(*) FROM sqlite_schema", {}, {});
        sqlite3_backup* backup = sqlite3_backup_init(opened, "main", handle(), "main");
        if (!backup) fail(opened, "starting the backup");
        try {
            while (sqlite3_backup_step(backup, backupPagesPerStep) == SQLITE_OK) {
                const std::int64_t total = sqlite3_backup_pagecount(backup);
                goOn(work, total - sqlite3_backup_remaining(backup), total);
            }
        } catch (...) {
            sqlite3_backup_finish(backup);
            throw;
        }
        if (sqlite3_backup_finish(backup) != SQLITE_OK) fail(opened, "copying the database");
        // One file, whole in itself.
        if (sqlite3_exec(opened, "PRAGMA journal_mode=DELETE", nullptr, nullptr, nullptr) !=
            SQLITE_OK) {
            fail(opened, "closing the backup");
        }
    } catch (...) {
        std::error_code ignored;
        std::filesystem::remove(part, ignored);
        throw;
    }
    std::filesystem::rename(part, path);
}

// The pages as a whole first, then the rows and indexes of one table after the other.
std::vector<std::string> SqliteConnection::verify(const LongWork& work) {
    std::vector<std::string> tables;
    run("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name", {},
        [&](const SqlRow& row) { tables.emplace_back(row.text(0)); });
    std::vector<std::string> problems;
    const auto note = [&](const SqlRow& row) {
        const std::string text{row.text(0)};
        if (text != "ok" && std::find(problems.begin(), problems.end(), text) == problems.end())
            problems.push_back(text);
    };
    const auto total = std::int64_t(tables.size()) + 2;
    std::int64_t done = 0;
    goOn(work, done++, total);
    run("PRAGMA quick_check", {}, note);
    for (const auto& table : tables) {
        goOn(work, done++, total);
        run("PRAGMA integrity_check(\"" + table + "\")", {}, note);
    }
    goOn(work, done++, total);
    run("PRAGMA foreign_key_check", {}, [&](const SqlRow& row) {
        problems.push_back("a row of " + std::string{row.text(0)} + " refers to a missing row of " +
                           std::string{row.text(2)});
    });
    return problems;
}

class SqliteConnector final : public Connector {
public:
    SqliteConnector(std::string path, bool syncs) : path_{std::move(path)}, syncs_{syncs} {}

    Dialect dialect() const override { return Dialect::Sqlite; }
    bool hasReaders() const override { return path_ != ":memory:"; }

    std::unique_ptr<NativeConnection> connect(Role role) override {
        auto connection = std::make_unique<SqliteConnection>(path_, role, syncs_);
        if (role == Role::Writer) sqlite3_wal_hook(connection->handle(), &noteLog, this);
        return connection;
    }

    bool wantsCheckpoint() const override {
        return logPages_.load(std::memory_order_relaxed) >= next_.load(std::memory_order_relaxed);
    }
    void checkpointBeside() override {
        if (!beside_) beside_ = std::make_unique<SqliteConnection>(path_, Role::Writer, syncs_);
        copyLog(*beside_);
    }
    void checkpointRest(NativeConnection& writer) override {
        const bool isAllCopied = copyLog(static_cast<SqliteConnection&>(writer));
        // A reader that looks at an old state keeps the log from starting over; don't try for each
        // commit until it does.
        next_ = isAllCopied ? checkpointPages : logPages_ + checkpointPages;
        if (isAllCopied) logPages_ = 0;
    }

private:
    static int noteLog(void* self, sqlite3*, const char*, int pages) {
        static_cast<SqliteConnector*>(self)->logPages_.store(pages, std::memory_order_relaxed);
        return SQLITE_OK;
    }
    // True when nothing of the log is left to copy.
    static bool copyLog(SqliteConnection& connection) {
        int inLog = 0;
        int copied = 0;
        const int result = sqlite3_wal_checkpoint_v2(connection.handle(), nullptr,
                                                     SQLITE_CHECKPOINT_PASSIVE, &inLog, &copied);
        return result == SQLITE_OK && inLog == copied;
    }

    const std::string path_;
    const bool syncs_;
    std::atomic<int> logPages_{0};
    std::atomic<int> next_{checkpointPages};
    std::unique_ptr<SqliteConnection> beside_;
};

}  // namespace

std::unique_ptr<Connector> makeSqliteConnector(const std::string& path, bool syncs) {
    return std::make_unique<SqliteConnector>(path, syncs);
}

}  // namespace epode
