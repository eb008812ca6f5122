// Where a session writes to: the stream that is attached to it at the moment.
#pragma once

#include "core/stream_error.h"

#include <string>
#include <string_view>

namespace epode {

class Outlet {
public:
    virtual ~Outlet() = default;
    // Whole stanzas and stream management elements are appended; they leave at the end of the turn.
    virtual std::string& output() = 0;
    virtual void wantFlush() = 0;
    // Namespace that the stream declares for stanzas ("jabber:client"), or "" when each stanza has to.
    virtual std::string_view streamNs() const = 0;
    // Bytes that the client has not taken yet.
    virtual std::size_t unsentBytes() const = 0;
    // Ends the stream with an error; the outlet is detached from its session when this returns.
    virtual void end(const StreamError& error) = 0;
    // For a stop of the server. Nothing more is read; then the connection ends without a word, as one
    // that was lost: a stream that is closed is not resumed (XEP-0198, 7). The outlet is detached from
    // its session when `interrupt` returns.
    virtual void stopReading() = 0;
    virtual void interrupt() = 0;
    virtual std::string peerAddress() const = 0;
    virtual bool isSecure() const = 0;
};

}  // namespace epode
