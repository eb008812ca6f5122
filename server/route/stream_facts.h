// What plugins may know of a stream that is being negotiated.
#pragma once

#include "route/state_slots.h"

#include <string>
#include <string_view>

namespace epode {

class Host;
class Shard;

class StreamFacts {
public:
    virtual ~StreamFacts() = default;
    virtual Host& host() const = 0;
    virtual Shard& shard() const = 0;
    virtual bool isSecure() const = 0;
    virtual bool isAuthenticated() const = 0;
    virtual std::string peerAddress() const = 0;
    // What plugins keep of it until somebody has logged in; null afterwards.
    virtual StateSlots* slots() const = 0;
};

}  // namespace epode
