// Reports of spam and abuse with their evidence, as they are stored.
#pragma once

#include "core/task.h"
#include "core/time.h"
#include "store/account_store.h"
#include "store/database.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace epode {

struct ReportedMessage {
    WallTime when{};     // when the reporter's archive got it
    std::string stanza;  // XML, as it was archived
};

struct Report {
    std::int64_t id = 0;
    std::string host;
    std::string reporter;  // bare address
    std::string reported;  // as it was blocked
    std::string reason;    // "urn:xmpp:reporting:spam"
    std::string text;      // what the reporter says, may be empty
    WallTime when{};
    bool mayTellOrigin = false;      // the reporter agrees that the other server is told
    bool mayTellThirdParty = false;  // … that others are told
    std::optional<WallTime> closed;
    std::string note;  // of who closed it
    std::vector<ReportedMessage> messages;
    std::int64_t messageCount = 0;
};

// No call blocks the loop. All throw StoreUnavailable. What writes is durable once its task is
// done.
class ReportStore {
public:
    explicit ReportStore(Database& database) : database_{database} {}

    static const std::vector<const Migration*>& migrations();

    // Its number; nothing when the reporter has `openMax` open reports already.
    Task<std::optional<std::int64_t>> add(Report report, std::int64_t openMax);

    struct Filter {
        std::string host{};  // empty: of all hosts
        bool withClosed = false;
        std::int64_t before = INT64_MAX;  // a number
        std::int64_t most = 100;
    };
    // The newest first, without their messages.
    Task<std::vector<Report>> list(Filter filter);
    Task<std::optional<Report>> find(std::int64_t id);
    // False when there is no such report, or it is closed.
    Task<bool> close(std::int64_t id, std::string note, WallTime now);
    // Deletes at most `most` that are older; how many.
    Task<std::int64_t> expire(WallTime before, std::int64_t most);

private:
    Database& database_;
};

}  // namespace epode
