// What the operator decides about moderation.
#pragma once

#include "room_rules.h"

#include "core/option.h"

#include <cstdint>
#include <string>
#include <vector>

namespace epode::moderation {

struct Policy {
    enum class Links : std::uint8_t { Pass, Remote, All };

    RoomDefaults rooms;
    std::int64_t requestsTo;    // subscription requests of strangers in an hour: to one account
    std::int64_t requestsFrom;  // by one address
    std::int64_t requestsOf;    // by one foreign domain
    Links links;                // whose first messages may have none
    std::int64_t knownMax;
    std::int64_t blockedMax;
    std::vector<std::string> publishedLists;  // "service/node"

    Policy(const Settings& settings, const std::string& host);
};

std::vector<OptionRef> options();

}  // namespace epode::moderation
