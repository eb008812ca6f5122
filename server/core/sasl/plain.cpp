#include "core/sasl/plain.h"

#include <utility>

namespace epode::sasl {

namespace {

Failure malformed() { return {Condition::MalformedRequest, "This is no message of PLAIN."}; }

}  // namespace

Plain::~Plain() { wipe(password_); }

Step Plain::step(std::string_view bytes) {
    if (std::exchange(state_, State::Done) != State::Message) return malformed();
    const auto first = bytes.find('\0');
    if (first == std::string_view::npos) return malformed();
    const auto second = bytes.find('\0', first + 1);
    if (second == std::string_view::npos) return malformed();
    const auto authzid = bytes.substr(0, first);
    const auto username = bytes.substr(first + 1, second - first - 1);
    const auto password = bytes.substr(second + 1);
    if (username.empty() || password.empty() || password.find('\0') != std::string_view::npos) {
        return malformed();
    }

    auto account = findAccount(setup_, username, authzid);
    if (auto* failure = std::get_if<Failure>(&account)) return std::move(*failure);
    account_ = std::move(std::get<Jid>(account));
    password_ = password;
    state_ = State::Lookup;
    return NeedCredentials{std::string{account_.local()}, true};
}

Step Plain::proceed(const Credentials* found) {
    if (std::exchange(state_, State::Done) != State::Lookup) return malformed();
    // A password is salted for nobody's keys too: it takes the time that it takes for an account.
    const bool isKnown = found && !found->keys.empty();
    const auto keys =
        isKnown ? found->keys.front() : keysOfNobody(setup_, Hash::Sha256, account_.text());
    const bool isRight = isPasswordOf(keys, password_);
    wipe(password_);
    if (!isKnown || !isRight) return notAuthorized();
    return admit(*found, account_);
}

}  // namespace epode::sasl
