// PostgreSQL by libpq: prepared statements kept for each connection, everything in binary, many
// rows through the pipeline.
#include "store/native_connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <unordered_map>

namespace epode {

namespace {

// Rows sent before their results are read.
constexpr std::size_t pipelineRows = 512;

// Numbers of built-in types (pg_type.dat); libpq has no names for them.
enum : Oid {
    oidUnknown = 0,
    oidBool = 16,
    oidBytea = 17,
    oidInt8 = 20,
    oidInt2 = 21,
    oidInt4 = 23,
    oidText = 25,
    oidFloat4 = 700,
    oidFloat8 = 701,
};

using Result = std::unique_ptr<PGresult, decltype([](PGresult* result) { PQclear(result); })>;
using Handle = std::unique_ptr<PGconn, decltype([](PGconn* connection) { PQfinish(connection); })>;

struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
        return std::hash<std::string_view>{}(text);
    }
};

// `?1` becomes `$1`, outside of quotes.
std::string withDollars(std::string_view sql) {
    std::string text;
    text.reserve(sql.size());
    char quote = 0;
    for (std::size_t index = 0; index < sql.size(); ++index) {
        const char c = sql[index];
        if (quote) {
            if (c == quote) quote = 0;
        } else if (c == '\'' || c == '"') {
            quote = c;
        } else if (c == '?' && index + 1 < sql.size() && sql[index + 1] >= '1' &&
                   sql[index + 1] <= '9') {
            text += '$';
            continue;
        }
        text += c;
    }
    return text;
}

template <typename Number>
Number fromBigEndian(const char* bytes) {
    Number value;
    std::memcpy(&value, bytes, sizeof value);
    if constexpr (std::endian::native == std::endian::little) {
        auto* begin = reinterpret_cast<char*>(&value);
        for (std::size_t n = 0; n < sizeof value / 2; ++n) {
            std::swap(begin[n], begin[sizeof value - 1 - n]);
        }
    }
    return value;
}

template <typename Number>
std::size_t putBigEndian(Number value, char* bytes) {
    const Number swapped = fromBigEndian<Number>(reinterpret_cast<const char*>(&value));
    std::memcpy(bytes, &swapped, sizeof swapped);
    return sizeof swapped;
}

class Row final : public SqlRow {
public:
    explicit Row(const PGresult* result) : result_{result} {}
    void moveTo(int row) { row_ = row; }

    bool isNull(int column) const override { return PQgetisnull(result_, row_, column) != 0; }
    std::int64_t integer(int column) const override {
        if (isNull(column)) return 0;
        const char* bytes = PQgetvalue(result_, row_, column);
        switch (PQftype(result_, column)) {
            case oidInt8:
                return fromBigEndian<std::int64_t>(bytes);
            case oidInt4:
                return fromBigEndian<std::int32_t>(bytes);
            case oidInt2:
                return fromBigEndian<std::int16_t>(bytes);
            case oidBool:
                return *bytes;
            default:
                throw std::logic_error{"A column is read as a whole number, but is none."};
        }
    }
    double real(int column) const override {
        if (isNull(column)) return 0;
        const char* bytes = PQgetvalue(result_, row_, column);
        switch (PQftype(result_, column)) {
            case oidFloat8:
                return fromBigEndian<double>(bytes);
            case oidFloat4:
                return fromBigEndian<float>(bytes);
            default:
                return static_cast<double>(integer(column));
        }
    }
    std::string_view text(int column) const override {
        return {PQgetvalue(result_, row_, column),
                static_cast<std::size_t>(PQgetlength(result_, row_, column))};
    }
    std::string_view blob(int column) const override { return text(column); }

private:
    const PGresult* result_;
    int row_ = 0;
};

// libpq's messages have lines and an indentation; ours go into logs.
std::string oneLine(std::string_view message) {
    std::string text;
    for (const char c : message) {
        const bool isSpace = c == '\n' || c == '\t' || c == ' ';
        if (!isSpace) {
            text += c;
        } else if (!text.empty() && text.back() != ' ') {
            text += ' ';
        }
    }
    if (text.ends_with(' ')) text.pop_back();
    return text;
}

