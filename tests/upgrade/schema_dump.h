// Dumps of a database's schema and rows as SQL, so that what a released version has left behind can
// be laid down again; and a description of a schema, by which two of them are compared.
#pragma once

#include "tests/store/databases.h"

#include <string>

namespace epode {

// All tables with their rows, as statements that end with ';'.
std::string dumpOf(Setup& setup);

// Into an empty database.
void loadDump(Setup& setup, const std::string& dump);

// Every table, column, index and constraint, a line for each, in an order that doesn't depend on
// how the schema came about. (With SQLite a column that was added by a migration stands last in its
// table, so the order of migrations counts, which is the same for all.)
std::string describeSchema(Setup& setup);

}  // namespace epode
