// Reading an account's archive, page by page (XEP-0313, XEP-0059).
#pragma once

#include "cli/connection.h"
#include "cli/message.h"

#include <optional>
#include <string>
#include <vector>

namespace epode::cli {

struct ArchiveQuery {
    std::string with;  // empty: everybody
    std::optional<WallClock::time_point> since;
    std::optional<WallClock::time_point> until;
    // Archive ids: the page before or after one. With neither, the newest page.
    std::string before;
    std::string after;
    enum class From { Newest, Oldest } from = From::Newest;
    long limit = 50;
};

struct ArchivePage {
    std::vector<Message> messages;  // the oldest first
    std::string first;              // archive ids of the page's ends
    std::string last;
    bool isComplete = false;  // nothing lies beyond the page
};

// A Failure when the server refuses or keeps no archive. Live stanzas that come meanwhile go where
// they go otherwise.
ArchivePage fetchPage(Connection& connection, const ArchiveQuery& query);

}  // namespace epode::cli
