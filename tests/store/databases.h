// The databases that every store is tested over.
#pragma once

#include "store/open_database.h"
#include "store/stores.h"
#include "tests/support/catch.h"
#include "tests/support/postgres.h"
#include "tests/support/test_executor.h"

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace epode {

// A folder that goes away with its owner.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "epode-XXXXXX").string();
        if (!::mkdtemp(name.data())) throw std::runtime_error{"no temporary folder"};
        path_ = name;
    }
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }
    std::string file(const std::string& name) const { return path_ + "/" + name; }

private:
    std::string path_;
};

enum class Kind { Memory, Disk, Postgres };

// One empty database and an executor. Not yet opened: a test may change the settings first.
class Setup {
public:
    explicit Setup(Kind kind) {
        settings.linger = Duration{0};
        settings.retryFirst = std::chrono::milliseconds{5};
        settings.retryMost = std::chrono::milliseconds{20};
        if (kind == Kind::Memory) {
            settings.location = ":memory:";
            settings.threads = ThreadModel::Inline;
        } else if (kind == Kind::Disk) {
            settings.location = folder_.file("test.db");
        } else {
            settings.location = PostgresCluster::find()->freshSchema();
        }
    }

    Database& database() {
        if (!database_) database_ = openDatabase(settings);
        return *database_;
    }
    Stores& stores() {
        if (!stores_) stores_ = std::make_unique<Stores>(database());
        return *stores_;
    }
    // Opens the same database again (not for one in memory).
    void reopen() {
        if (database_) database_->close();
        crash();
    }
    // The same without the orderly end.
    void crash() {
        stores_.reset();
        database_.reset();
    }
    template <typename T>
    auto await(Task<T> task) {
        return executor.await(std::move(task));
    }

    DatabaseSettings settings;
    TestExecutor executor;
    const TemporaryFolder& folder() const { return folder_; }

private:
    TemporaryFolder folder_;
    std::unique_ptr<Database> database_;
    std::unique_ptr<Stores> stores_;
};

// Runs `test` over each database, as a section of its own.
inline void overDatabases(std::vector<Kind> kinds, const std::function<void(Setup&)>& test) {
    static const char* const names[] = {"SQLite in memory", "SQLite on disk", "PostgreSQL"};
    for (const Kind kind : kinds) {
        DYNAMIC_SECTION(names[static_cast<int>(kind)]) {
            if (kind == Kind::Postgres && !PostgresCluster::find()) {
                WARN("PostgreSQL is not installed: skipped. (apt-get install postgresql)");
                return;
            }
            Setup setup{kind};
            test(setup);
        }
    }
}

inline void overAllDatabases(const std::function<void(Setup&)>& test) {
    overDatabases({Kind::Memory, Kind::Disk, Kind::Postgres}, test);
}

}  // namespace epode
