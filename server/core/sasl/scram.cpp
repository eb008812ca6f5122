#include "core/sasl/scram.h"

#include "core/base64.h"
#include "core/random.h"

#include <algorithm>
#include <utility>

namespace epode::sasl {

namespace {

Failure malformed() { return {Condition::MalformedRequest, "This is no message of SCRAM."}; }

}  // namespace

Scram::Scram(const Setup& setup, Hash hash, Plus plus)
    : setup_{setup},
      hash_{hash},
      plus_{plus},
      name_{std::string{scramName(hash)} + (plus == Plus::Yes ? "-PLUS" : "")} {}

Scram::~Scram() {
    wipe(keys_.storedKey);
    wipe(keys_.serverKey);
}

Step Scram::step(std::string_view bytes) {
    const auto state = std::exchange(state_, State::Done);
    switch (state) {
        case State::First:
            return readFirst(bytes);
        case State::Final:
            return readFinal(bytes);
        case State::Lookup:
        case State::Done:
            break;
    }
    return malformed();
}

Step Scram::readFirst(std::string_view bytes) {
    const auto message = readClientFirst(bytes);
    if (!message) return malformed();
    if (auto failure = checkBinding(*message)) return std::move(*failure);
    auto account = findAccount(setup_, message->username, message->authzid);
    if (auto* failure = std::get_if<Failure>(&account)) return std::move(*failure);
    account_ = std::move(std::get<Jid>(account));

    bindingInput_ = message->gs2Header;
    if (plus_ == Plus::Yes) bindingInput_ += bindingOf(message->bindingType)->data;
    nonce_ = message->nonce;
    messages_ = message->bare;
    state_ = State::Lookup;
    return NeedCredentials{std::string{account_.local()}};
}

// RFC 5802, 6.
std::optional<Failure> Scram::checkBinding(const ClientFirst& message) const {
    using Binding = ClientFirst::Binding;
    const bool isUsed = message.binding == Binding::Used;
    if (isUsed != (plus_ == Plus::Yes)) {
        return Failure{Condition::MalformedRequest,
                       "The channel binding flag does not fit the mechanism " + name_ + "."};
    }
    if (isUsed && !bindingOf(message.bindingType)) {
        return Failure{Condition::NotAuthorized, "This type of channel binding was not offered."};
    }
    const auto& offered = setup_.offered;
    const bool isPlusOffered = std::any_of(
        offered.begin(), offered.end(), [](const auto& name) { return name.ends_with("-PLUS"); });
    // Somebody between us has removed the offer.
    if (message.binding == Binding::NotOffered && isPlusOffered) {
        return Failure{Condition::NotAuthorized, "Channel binding was offered."};
    }
    return std::nullopt;
}

const ChannelBinding* Scram::bindingOf(std::string_view type) const {
    for (const auto& binding : setup_.bindings) {
        if (binding.type == type) return &binding;
    }
    return nullptr;
}

Step Scram::proceed(const Credentials* found) {
    if (std::exchange(state_, State::Done) != State::Lookup) return malformed();

    // Made for everybody, so that it takes the same time with and without an account.
    keys_ = keysOfNobody(setup_, hash_, account_.text());
    if (found) {
        credentials_.state = found->state;
        if (const auto* keys = keysOf(*found, hash_)) {
            keys_ = *keys;
            credentials_.keys = {*keys};
        }
    }

    nonce_ += setup_.nonce.empty() ? randomId() : setup_.nonce;
    std::string message =
        "r=" + nonce_ + ",s=" + encodeBase64(keys_.salt) + ",i=" + std::to_string(keys_.iterations);
    if (setup_.protection == DowngradeProtection::On) {
        std::vector<std::string> types;
        for (const auto& binding : setup_.bindings) types.push_back(binding.type);
        message += ",h=" + downgradeHash(hash_, setup_.offered, std::move(types));
    }
    messages_.append(",").append(message);
    state_ = State::Final;
    return Challenge{std::move(message)};
}

Step Scram::readFinal(std::string_view bytes) {
    const auto message = readClientFinal(bytes);
    if (!message || message->nonce != nonce_) return malformed();
    if (message->proof.size() != bytesOf(hash_)) return malformed();
    if (!equalInConstantTime(message->binding, bindingInput_)) {
        return Failure{Condition::NotAuthorized, "The channel binding does not match."};
    }

    messages_.append(",").append(message->withoutProof);
    auto clientKey = hmac(hash_, keys_.storedKey, messages_);
    for (std::size_t i = 0; i < clientKey.size(); ++i) clientKey[i] ^= message->proof[i];
    const bool isProven = equalInConstantTime(digest(hash_, clientKey), keys_.storedKey);
    wipe(clientKey);
    if (!isProven || credentials_.keys.empty()) return notAuthorized();

    return admit(credentials_, account_,
                 "v=" + encodeBase64(hmac(hash_, keys_.serverKey, messages_)));
}

}  // namespace epode::sasl
