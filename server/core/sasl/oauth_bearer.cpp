#include "core/sasl/oauth_bearer.h"

#include <algorithm>
#include <utility>

namespace epode::sasl {

namespace {

constexpr char separator = '\x01';

bool isTokenCharacter(char c) {  // b64token of RFC 6750, 2.1
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view{"-._~+/="}.find(c) != std::string_view::npos;
}

bool isToken(std::string_view text) {
    return !text.empty() && text.size() <= tokenBytesMax &&
           std::all_of(text.begin(), text.end(), isTokenCharacter);
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; }

// "Bearer", in any case, blanks, the token.
std::string_view tokenOf(std::string_view value) {
    constexpr std::string_view scheme = "bearer";
    if (value.size() <= scheme.size() || !std::equal(scheme.begin(), scheme.end(), value.begin(),
                                                     [](char a, char b) { return a == lower(b); }))
        return {};
    value.remove_prefix(scheme.size());
    if (value.front() != ' ') return {};
    while (value.starts_with(' ')) value.remove_prefix(1);
    return isToken(value) ? value : std::string_view{};
}

// RFC 5801, 4: "=2C" is a comma, "=3D" an equals sign, and nothing else begins with one.
std::optional<std::string> decodeName(std::string_view text) {
    std::string name;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '=') {
            name += text[i];
            continue;
        }
        const std::string_view code = text.substr(i, 3);
        if (code != "=2C" && code != "=3D") return std::nullopt;
        name += code == "=2C" ? ',' : '=';
        i += 2;
    }
    return name;
}

bool isKey(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(),
                                        [](char c) { return lower(c) >= 'a' && lower(c) <= 'z'; });
}
bool isValue(std::string_view text) {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 0x20 && c <= 0x7E) || c == '\t' || c == '\r' || c == '\n';
    });
}

void appendMember(std::string& json, std::string_view name, std::string_view value) {
    if (value.empty()) return;
    json.append(json.empty() ? "{\"" : ",\"").append(name).append("\":\"");
    for (const char c : value) {
        if (c == '"' || c == '\\') json += '\\';
        if (static_cast<unsigned char>(c) >= 0x20) json += c;
    }
    json.append("\"");
}

}  // namespace

std::optional<BearerMessage> readBearerMessage(std::string_view bytes) {
    // The header of GS2: "n,a=name," or "y,,".
    if (!bytes.starts_with("n,") && !bytes.starts_with("y,")) return std::nullopt;
    bytes.remove_prefix(2);
    const auto comma = bytes.find(',');
    if (comma == std::string_view::npos) return std::nullopt;
    std::string_view name = bytes.substr(0, comma);
    bytes.remove_prefix(comma + 1);
    BearerMessage message;
    if (!name.empty()) {
        if (!name.starts_with("a=") || name.size() == 2) return std::nullopt;
        auto decoded = decodeName(name.substr(2));
        if (!decoded || decoded->find('\0') != std::string::npos) return std::nullopt;
        message.authzid = std::move(*decoded);
    }
    // Pairs, each with the separator behind it, between two separators.
    if (bytes.size() < 2 || bytes.front() != separator || !bytes.ends_with("\x01\x01"))
        return std::nullopt;
    bytes.remove_prefix(1);
    bytes.remove_suffix(1);
    bool hasAuth = false;
    bool hasHost = false;
    while (!bytes.empty()) {
        const std::string_view pair = bytes.substr(0, bytes.find(separator));
        bytes.remove_prefix(pair.size() + 1);
        const auto equals = pair.find('=');
        if (equals == std::string_view::npos) return std::nullopt;
        const std::string_view key = pair.substr(0, equals);
        const std::string_view value = pair.substr(equals + 1);
        if (!isKey(key) || !isValue(value)) return std::nullopt;
        // Said twice, two readers could take it for two things.
        if (key == "auth") {
            if (std::exchange(hasAuth, true)) return std::nullopt;
            message.token = tokenOf(value);
        } else if (key == "host") {
            if (std::exchange(hasHost, true)) return std::nullopt;
            message.host = value;
        }
    }
    return message.token.empty() ? std::nullopt : std::optional{std::move(message)};
}

std::string bearerRefusal(std::string_view status, std::string_view scope,
                          std::string_view openidConfiguration) {
    std::string json;
    appendMember(json, "status", status);
    appendMember(json, "scope", scope);
    appendMember(json, "openid-configuration", openidConfiguration);
    return json.append("}");
}

std::optional<PlainToken> readPlainToken(std::string_view bytes) {
    const auto first = bytes.find('\0');
    if (first == std::string_view::npos) return std::nullopt;
    const auto second = bytes.find('\0', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    PlainToken plain{bytes.substr(0, first), bytes.substr(first + 1, second - first - 1),
                     bytes.substr(second + 1)};
    if (!plain.token.starts_with("eyJ") || !isToken(plain.token) || plain.username.empty() ||
        std::count(plain.token.begin(), plain.token.end(), '.') != 2)
        return std::nullopt;
    return plain;
}

}  // namespace epode::sasl
