// Being there for a while: announcing oneself, and coming back after a lost connection.
#pragma once

#include "cli/connection.h"
#include "cli/message.h"

#include <deque>
#include <functional>
#include <set>
#include <string>
#include <vector>

namespace epode::cli {

enum class Carbons { Off, On };

// Tells the server that this session takes messages (which brings those kept for us), and asks for
// copies of what our other sessions send and receive (XEP-0280); a server without them is fine.
void announce(Connection& connection, long priority, Carbons carbons);

// Connects again and again, with growing pauses, until it works. False by SIGINT or the deadline; a
// Failure when the server refuses for good. `say` tells people, `how` says whether the session went
// on.
bool comeBack(Connection& connection, Deadline deadline,
              const std::function<void(const std::string&)>& say, Connection::Comeback& how);

// What the archive got after the message `archiveId`, the oldest first: as much as could be had, so
// nothing when there is no archive, or it no longer knows that message.
std::vector<Message> missedSince(Connection& connection, const std::string& archiveId);

// Ids that were seen lately: one message may come live, from the offline store, and from the
// archive.
class RecentIds {
public:
    // False when it was there already.
    bool insert(const std::string& id);

private:
    std::set<std::string> ids_;
    std::deque<std::string> order_;
};

// The ends of a wait that is not limited.
inline Deadline never() { return Clock::now() + std::chrono::hours{24 * 365 * 10}; }

}  // namespace epode::cli
