#include "core/sasl/scram_message.h"

#include "core/base64.h"
#include "core/precis.h"

#include <algorithm>
#include <charconv>

namespace epode::sasl {

namespace {

constexpr std::uint32_t iterationsMax = 10'000'000;

bool isLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool isDigit(char c) { return c >= '0' && c <= '9'; }

bool isNonce(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(),
                                        [](char c) { return c > 0x20 && c < 0x7F && c != ','; });
}

bool isBindingType(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return isLetter(c) || isDigit(c) || c == '.' || c == '-';
    });
}

// UTF-8 without NUL; commas have been cut away already.
bool isValue(std::string_view text) {
    if (text.empty() || text.find('\0') != std::string_view::npos) return false;
    const bool isAscii = std::all_of(text.begin(), text.end(),
                                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    return isAscii || precis::codePoints(text);
}

std::optional<std::string> unescapeName(std::string_view text) {
    if (!isValue(text)) return std::nullopt;
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '=') {
            out.push_back(text[i]);
            continue;
        }
        const auto code = text.substr(i, 3);
        if (code != "=2C" && code != "=3D") return std::nullopt;
        out.push_back(code == "=2C" ? ',' : '=');
        i += 2;
    }
    return out;
}

// Takes "name=value" after "name=value" from a text, with a comma between each two.
class Attributes {
public:
    explicit Attributes(std::string_view text) : rest_{text} {}

    // The value of the next attribute, which must have this name.
    std::optional<std::string_view> take(char name) {
        if (nextName() != name) return std::nullopt;
        return takeAny();
    }

    std::optional<std::string_view> takeAny() {
        const auto comma = rest_.find(',');
        const auto attribute = rest_.substr(0, comma);
        if (attribute.size() < 3 || !isLetter(attribute[0]) || attribute[1] != '=') {
            return std::nullopt;
        }
        isDone_ = comma == std::string_view::npos;
        rest_.remove_prefix(isDone_ ? rest_.size() : comma + 1);
        const auto value = attribute.substr(2);
        if (!isValue(value)) return std::nullopt;
        return value;
    }

    // Extensions, up to the end or to an attribute of the name `before`. Unknown ones are to be
    // ignored (RFC 5802, 5.1).
    bool skipExtensions(char before = '\0') {
        while (!isDone_ && (before == '\0' || nextName() != before)) {
            if (nextName() == 'm') return false;
            if (!takeAny()) return false;
        }
        return true;
    }

    char nextName() const { return rest_.empty() ? '\0' : rest_.front(); }
    bool isDone() const { return isDone_; }
    std::size_t restBytes() const { return rest_.size(); }

private:
    std::string_view rest_;
    bool isDone_ = false;
};

}  // namespace

std::optional<ClientFirst> readClientFirst(std::string_view text) {
    ClientFirst message;
    const auto flagEnd = text.find(',');
    if (flagEnd == std::string_view::npos) return std::nullopt;
    const auto flag = text.substr(0, flagEnd);
    if (flag == "n") {
        message.binding = ClientFirst::Binding::Unsupported;
    } else if (flag == "y") {
        message.binding = ClientFirst::Binding::NotOffered;
    } else if (flag.starts_with("p=")) {
        message.binding = ClientFirst::Binding::Used;
        message.bindingType = flag.substr(2);
        if (!isBindingType(message.bindingType)) return std::nullopt;
    } else {
        return std::nullopt;
    }

    const auto headerEnd = text.find(',', flagEnd + 1);
    if (headerEnd == std::string_view::npos) return std::nullopt;
    const auto authzid = text.substr(flagEnd + 1, headerEnd - flagEnd - 1);
    if (!authzid.empty()) {
        if (!authzid.starts_with("a=")) return std::nullopt;
        auto name = unescapeName(authzid.substr(2));
        if (!name) return std::nullopt;
        message.authzid = std::move(*name);
    }
    message.gs2Header = text.substr(0, headerEnd + 1);
    message.bare = text.substr(headerEnd + 1);

    Attributes attributes{message.bare};
    const auto escapedName = attributes.take('n');
    if (!escapedName || attributes.isDone()) return std::nullopt;
    auto username = unescapeName(*escapedName);
    const auto nonce = attributes.take('r');
    if (!username || !nonce || !isNonce(*nonce) || !attributes.skipExtensions()) {
        return std::nullopt;
    }
    message.username = std::move(*username);
    message.nonce = *nonce;
    return message;
}

std::optional<ServerFirst> readServerFirst(std::string_view text) {
    ServerFirst message;
    Attributes attributes{text};
    const auto nonce = attributes.take('r');
    if (!nonce || !isNonce(*nonce)) return std::nullopt;
    message.nonce = *nonce;

    const auto salt = attributes.take('s');
    if (!salt) return std::nullopt;
    auto saltBytes = decodeBase64(*salt);
    if (!saltBytes) return std::nullopt;
    message.salt = std::move(*saltBytes);

    const auto iterations = attributes.take('i');
    if (!iterations) return std::nullopt;
    const auto count = parseIterations(*iterations);
    if (!count) return std::nullopt;
    message.iterations = *count;

    if (!attributes.skipExtensions('h')) return std::nullopt;
    if (!attributes.isDone()) {
        message.downgradeHash = attributes.take('h').value_or("");
        if (message.downgradeHash.empty() || !attributes.skipExtensions()) return std::nullopt;
    }
    return message;
}

std::optional<ClientFinal> readClientFinal(std::string_view text) {
    ClientFinal message;
    Attributes attributes{text};
    const auto binding = attributes.take('c');
    const auto nonce = attributes.take('r');
    if (!binding || !nonce || !isNonce(*nonce)) return std::nullopt;
    if (!attributes.skipExtensions('p') || attributes.isDone()) return std::nullopt;
    // Up to the comma before the proof.
    message.withoutProof = text.substr(0, text.size() - attributes.restBytes() - 1);
    const auto proof = attributes.take('p');
    if (!proof || !attributes.isDone()) return std::nullopt;

    auto bindingBytes = decodeBase64(*binding);
    auto proofBytes = decodeBase64(*proof);
    if (!bindingBytes || !proofBytes) return std::nullopt;
    message.binding = std::move(*bindingBytes);
    message.nonce = *nonce;
    message.proof = std::move(*proofBytes);
    return message;
}

std::optional<ServerFinal> readServerFinal(std::string_view text) {
    ServerFinal message;
    Attributes attributes{text};
    if (attributes.nextName() == 'e') {
        const auto error = attributes.take('e');
        if (!error || !attributes.skipExtensions()) return std::nullopt;
        message.error = *error;
        return message;
    }
    const auto verifier = attributes.take('v');
    if (!verifier || !attributes.skipExtensions()) return std::nullopt;
    auto signature = decodeBase64(*verifier);
    if (!signature || signature->empty()) return std::nullopt;
    message.signature = std::move(*signature);
    return message;
}

std::string escapeName(std::string_view name) {
    std::string out;
    out.reserve(name.size());
    for (const char c : name) {
        if (c == ',') {
            out += "=2C";
        } else if (c == '=') {
            out += "=3D";
        } else {
            out += c;
        }
    }
    return out;
}

std::optional<std::uint32_t> parseIterations(std::string_view text) {
    if (text.empty() || text.front() < '1' || text.front() > '9') return std::nullopt;
    std::uint32_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    if (value > iterationsMax) return std::nullopt;
    return value;
}

}  // namespace epode::sasl
