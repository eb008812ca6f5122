// The keys of session tickets (RFC 5077, RFC 8446, 4.6.1). A ticket holds the state of a TLS
// session, sealed by the server, which keeps nothing of it; who steals a key can open the tickets
// made with it. So keys change by time, and tickets of the last key are still good while they last.
#pragma once

#include "core/time.h"

#include <array>
#include <mutex>
#include <optional>
#include <string_view>

struct ssl_ctx_st;

namespace epode {

class TicketKeys {
public:
    static constexpr Duration lifetime =
        std::chrono::hours{12};  // of a ticket; a key makes them as long

    using Now = SteadyTime (*)();
    explicit TicketKeys(Now now = [] { return SteadyTime{std::chrono::steady_clock::now()}; });
    ~TicketKeys();
    TicketKeys(const TicketKeys&) = delete;
    TicketKeys& operator=(const TicketKeys&) = delete;

    struct Key {
        std::array<unsigned char, 16> name;
        std::array<unsigned char, 32> cipher;
        std::array<unsigned char, 32> mac;
    };
    // The key for new tickets. From any thread.
    Key current();
    // The one of a ticket; nothing when it is too old, or not ours. `isCurrent`: else the ticket
    // had better be replaced.
    struct Found {
        Key key;
        bool isCurrent;
    };
    std::optional<Found> find(std::string_view name);

    // Lets a context use these keys, which have to outlive its handshakes.
    void useIn(ssl_ctx_st* context);

private:
    void rotate();

    const Now now_;
    std::mutex mutex_;
    SteadyTime made_;  // the current one
    Key current_;
    std::optional<Key> last_;
};

}  // namespace epode