// The values of one execution, as libpq takes them.
class Parameters {
public:
    void fill(std::span<const SqlValue> values, const std::vector<Oid>& types) {
        const std::size_t count = values.size();
        pointers_.resize(count);
        lengths_.resize(count);
        formats_.assign(count, 1);
        numbers_.resize(count);
        for (std::size_t index = 0; index < count; ++index) {
            set(index, values[index], types[index]);
        }
    }
    const char* const* pointers() const { return pointers_.data(); }
    const int* lengths() const { return lengths_.data(); }
    const int* formats() const { return formats_.data(); }

private:
    void set(std::size_t index, const SqlValue& value, Oid type) {
        if (const auto* integer = std::get_if<std::int64_t>(&value)) {
            pointers_[index] = numbers_[index].data();
            lengths_[index] = static_cast<int>(putInteger(*integer, type, numbers_[index].data()));
        } else if (const auto* real = std::get_if<double>(&value)) {
            if (type != oidFloat8) throw std::logic_error{"A real number for another column."};
            pointers_[index] = numbers_[index].data();
            lengths_[index] = static_cast<int>(putBigEndian(*real, numbers_[index].data()));
        } else if (const auto* text = std::get_if<std::string_view>(&value)) {
            setBytes(index, *text);
        } else if (const auto* blob = std::get_if<Blob>(&value)) {
            setBytes(index, blob->bytes);
        } else {
            pointers_[index] = nullptr;
            lengths_[index] = 0;
        }
    }
    void setBytes(std::size_t index, std::string_view bytes) {
        // A null pointer would be NULL instead of empty.
        pointers_[index] = bytes.data() ? bytes.data() : "";
        lengths_[index] = static_cast<int>(bytes.size());
    }
    static std::size_t putInteger(std::int64_t value, Oid type, char* bytes) {
        switch (type) {
            case oidInt8:
                return putBigEndian(value, bytes);
            case oidInt4:
                return putBigEndian(static_cast<std::int32_t>(value), bytes);
            case oidInt2:
                return putBigEndian(static_cast<std::int16_t>(value), bytes);
            case oidBool:
                *bytes = value != 0;
                return 1;
            case oidFloat8:
                return putBigEndian(static_cast<double>(value), bytes);
            default:
                throw std::logic_error{"A whole number for a column that takes none."};
        }
    }

    std::vector<const char*> pointers_;
    std::vector<int> lengths_;
    std::vector<int> formats_;
    std::vector<std::array<char, 8>> numbers_;
};

class PostgresConnection final : public NativeConnection {
public:
    PostgresConnection(const std::string& conninfo, Connector::Role role)
        : isWriter_{role == Connector::Role::Writer} {
        // What stands before `dbname` is a default that the conninfo in it may replace.
        const char* keys[] = {"connect_timeout",
                              "keepalives_idle",
                              "keepalives_interval",
                              "keepalives_count",
                              "tcp_user_timeout",
                              "fallback_application_name",
                              "dbname",
                              nullptr};
        const char* values[] = {"5", "15", "5", "3", "30000", "epode", conninfo.c_str(), nullptr};
        handle_.reset(PQconnectdbParams(keys, values, 1));
        if (PQstatus(handle()) != CONNECTION_OK) {
            throw StoreUnavailable{"PostgreSQL: " + message()};
        }
        PQsetNoticeProcessor(handle(), [](void*, const char*) {}, nullptr);
        if (PQsetClientEncoding(handle(), "UTF8") != 0) fail(nullptr, "choosing UTF-8");
        // Acknowledged means synced, whatever the cluster's default is; a stricter one is kept.
        runOnce(
            "SELECT set_config('synchronous_commit', 'on', false) "
            "WHERE current_setting('synchronous_commit') = 'off'");
        if (!isWriter_) runOnce("SET default_transaction_read_only = on");
    }

    Dialect dialect() const override { return Dialect::Postgres; }

    std::int64_t run(std::string_view sql, std::span<const SqlValue> parameters,
                     RowSink row) override {
        flush();
        const Statement& statement = prepared(sql, parameters);
        parameters_.fill(parameters, statement.types);
        const Result result{PQexecPrepared(
            handle(), statement.name.c_str(), static_cast<int>(parameters.size()),
            parameters_.pointers(), parameters_.lengths(), parameters_.formats(), 1)};
        switch (PQresultStatus(result.get())) {
            case PGRES_TUPLES_OK:
                give(result.get(), row);
                break;
            case PGRES_COMMAND_OK:
                break;
            default:
                fail(result.get(), sql);
        }
        return changed(result.get());
    }

    void runMany(std::string_view sql, std::size_t columns,
                 std::span<const SqlValue> values) override {
        if (values.empty()) return;
        flush();
        const Statement& statement = prepared(sql, values.first(columns));
        const std::size_t step = pipelineRows * columns;
        for (std::size_t first = 0; first < values.size(); first += step) {
            runPipeline(statement, sql, columns,
                        values.subspan(first, std::min(step, values.size() - first)));
        }
    }

