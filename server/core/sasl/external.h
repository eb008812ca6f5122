// EXTERNAL (RFC 4422, A; XEP-0178): the client is whom its certificate names.
#pragma once

#include "core/sasl/account.h"

#include <cstdint>
#include <string_view>

namespace epode::sasl {

class External final : public Mechanism {
public:
    explicit External(const Setup& setup) : setup_{setup} {}

    std::string_view name() const override { return "EXTERNAL"; }
    Step step(std::string_view bytes) override;
    Step proceed(const Credentials* found) override;

private:
    enum class State : std::uint8_t { Message, Lookup, Done };

    // A client is an account of this domain; a certificate of a server makes nobody a client.
    bool isCandidate(const Jid& identity) const {
        if (setup_.peer == Peer::Server) return identity.isDomain();
        return identity.isBare() && identity.hasLocal() && identity.domain() == setup_.domain;
    }

    const Setup& setup_;
    State state_ = State::Message;
    Jid account_;
};

}  // namespace epode::sasl
