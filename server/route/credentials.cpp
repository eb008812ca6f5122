#include "route/credentials.h"

#include <array>
#include <utility>

namespace epode {

namespace {

struct HashName {
    Hash hash;
    std::string_view name;
};
constexpr std::array hashNames{HashName{Hash::Sha1, "SHA-1"}, HashName{Hash::Sha256, "SHA-256"}};

}  // namespace

sasl::Credentials toCredentials(const AccountCredentials& stored) {
    sasl::Credentials credentials;
    if (stored.isDisabled) {
        credentials.state = sasl::AccountState::Disabled;
        credentials.disabled = stored.disabling.text();
    }
    for (const StoredKeys& keys : stored.keys)
        for (const HashName& known : hashNames)
            if (known.name == keys.hash)
                credentials.keys.push_back({.hash = known.hash,
                                            .iterations = std::uint32_t(keys.iterations),
                                            .salt = keys.salt,
                                            .storedKey = keys.storedKey,
                                            .serverKey = keys.serverKey});
    return credentials;
}

std::optional<std::vector<StoredKeys>> makeKeys(std::string_view password) {
    std::vector<StoredKeys> all;
    for (const HashName& known : hashNames) {
        auto keys = sasl::makeScramKeys(known.hash, password);
        if (!keys) return std::nullopt;
        all.push_back({.hash = std::string{known.name},
                       .salt = std::move(keys->salt),
                       .iterations = keys->iterations,
                       .storedKey = std::move(keys->storedKey),
                       .serverKey = std::move(keys->serverKey)});
    }
    return all;
}

}  // namespace epode
