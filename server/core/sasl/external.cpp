#include "core/sasl/external.h"

#include <utility>

namespace epode::sasl {

namespace {

Failure invalidAuthzid(const char* text) { return {Condition::InvalidAuthzid, text}; }

}  // namespace

Step External::step(std::string_view bytes) {
    if (std::exchange(state_, State::Done) != State::Message) {
        return Failure{Condition::MalformedRequest, "EXTERNAL has one message alone."};
    }
    const auto wanted = Jid::parse(bytes);
    if (!bytes.empty() && !wanted) {
        return invalidAuthzid("The authorization identity is no address.");
    }

    std::size_t fitting = 0;
    for (const auto& identity : setup_.certificateIdentities) {
        if (!isCandidate(identity) || (wanted && identity != *wanted)) continue;
        if (identity == account_) continue;  // a certificate may name somebody twice
        account_ = identity;
        ++fitting;
    }
    if (fitting == 0 && wanted) return invalidAuthzid("The certificate names somebody else.");
    if (fitting == 0) {
        return Failure{Condition::NotAuthorized, "The certificate names nobody here."};
    }
    if (fitting > 1) return invalidAuthzid("The certificate names several: say which.");

    if (!account_.hasLocal()) return Success{{}, account_};
    state_ = State::Lookup;
    return NeedCredentials{std::string{account_.local()}};
}

Step External::proceed(const Credentials* found) {
    if (std::exchange(state_, State::Done) != State::Lookup) {
        return Failure{Condition::MalformedRequest, "EXTERNAL has one message alone."};
    }
    if (!found) return Failure{Condition::NotAuthorized, "The certificate names nobody here."};
    // Whoever has the key needs no password, so an expired one doesn't matter.
    Credentials credentials = *found;
    if (credentials.state == AccountState::PasswordExpired) {
        credentials.state = AccountState::Active;
    }
    return admit(credentials, account_);
}

}  // namespace epode::sasl
