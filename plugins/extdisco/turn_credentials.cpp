#include "turn_credentials.h"

#include "core/base64.h"
#include "core/digest.h"

namespace epode::extdisco {

std::string pseudonymOf(std::string_view secret, const Jid& account) {
    constexpr std::size_t bytes = 10;
    const std::string named = "account:" + std::string{account.bareText()};
    return encodeHex(std::string_view{hmac(Hash::Sha256, secret, named)}.substr(0, bytes));
}

TurnCredentials makeTurnCredentials(std::string_view secret, std::string_view user,
                                    WallTime expires) {
    const auto second = std::chrono::floor<std::chrono::seconds>(expires);
    TurnCredentials made;
    made.expires = second;
    made.username = std::to_string(second.time_since_epoch().count()) + ":" + std::string{user};
    made.password = encodeBase64(hmac(Hash::Sha1, secret, made.username));
    return made;
}

}  // namespace epode::extdisco
