// Numbered changes of the schema.
#pragma once

#include "core/time.h"
#include "store/sql.h"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

// One step, for both dialects. `component` is "core" or a plugin's name; each has its own
// numbering, from 1 without gaps. `sql` holds statements, each ended by ';', with text in {braces}
// that differs between the dialects:
//
//     {id}         a primary key that numbers itself and never uses a number again
//     {sequence}   the same, cheaper: the number of a row that was deleted may come again
//     {bigint}     a whole number; also for stamps (milliseconds) and flags
//     {text}       text that is compared and sorted by its bytes
//     {blob}       bytes
//     {clustered}  after the closing bracket of a table: rows are kept in the order of their key
//     {now}        the time in milliseconds since 1970
struct Migration {
    std::string_view component;
    int number;
    std::string_view summary;
    std::string_view sql;
};

// The text of a migration for a dialect, cut into statements. Throws std::logic_error for braces
// that are not known.
std::vector<std::string> statementsOf(std::string_view sql, Dialect dialect);

// One that the database has.
struct AppliedMigration {
    std::string component;
    int number;
    std::string summary;
    WallTime applied;
};

// By component and number; none when the database is new.
std::vector<AppliedMigration> appliedMigrations(SqlConnection& connection);

// Those of `known` that were not applied yet, by component and number. Throws std::runtime_error
// when the database has a version of a component that `known` does not reach, or `known` has gaps.
// Components that `known` does not mention are left alone.
std::vector<Migration> missingMigrations(SqlConnection& connection,
                                         std::span<const Migration> known);

}  // namespace epode