    void begin() override {
        deferred_.clear();
        lost_ = false;
        if (isWriter_) defer("BEGIN");
    }
    void commit() override {
        if (!isWriter_) return;
        defer("COMMIT");
        flush();
    }
    void rollback() noexcept override {
        deferred_.clear();
        if (PQtransactionStatus(handle()) != PQTRANS_IDLE) {
            const Result ignored{PQexec(handle(), "ROLLBACK")};
        }
    }
    void setSavepoint() override { defer("SAVEPOINT work"); }
    void releaseSavepoint() override { defer("RELEASE SAVEPOINT work"); }
    void rollbackToSavepoint() override {
        // A savepoint that was not sent yet is sent first: there may be one of before.
        flush();
        defer("ROLLBACK TO SAVEPOINT work");
        defer("RELEASE SAVEPOINT work");
        flush();
    }

    bool isTransactionLost() const override {
        if (lost_ || PQstatus(handle()) != CONNECTION_OK) return true;
        if (!deferred_.empty()) return false;  // not even begun perhaps
        const auto status = PQtransactionStatus(handle());
        return status != PQTRANS_INTRANS && status != PQTRANS_INERROR;
    }

    bool isGone() const override {
        // A server that has stopped has said so on the socket; better to read it now than to learn
        // it from the first statement of somebody.
        for (;;) {
            if (PQstatus(handle()) != CONNECTION_OK) return true;
            pollfd socket{PQsocket(handle()), POLLIN, 0};
            if (::poll(&socket, 1, 0) <= 0) return false;
            if (!PQconsumeInput(handle())) return true;
        }
    }

    void probe() override {
        const Result result{PQexec(handle(), "SELECT 1")};
        if (PQresultStatus(result.get()) != PGRES_TUPLES_OK) fail(result.get(), "SELECT 1");
    }

    void runOnce(const std::string& sql) override {
        flush();
        const Result result{PQexec(handle(), sql.c_str())};
        const auto status = PQresultStatus(result.get());
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) fail(result.get(), sql);
    }

    void backup(const std::string&, const LongWork&) override {
        throw StoreUnavailable{
            "A PostgreSQL database is backed up by its own tools: pg_dump for a copy of one "
            "database, "
            "pg_basebackup for the cluster."};
    }

    std::vector<std::string> verify(const LongWork& work) override {
        std::vector<std::string> tables;
        run("SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
            "WHERE schemaname = current_schema() ORDER BY 1",
            {}, [&](const SqlRow& row) { tables.emplace_back(row.text(0)); });
        // Reading everything finds pages whose checksum is wrong; each is a problem of its own.
        std::vector<std::string> problems;
        std::int64_t done = 0;
        for (const auto& table : tables) {
            goOn(work, done++, std::int64_t(tables.size()));
            const std::string sql = "SELECT count(t.*::text) FROM " + table + " t";
            const Result result{PQexec(handle(), sql.c_str())};
            if (PQresultStatus(result.get()) == PGRES_TUPLES_OK) continue;
            if (PQstatus(handle()) != CONNECTION_OK) fail(result.get(), sql);
            problems.push_back(table + ": " + message());
        }
        return problems;
    }

