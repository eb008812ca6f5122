#include "core/sasl/credentials.h"

#include "core/base64.h"
#include "core/jid.h"
#include "core/sasl/scram_message.h"

namespace epode::sasl {

namespace {

// Everything up to `end`, which is taken off as well; nothing when there is no such character.
std::optional<std::string_view> takeUntil(std::string_view& text, char end) {
    const auto at = text.find(end);
    if (at == std::string_view::npos) return std::nullopt;
    const auto taken = text.substr(0, at);
    text.remove_prefix(at + 1);
    return taken;
}

}  // namespace

const ScramKeys* keysOf(const Credentials& credentials, Hash hash) {
    for (const auto& keys : credentials.keys) {
        if (keys.hash == hash) return &keys;
    }
    return nullptr;
}

std::optional<ScramKeys> makeScramKeys(Hash hash, std::string_view password,
                                       std::uint32_t iterations, std::string_view salt) {
    auto prepared = preparePassword(password);
    if (!prepared) return std::nullopt;
    auto salted = pbkdf2(hash, *prepared, salt, iterations);
    auto keys = scramKeysOfSalted(hash, salted, iterations, salt);
    wipe(*prepared);
    wipe(salted);
    return keys;
}

std::optional<ScramKeys> scramKeysOfSalted(Hash hash, std::string_view saltedPassword,
                                           std::uint32_t iterations, std::string_view salt) {
    if (saltedPassword.size() != bytesOf(hash)) return std::nullopt;
    auto clientKey = hmac(hash, saltedPassword, "Client Key");
    ScramKeys keys{hash, iterations, std::string{salt}, digest(hash, clientKey),
                   hmac(hash, saltedPassword, "Server Key")};
    wipe(clientKey);
    return keys;
}

bool isPasswordOf(const ScramKeys& keys, std::string_view password) {
    const auto made = makeScramKeys(keys.hash, password, keys.iterations, keys.salt);
    return made && equalInConstantTime(made->storedKey, keys.storedKey);
}

std::string toText(const ScramKeys& keys) {
    std::string out{scramName(keys.hash)};
    out.append("$").append(std::to_string(keys.iterations));
    out.append(":").append(encodeBase64(keys.salt));
    out.append("$").append(encodeBase64(keys.storedKey));
    out.append(":").append(encodeBase64(keys.serverKey));
    return out;
}

std::optional<ScramKeys> parseScramKeys(std::string_view text) {
    const auto name = takeUntil(text, '$');
    const auto iterations = takeUntil(text, ':');
    const auto salt = takeUntil(text, '$');
    const auto storedKey = takeUntil(text, ':');
    if (!name || !iterations || !salt || !storedKey) return std::nullopt;

    const auto hash = scramHash(*name);
    const auto count = parseIterations(*iterations);
    auto saltBytes = decodeBase64(*salt);
    auto stored = decodeBase64(*storedKey);
    auto server = decodeBase64(text);
    if (!hash || !count || !saltBytes || saltBytes->empty() || !stored || !server) {
        return std::nullopt;
    }
    if (stored->size() != bytesOf(*hash) || server->size() != bytesOf(*hash)) return std::nullopt;
    return ScramKeys{*hash, *count, std::move(*saltBytes), std::move(*stored), std::move(*server)};
}

std::string_view scramName(Hash hash) {
    switch (hash) {
        case Hash::Sha1:
            return "SCRAM-SHA-1";
        case Hash::Sha256:
            return "SCRAM-SHA-256";
        case Hash::Sha512:
            return "SCRAM-SHA-512";
        case Hash::Sha3_256:
            return "SCRAM-SHA3-256";
    }
    return {};
}

std::optional<Hash> scramHash(std::string_view name) {
    for (const auto hash : {Hash::Sha1, Hash::Sha256, Hash::Sha512}) {
        if (scramName(hash) == name) return hash;
    }
    return std::nullopt;
}

}  // namespace epode::sasl
