// What the engine needs of SQLite and PostgreSQL beside statements. Nobody above this floor sees
// it.
#pragma once

#include "store/long_work.h"
#include "store/sql.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

class NativeConnection : public SqlConnection {
public:
    virtual void begin() = 0;
    virtual void commit() = 0;
    virtual void rollback() noexcept = 0;

    // One level is enough: works do not nest.
    virtual void setSavepoint() = 0;
    virtual void releaseSavepoint() = 0;
    virtual void rollbackToSavepoint() = 0;

    // After an exception: the transaction as a whole is lost (full, gone, shut down). Else only the
    // statement failed, and rollbackToSavepoint() saves the rest.
    virtual bool isTransactionLost() const = 0;
    // The connection is of no use any more and is to be replaced.
    virtual bool isGone() const = 0;
    // Stores something small and takes it away again; throws StoreUnavailable when that fails.
    virtual void probe() = 0;

    // A statement of a migration: runs once and is not kept.
    virtual void runOnce(const std::string& sql) = 0;

    virtual void backup(const std::string& path, const LongWork& work) = 0;
    virtual std::vector<std::string> verify(const LongWork& work) = 0;
};

// Makes connections to one database. Thread-safe.
class Connector {
public:
    enum class Role { Writer, Reader };
    virtual ~Connector() = default;
    virtual Dialect dialect() const = 0;
    // Throws StoreUnavailable.
    virtual std::unique_ptr<NativeConnection> connect(Role role) = 0;
    // False when all work has to go through one connection (SQLite in memory).
    virtual bool hasReaders() const = 0;
    // SQLite's write-ahead log is copied into its file beside the writer; the rest of it, when few
    // pages are left, between two transactions.
    virtual bool wantsCheckpoint() const { return false; }
    virtual void checkpointBeside() {}
    virtual void checkpointRest(NativeConnection& writer) {}
};

std::unique_ptr<Connector> makeSqliteConnector(const std::string& path, bool syncs);
std::unique_ptr<Connector> makePostgresConnector(const std::string& conninfo);

}  // namespace epode
