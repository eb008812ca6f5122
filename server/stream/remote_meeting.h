// After a link was broken, people here and there may have a wrong idea of who is online: presence
// is not kept for who is away. The accounts of a shard ask and tell their contacts there anew.
#pragma once

#include "core/executor.h"
#include "core/time.h"

#include <set>
#include <string>
#include <vector>

namespace epode {

class Shard;

class RemoteMeeting {
public:
    explicit RemoteMeeting(Shard& shard) : shard_{shard} {}

    void add(const std::string& domain);

private:
    void begin();
    void step();

    Shard& shard_;
    std::set<std::string, std::less<>> wanted_;  // for the next round
    std::set<std::string, std::less<>> domains_;
    std::vector<std::string> accounts_;  // that are still to be looked at
    Timer timer_;
};

}  // namespace epode
