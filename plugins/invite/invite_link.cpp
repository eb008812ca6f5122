#include "invite_link.h"

#include "core/random.h"

#include <cctype>

namespace epode {

namespace {

constexpr std::size_t tokenCharacters = 24;

// What is not unreserved (RFC 3986, 2.3) is written as %XX.
std::string encoded(std::string_view text) {
    static constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte < 0x80 &&
            (std::isalnum(byte) || std::string_view{"-._~"}.find(c) != std::string_view::npos))
            out += c;
        else
            (out += '%').append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
    }
    return out;
}

std::string encodedAddress(std::string_view bare) {
    const auto at = bare.find('@');
    if (at == std::string_view::npos) return std::string{bare};
    return encoded(bare.substr(0, at)) + "@" + std::string{bare.substr(at + 1)};
}

}  // namespace

std::string makeToken() {
    static constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    std::string token;
    while (token.size() < tokenCharacters)
        for (const char byte : randomBytes(tokenCharacters)) {
            const std::size_t number = std::size_t(byte) & 63;
            if (number < alphabet.size() && token.size() < tokenCharacters)
                token += alphabet[number];
        }
    return token;
}

std::string inviteUri(const Invite& invite, std::string_view token) {
    const bool isForAccount = !invite.username.empty() || invite.inviter.empty();
    std::string uri{"xmpp:"};
    if (isForAccount && !invite.mayRegister && !invite.room.empty())
        return uri.append(encodedAddress(invite.room)).append("?join");
    if (isForAccount) {
        if (!invite.username.empty()) uri.append(encoded(invite.username)).append("@");
        uri.append(invite.host).append("?register;preauth=").append(token);
        return uri;
    }
    uri.append(encodedAddress(invite.inviter)).append("?roster;preauth=").append(token);
    if (invite.mayRegister) uri.append(";ibr=y");
    return uri;
}

std::string landingUrl(std::string_view pattern, const Invite& invite, std::string_view token) {
    std::string url;
    while (!pattern.empty()) {
        const auto open = pattern.find('{');
        url.append(pattern.substr(0, open));
        if (open == std::string_view::npos) break;
        const auto close = pattern.find('}', open);
        const std::string_view name =
            pattern.substr(open + 1, close == std::string_view::npos ? close : close - open - 1);
        if (name == "token")
            url.append(token);
        else if (name == "host")
            url.append(encoded(invite.host));
        else if (name == "inviter")
            url.append(encoded(invite.inviter));
        else if (name == "uri")
            url.append(encoded(inviteUri(invite, token)));
        if (close == std::string_view::npos) break;
        pattern.remove_prefix(close + 1);
    }
    return url;
}

}  // namespace epode
