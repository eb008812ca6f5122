// What is stored in place of a password: salted keys (RFC 5802, 3), one set for each hash.
#pragma once

#include "core/digest.h"
#include "core/random.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode::sasl {

constexpr std::uint32_t defaultIterations = 4096;  // RFC 7677, 4
constexpr std::size_t saltBytes = 16;

struct ScramKeys {
    Hash hash = Hash::Sha256;
    std::uint32_t iterations = defaultIterations;
    std::string salt;
    std::string storedKey;
    std::string serverKey;

    bool operator==(const ScramKeys&) const = default;
};

enum class AccountState : std::uint8_t { Active, Disabled, PasswordExpired };

// What the look-up of an account finds.
struct Credentials {
    std::vector<ScramKeys> keys;  // at most one for each hash
    AccountState state = AccountState::Active;
    std::string disabled{};  // what is told of an account that is disabled; may be empty
};

// Null when there are none of this hash.
const ScramKeys* keysOf(const Credentials& credentials, Hash hash);

// Salts a password; nothing when OpaqueString (RFC 8265) forbids it. Takes about a millisecond: not
// for the thread of a loop.
std::optional<ScramKeys> makeScramKeys(Hash hash, std::string_view password,
                                       std::uint32_t iterations = defaultIterations,
                                       std::string_view salt = randomBytes(saltBytes));

// The same from the SaltedPassword (RFC 5802, 3), which a client has computed by itself (XEP-0480).
// Nothing when it has not the size of the hash.
std::optional<ScramKeys> scramKeysOfSalted(Hash hash, std::string_view saltedPassword,
                                           std::uint32_t iterations, std::string_view salt);

// Whether the keys were made from this password. As slow as making them.
bool isPasswordOf(const ScramKeys& keys, std::string_view password);

// The form of RFC 5803: "SCRAM-SHA-256$4096:<salt>$<StoredKey>:<ServerKey>".
std::string toText(const ScramKeys& keys);
std::optional<ScramKeys> parseScramKeys(std::string_view text);

// "SCRAM-SHA-256" for the hash, and back; nothing for what is no mechanism of this family.
std::string_view scramName(Hash hash);
std::optional<Hash> scramHash(std::string_view name);

}  // namespace epode::sasl
