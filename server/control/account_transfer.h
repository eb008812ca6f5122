// Accounts out of this server and into it, in files of XEP-0227.
#pragma once

#include "control/account_file.h"
#include "route/account_data.h"
#include "store/archive_store.h"

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace epode {

class Server;

// What was found where.
struct TransferRow {
    std::string where;  // a plugin, or "server"
    std::string what;
    std::int64_t done = 0;
    std::int64_t refused = 0;
};
struct TransferReport {
    std::vector<TransferRow> rows;
    std::vector<std::string> warnings;
    std::int64_t accounts = 0;

    void count(const std::string& where, const std::string& what, DataCount count);
};

// Awaited on a shard, as all that follows. Nothing: there is no such account. The sink gets a whole
// document.
Task<std::optional<TransferReport>> exportAccount(Server& server, std::vector<OwnedData> kinds,
                                                  Jid jid, AccountSink& sink);

// Makes the accounts of a file, or the one of them that is asked for. An account is taken as a
// whole or not at all: one that exists is left as it is, and one that can't be stored is removed
// again. Throws AccountFileError before anything is made when the file can't be read to its end, and
// when `progress` says that nobody waits any more.
Task<TransferReport> importAccounts(Server& server, std::vector<OwnedData> kinds,
                                    std::filesystem::path file, std::optional<Jid> only,
                                    std::function<bool(std::int64_t accounts)> progress = {});

// Removes the account. The report has what was found of it, and a warning for whatever is still
// there.
Task<std::optional<TransferReport>> eraseAccount(Server& server, std::vector<OwnedData> kinds,
                                                 Jid jid);

// The messages of an account, which are many.
Task<std::int64_t> exportWaiting(AccountRef account, AccountSink& sink);
Task<std::int64_t> exportArchive(AccountRef account, AccountSink& sink);

// Puts the messages of one account into its log, in the order of the file.
class ArchiveImport {
public:
    ArchiveImport(AccountRef account);
    // One of <offline-messages/>: waits for a client.
    bool addWaiting(const Element& message);
    // One of <archive/>. False: it is no message with a time.
    bool add(const Element& result);
    // What waits and is not in the archive goes last.
    void finish();
    // Until fewer than some are on their way to the database; throws when one could not be stored.
    Task<void> settle(std::size_t most);

    std::int64_t archived() const { return archived_; }
    std::int64_t waiting() const { return waitingCount_; }

private:
    struct Waiting {
        std::int64_t stamp;
        std::string id;  // of our own archive, or empty
        ArchiveEntry entry;
        std::string peer;
    };
    struct Writing;
    void append(ArchiveEntry entry, std::string peer, std::int64_t stamp);

    AccountRef account_;
    std::int64_t last_ = 0;
    std::int64_t archived_ = 0;
    std::int64_t waitingCount_ = 0;
    std::deque<Waiting> waiting_;  // by stamp
    std::shared_ptr<Writing> writing_;
};

}  // namespace epode
