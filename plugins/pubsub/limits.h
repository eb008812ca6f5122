// What a stranger can make grow, with its bounds.
#pragma once

#include "core/option.h"

#include <cstdint>
#include <string>
#include <vector>

namespace epode::pubsub {

struct Limits {
    std::int64_t nodesMax;
    std::int64_t itemsMax;
    std::int64_t itemBytesMax;
    std::int64_t bytesMax;
    std::size_t subscriptionsMax;
    std::size_t pendingMax;
    std::size_t affiliationsMax;
    std::int64_t pageMax;
    std::size_t watchersMax;
    std::string creators;

    Limits(const Settings& settings, const std::string& host);
};

// All of the plugin.
std::vector<OptionRef> options();

extern const Option<std::string> domainOption;
extern const Option<std::int64_t> cachedMax;
extern const Option<std::int64_t> capsMax;
extern const Option<bool> tellsOfAbsent;

// Beyond the options: what no sensible request needs.
inline constexpr std::size_t nameBytesMax = 1023;  // of nodes and items
inline constexpr std::size_t idsMax = 200;         // items named in one request
inline constexpr std::size_t perEntityMax = 20;    // subscriptions of one entity to a node
inline constexpr std::size_t peopleMax = 500;      // changed in one request
// One answer. A client's parser has a limit, too.
inline constexpr std::size_t pageBytesMax = 200 * 1024;

}  // namespace epode::pubsub
