#include "cli/presence.h"

#include "cli/archive.h"

#include <algorithm>

namespace epode::cli {

using namespace std::chrono_literals;

void announce(Connection& connection, long priority, Carbons carbons) {
    if (carbons == Carbons::On) {
        connection.send(
            Stanza{"iq"}.set("type", "set").set("id", newId()).add(Stanza{"enable", ns::carbons}));
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

bool RecentIds::insert(const std::string& id) {
    constexpr std::size_t most = 5000;
    if (!ids_.insert(id).second) return false;
    order_.push_back(id);
    if (order_.size() > most) {
        ids_.erase(order_.front());
        order_.pop_front();
    }
    return true;
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
        } catch (const Failure&) {
            break;
        }
    }
    return missed;
}

}  // namespace epode::cli
