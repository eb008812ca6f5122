// What a stranger can make grow in rooms, with its bounds, and how rooms are made.
#pragma once

#include "core/option.h"

#include <cstdint>
#include <string>
#include <vector>

namespace epode::muc {

struct Limits {
    std::size_t nickBytesMax;
    std::size_t subjectBytesMax;
    std::size_t reasonBytesMax;
    std::size_t nameBytesMax;
    std::size_t affiliationsMax;
    std::int64_t roomsMax;
    std::size_t occupantsMax;
    std::size_t historyMax;
    std::size_t vcardBytesMax;
    std::size_t pageMax;
    std::size_t listItemsMax;
    std::int64_t actionsPerMinute;
    std::size_t presenceBytesMax;
    std::int64_t auditDays;
    bool refusesConfusable;
    bool archivesNew;
    std::string creators;
    std::string preset;

    Limits(const Settings& settings, const std::string& host);
};

std::vector<OptionRef> options();

extern const Option<std::string> domainOption;
extern const Option<std::string> nameOption;

// Beyond the options: what no sensible request needs.
inline constexpr std::size_t listBytesMax = 200'000;  // of a list in one answer, about
inline constexpr std::size_t itemsMax = 500;          // changed in one request
inline constexpr std::size_t invitationsMax = 20;     // in one message
inline constexpr std::size_t ownersBeyondMax = 20;    // owners and admins who enter a full room
inline constexpr std::size_t sessionsMax = 16;        // of one person under one nick

}  // namespace epode::muc
