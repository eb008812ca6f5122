#include "core/sasl/account.h"

namespace epode::sasl {

std::variant<Jid, Failure> findAccount(const Setup& setup, std::string_view username,
                                       std::string_view authzid) {
    // A name that can't be prepared is nobody's, so this tells nothing about anybody.
    auto account = username.empty() ? std::nullopt : Jid::make(username, setup.domain);
    if (!account) return notAuthorized();
    if (!authzid.empty() && Jid::parse(authzid) != account) {
        return Failure{Condition::InvalidAuthzid,
                       "The authorization identity is not the address of the account."};
    }
    // XEP-0388, 4.4.
    if (!authzid.empty() && !setup.claimed.empty() && setup.claimed != *account) {
        return Failure{Condition::InvalidAuthzid,
                       "The stream's header says that the client is somebody else."};
    }
    return std::move(*account);
}

Failure notAuthorized() {
    return {Condition::NotAuthorized, "The username or the password is wrong."};
}

ScramKeys keysOfNobody(const Setup& setup, Hash hash, std::string_view account) {
    std::string name{scramName(hash)};
    name.append(1, '\0').append(account);
    ScramKeys keys;
    keys.hash = hash;
    keys.iterations = setup.iterations;
    keys.salt = hmac(Hash::Sha256, setup.secret, "salt of " + name).substr(0, saltBytes);
    keys.storedKey = hmac(hash, setup.secret, "key of " + name);
    keys.serverKey = keys.storedKey;
    return keys;
}

Step admit(const Credentials& credentials, Jid account, std::string bytes) {
    switch (credentials.state) {
        case AccountState::Disabled:
            return Failure{Condition::AccountDisabled, credentials.disabled.empty()
                                                           ? "The account has been disabled."
                                                           : credentials.disabled};
        case AccountState::PasswordExpired:
            return Failure{Condition::CredentialsExpired, "The password has expired."};
        case AccountState::Active:
            break;
    }
    return Success{std::move(bytes), std::move(account)};
}

}  // namespace epode::sasl
