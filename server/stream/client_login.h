// What a stream needs until somebody has logged in on it: STARTTLS and SASL (RFC 6120, 5 and 6), and
// requests before login (in-band registration). Freed when the session begins.
#pragma once

#include "core/element.h"
#include "core/executor.h"
#include "core/sasl/mechanisms.h"
#include "core/task.h"
#include "route/state_slots.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

class ClientStream;

class ClientLogin : public std::enable_shared_from_this<ClientLogin> {
public:
    explicit ClientLogin(ClientStream& stream);

    // The TLS handshake has ended.
    void secured();
    // Adds STARTTLS, the mechanisms and the channel bindings (XEP-0440) to the features.
    void addFeatures(Element& features);
    // An element of a client that hasn't logged in.
    void receive(Document element);

    // The stream goes to another shard, or is gone: no timer of ours fires any more. After `arrive` they
    // run again.
    void leave();
    void arrive();
    void streamGone() {
        leave();
        gone_ = true;
    }

    Timer timer;  // for what the negotiation waits for after login
    StateSlots slots;

private:
    void startTls();
    void authenticate(const Element& auth);
    void respond(const Element& response);
    void take(sasl::Step step);
    bool isOver() const;
    Task<void> lookUp(sasl::NeedCredentials needed);
    void succeed(const sasl::Success& success);
    void fail(sasl::Condition condition, std::string_view text);
    void receiveIq(Document element);

    ClientStream& stream_;
    Timer timeout_;
    sasl::Setup setup_;
    std::unique_ptr<sasl::Mechanism> mechanism_;
    std::string username_;  // of the attempt under way
    int failures_ = 0;
    bool gone_ = false;  // the stream doesn't exist any more
};

}  // namespace epode
