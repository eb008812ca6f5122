// What a link sends on: a connection of ours (`remote_outgoing.h`), or the way back on one that the
// other server has made (`remote_reverse.h`).
#pragma once

#include "core/stanza.h"
#include "core/stream_error.h"
#include "core/time.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace epode {

class RemoteCarrier {
public:
    virtual ~RemoteCarrier() = default;

    // The link has something to send, or to verify.
    virtual void goOn() = 0;
    virtual void write(const Stanza& stanza, std::string_view insertion) = 0;
    // Asks for an acknowledgement.
    virtual void ask() = 0;
    virtual bool takesVerifications() const = 0;
    virtual void verify(const std::string& id, const std::string& key) = 0;
    // Bytes that the other server hasn't taken yet.
    virtual std::size_t pendingBytes() = 0;
    // Nothing more is told to the link.
    virtual void forgetLink() = 0;
    // It is not needed any more.
    virtual void dismiss() = 0;
    virtual void endWith(const StreamError& error) = 0;

    // For operators.
    struct Status {
        bool isOver = false;
        bool isSecured = false;
        std::string address;
        std::string shownBy;
        WallTime since{};
    };
    virtual Status status() const = 0;
};

}  // namespace epode
