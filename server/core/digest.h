// Hashes and what is made of them. Values are bytes in a string.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace epode {

enum class Hash : std::uint8_t { Sha1, Sha256, Sha512, Sha3_256 };

std::size_t bytesOf(Hash hash);  // 20, 32, 64, 32
// As XEP-0300 and the IANA registry call it: "sha-256".
std::string_view toText(Hash hash);
std::optional<Hash> parseHash(std::string_view name);

std::string digest(Hash hash, std::string_view bytes);
std::string hmac(Hash hash, std::string_view key, std::string_view bytes);

// PBKDF2 with HMAC (RFC 8018), one block of the hash's own size: `Hi()` of SCRAM. Takes a
// millisecond for 4096 rounds, so it does not run on the thread of a loop. `iterations` is at
// least 1.
std::string pbkdf2(Hash hash, std::string_view password, std::string_view salt,
                   std::uint32_t iterations);

// Takes the same time wherever the first difference is; only the sizes may be told from it.
bool equalInConstantTime(std::string_view a, std::string_view b);

// For secrets that are not needed any more.
void wipe(std::string& secret);

std::string encodeHex(std::string_view bytes);  // lowercase
std::optional<std::string> decodeHex(std::string_view text);

}  // namespace epode
