// PLAIN (RFC 4616): the password as it is, hence inside of TLS alone.
#pragma once

#include "core/sasl/account.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace epode::sasl {

class Plain final : public Mechanism {
public:
    explicit Plain(const Setup& setup) : setup_{setup} {}
    ~Plain() override;

    std::string_view name() const override { return "PLAIN"; }
    Step step(std::string_view bytes) override;
    Step proceed(const Credentials* found) override;

private:
    enum class State : std::uint8_t { Message, Lookup, Done };

    const Setup& setup_;
    State state_ = State::Message;
    Jid account_;
    std::string password_;
};

}  // namespace epode::sasl
