// JSON Web Tokens (RFC 7519) in the compact form of RFC 7515, signed with HS256, RS256 or ES256
// (RFC 7518). OpenSSL does the arithmetic; what a token says is believed only after its signature.
#pragma once

#include "core/time.h"

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct evp_pkey_st;

namespace epode::token {

// One key is for one algorithm: whatever a token says of its own, it is never checked in another
// way (a public key is no secret of HS256).
enum class Algorithm : std::uint8_t { Hs256, Rs256, Es256 };
std::string_view toText(Algorithm algorithm);  // "HS256"

struct Key {
    Algorithm algorithm = Algorithm::Hs256;
    std::string id;      // "kid"; may be empty
    std::string secret;  // of HS256
    std::shared_ptr<evp_pkey_st> pkey;
};

// The keys of a JWK Set (RFC 7517) that can check signatures; others are passed over. A symmetric
// one ("oct") too. Throws std::runtime_error, in one sentence, when it is no such set.
std::vector<Key> readKeySet(const std::string& json);

struct Token {
    Algorithm algorithm = Algorithm::Hs256;
    std::string keyId;  // "" when it names none
    std::string issuer;
    std::string subject;
    std::vector<std::string> audience;
    std::vector<std::string> scopes;
    std::optional<WallTime> expires;
    std::optional<WallTime> notBefore;
    std::optional<WallTime> issued;

    // A claim that is a text or a number; "" when it is neither.
    std::string claim(const std::string& name) const;

    std::vector<std::pair<std::string, std::string>> texts;  // all such claims
};

// Reads a token whose signature one of the keys has made. Nothing for everything else: no token,
// another algorithm, "none", a part that must be understood and isn't ("crit"), a foreign key.
std::optional<Token> readToken(std::string_view compact, const std::vector<Key>& keys);

// The key that it says to be signed by; "" when it names none, or is no token. Not to be believed.
std::string keyIdOf(std::string_view compact);

// With HS256; `claims` is a JSON object.
std::string signToken(const Key& key, const std::string& claims);

}  // namespace epode::token