private:
    struct Statement {
        std::string name;
        std::vector<Oid> types;
    };

    PGconn* handle() const { return handle_.get(); }

    std::string message() const { return oneLine(PQerrorMessage(handle())); }

    [[noreturn]] void fail(const PGresult* result, std::string_view during) {
        const char* field = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : nullptr;
        const std::string_view state = field ? field : "";
        // 08 connection, 53 out of disk, memory or connections, 57P shut down, 58 and XX the
        // system.
        for (const std::string_view group : {"08", "53", "57P", "58", "XX"}) {
            if (state.starts_with(group)) lost_ = true;
        }
        std::string text{"PostgreSQL: "};
        const std::string_view primary = result ? PQresultErrorMessage(result) : "";
        text += primary.empty() ? message() : oneLine(primary);
        text += " in: ";
        text += during.substr(0, 200);
        if (state == "23505") throw SqlConflict{text};
        throw StoreUnavailable{text};
    }

    // Commands without a result are sent together, in front of the next statement.
    void defer(std::string_view command) {
        deferred_ += command;
        deferred_ += ';';
    }
    void flush() {
        if (deferred_.empty()) return;
        const std::string commands = std::exchange(deferred_, {});
        const Result result{PQexec(handle(), commands.c_str())};
        if (PQresultStatus(result.get()) != PGRES_COMMAND_OK) {
            lost_ = true;
            fail(result.get(), commands);
        }
        // A transaction that a failed statement has spoilt answers COMMIT with ROLLBACK.
        if (commands.ends_with("COMMIT;") &&
            std::string_view{PQcmdStatus(result.get())} != "COMMIT") {
            lost_ = true;
            throw StoreUnavailable{"PostgreSQL: the transaction was rolled back at its commit."};
        }
    }

    const Statement& prepared(std::string_view sql, std::span<const SqlValue> values) {
        const auto found = statements_.find(sql);
        if (found != statements_.end()) {
            if (found->second.types.size() != values.size()) {
                throw std::logic_error{"Not as many values as parameters: " + std::string{sql}};
            }
            return found->second;
        }
        Statement made;
        made.name = "s" + std::to_string(statements_.size());
        for (const auto& value : values) {
            static constexpr Oid types[] = {oidUnknown, oidInt8, oidFloat8, oidText, oidBytea};
            made.types.push_back(types[value.index()]);
        }
        const Result prepared{PQprepare(handle(), made.name.c_str(), withDollars(sql).c_str(),
                                        static_cast<int>(made.types.size()), made.types.data())};
        if (PQresultStatus(prepared.get()) != PGRES_COMMAND_OK) fail(prepared.get(), sql);
        const Result described{PQdescribePrepared(handle(), made.name.c_str())};
        if (PQresultStatus(described.get()) != PGRES_COMMAND_OK) fail(described.get(), sql);
        if (PQnparams(described.get()) != static_cast<int>(values.size())) {
            throw std::logic_error{"Not as many values as parameters: " + std::string{sql}};
        }
        for (std::size_t index = 0; index < made.types.size(); ++index) {
            made.types[index] = PQparamtype(described.get(), static_cast<int>(index));
        }
        return statements_.emplace(std::string{sql}, std::move(made)).first->second;
    }

    static void give(const PGresult* result, const RowSink& row) {
        if (!row) return;
        Row view{result};
        const int rows = PQntuples(result);
        for (int index = 0; index < rows; ++index) {
            view.moveTo(index);
            row(view);
        }
    }

    static std::int64_t changed(PGresult* result) {
        if (std::string_view{PQcmdStatus(result)}.starts_with("SELECT")) return 0;
        const std::string_view count = PQcmdTuples(result);
        std::int64_t value = 0;
        std::from_chars(count.data(), count.data() + count.size(), value);
        return value;
    }

    void runPipeline(const Statement& statement, std::string_view sql, std::size_t columns,
                     std::span<const SqlValue> values) {
        if (!PQenterPipelineMode(handle())) fail(nullptr, sql);
        const std::size_t rows = values.size() / columns;
        bool isSent = true;
        for (std::size_t row = 0; row < rows && isSent; ++row) {
            parameters_.fill(values.subspan(row * columns, columns), statement.types);
            isSent = PQsendQueryPrepared(handle(), statement.name.c_str(),
                                         static_cast<int>(columns), parameters_.pointers(),
                                         parameters_.lengths(), parameters_.formats(), 1) != 0;
        }
        isSent = isSent && PQpipelineSync(handle()) != 0;
        if (!isSent) {
            lost_ = true;
            fail(nullptr, sql);
        }

        // For each row a result and a null; then that of the sync. After the first failure the
        // server skips the others.
        Result failure;
        for (;;) {
            Result result{PQgetResult(handle())};
            if (!result) {
                if (PQstatus(handle()) == CONNECTION_OK) continue;
                lost_ = true;
                fail(failure.get(), sql);
            }
            const auto status = PQresultStatus(result.get());
            if (status == PGRES_PIPELINE_SYNC) break;
            const bool isFine = status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
            if (!isFine && !failure && status != PGRES_PIPELINE_ABORTED)
                failure = std::move(result);
        }
        if (!PQexitPipelineMode(handle())) {
            lost_ = true;
            fail(nullptr, sql);
        }
        if (failure) fail(failure.get(), sql);
    }

    Handle handle_;
    const bool isWriter_;
    std::string deferred_;
    Parameters parameters_;
    std::unordered_map<std::string, Statement, TextHash, std::equal_to<>> statements_;
    bool lost_ = false;
};

class PostgresConnector final : public Connector {
public:
    explicit PostgresConnector(std::string conninfo) : conninfo_{std::move(conninfo)} {}
    Dialect dialect() const override { return Dialect::Postgres; }
    bool hasReaders() const override { return true; }
    std::unique_ptr<NativeConnection> connect(Role role) override {
        return std::make_unique<PostgresConnection>(conninfo_, role);
    }

private:
    const std::string conninfo_;
};

}  // namespace

std::unique_ptr<Connector> makePostgresConnector(const std::string& conninfo) {
    return std::make_unique<PostgresConnector>(conninfo);
}

}  // namespace epode
