#include "core/sasl/ht.h"

#include <algorithm>
#include <array>

namespace epode::sasl {

namespace {

// Tokens are as random as keys, so a stronger hash would add nothing but names. There is no
// tls-unique: it is not defined for TLS 1.3.
struct Variant {
    std::string_view name;
    std::string_view bindingType;
};
constexpr std::array variants{Variant{"HT-SHA-256-EXPR", "tls-exporter"},
                              Variant{"HT-SHA-256-ENDP", "tls-server-end-point"},
                              Variant{"HT-SHA-256-NONE", ""}};

// The longest name of an account (RFC 7622, 3.3).
constexpr std::size_t usernameBytesMax = 1023;

std::string hashed(Hash hash, std::string_view token, std::string_view role,
                   std::string_view bindingData) {
    std::string text{role};
    text.append(bindingData);
    return hmac(hash, token, text);
}

}  // namespace

std::optional<HtMechanism> parseHtName(std::string_view name) {
    for (const auto& variant : variants)
        if (variant.name == name) return HtMechanism{Hash::Sha256, variant.bindingType};
    return std::nullopt;
}

std::vector<std::string> htNames(const std::vector<std::string>& bindingTypes) {
    std::vector<std::string> names;
    for (const auto& [name, type] : variants) {
        const bool canBind =
            std::find(bindingTypes.begin(), bindingTypes.end(), type) != bindingTypes.end();
        if (type.empty() || canBind) names.emplace_back(name);
    }
    return names;
}

std::optional<HtMessage> readHtMessage(std::string_view bytes) {
    const auto end = bytes.find('\0');
    if (end == bytes.npos || end == 0 || end > usernameBytesMax) return std::nullopt;
    const HtMessage message{bytes.substr(0, end), bytes.substr(end + 1)};
    if (message.proof.size() != bytesOf(Hash::Sha256)) return std::nullopt;
    return message;
}

std::string htProof(Hash hash, std::string_view token, std::string_view bindingData) {
    return hashed(hash, token, "Initiator", bindingData);
}

std::string htAnswer(Hash hash, std::string_view token, std::string_view bindingData) {
    return hashed(hash, token, "Responder", bindingData);
}

}  // namespace epode::sasl
