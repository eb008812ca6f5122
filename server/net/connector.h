// Connects to an address, for streams to other servers.
#pragma once

#include "net/event_loop.h"
#include "net/ip_address.h"
#include "net/transport.h"

#include <functional>
#include <memory>
#include <string>

namespace epode {

// One attempt; dropping it gives it up. Own thread.
class Connector final : private EventLoop::Source {
public:
    // With a transport whose user must be set, or with none and the reason. Called once, in a later
    // turn; may drop the connector.
    using Done =
        UniqueFunction<void(std::unique_ptr<Transport> transport, std::string_view problem)>;

    Connector(EventLoop& loop, const IpAddress& address, Duration timeout, Done done);
    ~Connector();
    Connector(const Connector&) = delete;
    Connector& operator=(const Connector&) = delete;

private:
    void onReady(std::uint32_t events) override;
    void fail(int error);

    EventLoop& loop_;
    const IpAddress address_;
    Done done_;
    Fd socket_;
    Timer timeout_;
    EventLoop::Handle handle_ = 0;
};

}  // namespace epode
