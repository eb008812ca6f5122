// Accepts connections of one address on one loop. Every loop has its own listening socket on the
// address (SO_REUSEPORT), and the kernel spreads the connections over them.
#pragma once

#include "net/address_limit.h"
#include "net/event_loop.h"
#include "net/ip_address.h"
#include "net/transport.h"

#include <functional>
#include <memory>

namespace epode {

class Listener final : private EventLoop::Source {
public:
    // Gets each new connection, on the loop, and must set its user.
    using Accepted = std::function<void(std::unique_ptr<Transport>)>;

    struct Settings {
        IpAddress address;                            // port 0: any; see `port`
        const TlsServerContext* directTls = nullptr;  // TLS from the first byte; outlives this
        std::shared_ptr<AddressLimit> limit;          // null: none
        // The kernel would let another process of the same user, or another door of this one, share
        // the address. The first of the loops makes sure that nobody listens there yet.
        bool isFirst = false;
    };

    // Begins to listen. Own thread, or before the loop runs; so is the end. Throws
    // std::system_error, whose text has the address, when it is in use or not ours.
    Listener(EventLoop& loop, Settings settings, Accepted accepted);
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;

    std::uint16_t port() const { return port_; }

private:
    void onReady(std::uint32_t events) override;
    void admit(Fd socket, const IpAddress& peer);
    void turnAwayOne();
    void pause();

    EventLoop& loop_;
    const Settings settings_;
    const Accepted accepted_;
    Fd socket_;
    // Given up for a moment when there are no descriptors left, so that those who knock are told.
    Fd spare_;
    Timer pause_;
    SteadyTime complained_{};
    EventLoop::Handle handle_ = 0;
    std::uint16_t port_ = 0;
};

}  // namespace epode
