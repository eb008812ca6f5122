// How a Database comes to be.
#pragma once

#include "core/option.h"
#include "core/time.h"
#include "store/database.h"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace epode {

enum class ThreadModel {
    Threads,  // a writer, readers and, for SQLite, a checkpointer
    Inline,   // no threads: everything runs in a later turn of the executor that asked, in an order
              // that depends on nothing else. For tests and simulations, on one thread.
};

// SQLite only. Off survives a crash of the server but not of the machine: for tests.
enum class Sync { Full, Off };

struct DatabaseSettings {
    // A path is SQLite's file, ":memory:" a database that nobody else sees and that ends with this
    // object; "postgresql://…" is PostgreSQL, as libpq reads it.
    std::string location;
    ThreadModel threads = ThreadModel::Threads;
    Sync sync = Sync::Full;

    // How long patient work may wait for company, and for how much of it.
    Duration linger = std::chrono::milliseconds{5};
    std::size_t lingerRows = 1024;
    // What may wait for the writer, and for the readers. More is refused with StoreUnavailable.
    std::size_t queueRowsMax = 65536;
    std::size_t queueBytesMax = std::size_t{64} << 20;
    std::size_t queueReadsMax = 65536;
    std::size_t readers = 2;
    // The wait before the database is tried again after it failed: the first, and the longest.
    Duration retryFirst = std::chrono::milliseconds{100};
    Duration retryMost = std::chrono::seconds{2};
};

// Opens or creates; throws StoreUnavailable when that fails.
std::unique_ptr<Database> openDatabase(const DatabaseSettings& settings);

// The options of `[database]` in the configuration, and the settings they make. A relative path is
// below `dataFolder`.
extern const Option<std::string> databaseLocation;
extern const Option<Duration> databaseLinger;
extern const Option<Bytes> databaseQueueBytesMax;
extern const Option<std::int64_t> databaseReaders;
std::vector<OptionRef> databaseOptions();
DatabaseSettings databaseSettings(const Settings& settings, const std::string& dataFolder);

}  // namespace epode
