// SQL as the stores write it: one text for SQLite and PostgreSQL, values by position, rows by a
// call for each.
#pragma once

#include "store/function_ref.h"

#include <cstdint>
#include <initializer_list>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>

namespace epode {

// The database does not answer, is full, or refused the transaction. Nothing of it was stored.
class StoreUnavailable : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// A unique key is taken already. It ends the work it is thrown in, whose changes are undone:
// whoever wants to go on asks first, with ON CONFLICT DO NOTHING.
class SqlConflict : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

enum class Dialect { Sqlite, Postgres };

struct Blob {
    std::string_view bytes;
};

// A parameter `?1`… of a statement. Texts and blobs must live until the statement has run. A text
// is UTF-8 without NUL; bytes of strangers go in as a Blob.
using SqlValue = std::variant<std::nullptr_t, std::int64_t, double, std::string_view, Blob>;

// One row of a result while it is being read; views end with the next step. A column that is null
// reads as 0 or empty.
class SqlRow {
public:
    virtual ~SqlRow() = default;
    virtual bool isNull(int column) const = 0;
    virtual std::int64_t integer(int column) const = 0;
    virtual double real(int column) const = 0;
    virtual std::string_view text(int column) const = 0;
    virtual std::string_view blob(int column) const = 0;
};

// A connection, used on a database thread inside `read` or `write`. Statements are written once,
// with
// `?1 ?2 …` for parameters; they are prepared once per connection and kept, so their texts must be
// literals or built from few parts.
class SqlConnection {
public:
    using RowSink = FunctionRef<void(const SqlRow&)>;

    virtual ~SqlConnection() = default;
    virtual Dialect dialect() const = 0;

    // Runs one statement; calls `row` for each row of its result; returns the number of rows
    // changed. Throws SqlConflict when a unique key is violated, else StoreUnavailable. `row` may
    // run other statements, but not this one again.
    virtual std::int64_t run(std::string_view sql, std::span<const SqlValue> parameters,
                             RowSink row = {}) = 0;
    std::int64_t run(std::string_view sql, std::initializer_list<SqlValue> parameters = {},
                     RowSink row = {}) {
        return run(sql, std::span{parameters.begin(), parameters.size()}, row);
    }

    // Runs a statement without result once for each row, as fast as the dialect can: SQLite steps
    // one prepared statement, PostgreSQL sends all through its pipeline. `values` is a matrix,
    // `columns` wide. Throws like `run`, at the first row that fails.
    virtual void runMany(std::string_view sql, std::size_t columns,
                         std::span<const SqlValue> values) = 0;
};

}  // namespace epode
