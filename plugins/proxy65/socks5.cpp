#include "socks5.h"

#include "core/digest.h"

#include <algorithm>

namespace epode::proxy65 {

namespace {

constexpr char version = 5;
constexpr char noAuthentication = 0;
constexpr char noneAcceptable = char(0xFF);
constexpr char commandConnect = 1;
constexpr char addressDomain = 3;
constexpr std::size_t hashBytes = 40;

enum Reply : char {
    Succeeded = 0,
    NotAllowed = 2,
    CommandNotSupported = 7,
    AddressNotSupported = 8
};

// BND.ADDR is empty where nothing was accepted.
std::string refusal(Reply why) {
    std::string reply{version, why, 0, addressDomain, 0, 0, 0};
    return reply;
}

std::optional<std::string> readHash(std::string_view text) {
    const auto bytes = decodeHex(text);
    if (text.size() != hashBytes || !bytes) return std::nullopt;
    return encodeHex(*bytes);
}

}  // namespace

std::string streamHash(std::string_view sid, std::string_view requester, std::string_view target) {
    return encodeHex(
        digest(Hash::Sha1, std::string{sid} + std::string{requester} + std::string{target}));
}

Socks5Server::Outcome Socks5Server::take(std::string_view bytes) {
    received_ += bytes;
    if (isGreeted_) return connect();
    Outcome greeting = greet();
    if (!isGreeted_ || greeting.isRefused || received_.empty()) return greeting;
    // Who doesn't wait for the first answer gets both.
    Outcome request = connect();
    request.reply.insert(0, greeting.reply);
    return request;
}

// VER, NMETHODS, METHODS
Socks5Server::Outcome Socks5Server::greet() {
    if (!received_.empty() && received_[0] != version)
        return {.reply = {}, .isRefused = true, .hash = {}};
    if (received_.size() < 2) return {};
    const std::size_t methods = static_cast<unsigned char>(received_[1]);
    if (received_.size() < 2 + methods) return {};
    const bool isOffered = received_.find(noAuthentication, 2) < 2 + methods;
    received_.erase(0, 2 + methods);
    if (!isOffered) return {.reply = {version, noneAcceptable}, .isRefused = true, .hash = {}};
    isGreeted_ = true;
    return {.reply = {version, noAuthentication}, .isRefused = false, .hash = {}};
}

// VER, CMD, RSV, ATYP, length, DST.ADDR, DST.PORT
Socks5Server::Outcome Socks5Server::connect() {
    const auto refuse = [](Reply why) {
        return Outcome{.reply = refusal(why), .isRefused = true, .hash = {}};
    };
    if (!received_.empty() && received_[0] != version)
        return {.reply = {}, .isRefused = true, .hash = {}};
    if (received_.size() >= 2 && received_[1] != commandConnect) return refuse(CommandNotSupported);
    if (received_.size() >= 4 && received_[3] != addressDomain) return refuse(AddressNotSupported);
    if (received_.size() < 5) return {};
    if (static_cast<unsigned char>(received_[4]) != hashBytes) return refuse(NotAllowed);
    constexpr std::size_t requestBytes = 5 + hashBytes + 2;
    if (received_.size() < requestBytes) return {};
    const auto hash = readHash(std::string_view{received_}.substr(5, hashBytes));
    // The port is 0 (XEP-0065, 6.3.1).
    const bool isPortZero = received_[5 + hashBytes] == 0 && received_[6 + hashBytes] == 0;
    if (!hash || !isPortZero) return refuse(NotAllowed);
    // The address of the request comes back as it was (XEP-0065, 6.3.2).
    std::string reply = received_.substr(0, requestBytes);
    reply[1] = Succeeded;
    reply[2] = 0;
    received_.erase(0, requestBytes);
    return {.reply = std::move(reply), .isRefused = false, .hash = hash};
}

}  // namespace epode::proxy65
