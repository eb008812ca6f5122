// Where connections to other servers come from: sockets, or in tests a simulated network.
#pragma once

#include "core/executor.h"
#include "net/ip_address.h"
#include "net/transport.h"

#include <memory>
#include <string_view>

namespace epode {

class Dialer {
public:
    // An attempt; dropping it gives it up.
    class Attempt {
    public:
        virtual ~Attempt() = default;
    };
    // With a transport whose user must be set, or with none and the reason. Called once, in a later
    // turn; may drop the attempt.
    using Done =
        UniqueFunction<void(std::unique_ptr<Transport> transport, std::string_view problem)>;

    virtual ~Dialer() = default;
    // On the thread of `executor`, where the connection lives.
    virtual std::unique_ptr<Attempt> dial(Executor& executor, const IpAddress& address,
                                          Duration timeout, Done done) = 0;
};

// Executors are event loops.
class SocketDialer final : public Dialer {
public:
    std::unique_ptr<Attempt> dial(Executor& executor, const IpAddress& address, Duration timeout,
                                  Done done) override;
};

}  // namespace epode
