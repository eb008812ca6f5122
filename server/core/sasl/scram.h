// SCRAM (RFC 5802, RFC 7677), server side, with channel binding and the downgrade protection of
// XEP-0474.
#pragma once

#include "core/sasl/account.h"
#include "core/sasl/scram_message.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace epode::sasl {

class Scram final : public Mechanism {
public:
    enum class Plus : bool { No, Yes };

    Scram(const Setup& setup, Hash hash, Plus plus);
    ~Scram() override;

    std::string_view name() const override { return name_; }
    Step step(std::string_view bytes) override;
    Step proceed(const Credentials* found) override;

private:
    enum class State : std::uint8_t { First, Lookup, Final, Done };

    Step readFirst(std::string_view bytes);
    Step readFinal(std::string_view bytes);
    std::optional<Failure> checkBinding(const ClientFirst& message) const;
    const ChannelBinding* bindingOf(std::string_view type) const;

    const Setup& setup_;
    const Hash hash_;
    const Plus plus_;
    const std::string name_;
    State state_ = State::First;

    Jid account_;
    Credentials credentials_;   // of the account; without keys when there is none
    ScramKeys keys_;            // its keys, or nobody's
    std::string bindingInput_;  // what `c=` has to be
    std::string nonce_;         // the client's, then both
    std::string messages_;      // the bare first message, then both first messages
};

}  // namespace epode::sasl
