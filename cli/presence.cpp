#include "cli/presence.h"

#include "cli/archive.h"

#include <algorithm>

namespace epode::cli {

using namespace std::chrono_literals;

void announce(Connection& connection, long priority, Carbons carbons) {
    if (carbons == Carbons::On) {
        try {
            connection.ask(Stanza{"iq"}.set("type", "set").add(Stanza{"enable", ns::carbons}));
        } catch (const Failure& failure) {
            if (failure.code != ExitCode::Refused) throw;
        }
    }
    Stanza presence{"presence"};
    if (priority != 0) presence.addText("priority", std::to_string(priority));
    connection.send(presence);
}

bool comeBack(Connection& connection, Deadline deadline,
              const std::function<void(const std::string&)>& say, Connection::Comeback& how) {
    say("-- connection lost: " + connection.lossReason() + "; trying again");
    Clock::duration pause = 250ms;
    for (;;) {
        if (connection.idleUntil(std::min(deadline, Clock::now() + pause)) == Wait::Interrupted ||
            Clock::now() >= deadline) {
            return false;
        }
        try {
            how = connection.reconnect();
            say("-- connected again");
            return true;
        } catch (const Failure& failure) {
            if (failure.code != ExitCode::NoConnection) throw;
        }
        pause = std::min<Clock::duration>(pause * 2, 30s);
    }
}

std::vector<Message> missedSince(Connection& connection, const std::string& archiveId) {
    std::vector<Message> missed;
    ArchiveQuery query;
    query.after = archiveId;
    query.limit = 100;
    while (!query.after.empty()) {
        try {
            auto page = fetchPage(connection, query);
            missed.insert(missed.end(), page.messages.begin(), page.messages.end());
            query.after = page.isComplete ? std::string{} : page.last;
        } catch (const Failure& failure) {
            if (failure.code != ExitCode::Refused) throw;
            break;
        }
    }
    return missed;
}

}  // namespace epode::cli
