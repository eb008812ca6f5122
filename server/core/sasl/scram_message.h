// The messages of SCRAM (RFC 5802, 7), read strictly by both sides. Nothing is returned for what
// the grammar does not allow, and for `m=`, which asks for an extension that nobody knows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace epode::sasl {

struct ClientFirst {
    enum class Binding : std::uint8_t {
        Unsupported,  // n: the client can't bind to the channel
        NotOffered,   // y: it could, but has seen no offer
        Used,         // p=
    };
    Binding binding = Binding::Unsupported;
    std::string_view bindingType;  // with Used
    std::string authzid;           // empty when there is none
    std::string username;          // neither is prepared
    std::string_view nonce;
    std::string_view gs2Header;
    std::string_view bare;  // what is behind the header
};

struct ServerFirst {
    std::string_view nonce;  // of client and server
    std::string salt;
    std::uint32_t iterations = 0;
    std::string_view downgradeHash;  // XEP-0474's `h`; empty when there is none
};

struct ClientFinal {
    std::string binding;  // header and channel binding data
    std::string_view nonce;
    std::string proof;
    std::string_view withoutProof;
};

struct ServerFinal {
    std::string signature;   // empty when there is an error
    std::string_view error;  // "invalid-proof"
};

// Views are into the text that was read.
std::optional<ClientFirst> readClientFirst(std::string_view text);
std::optional<ServerFirst> readServerFirst(std::string_view text);
std::optional<ClientFinal> readClientFinal(std::string_view text);
std::optional<ServerFinal> readServerFinal(std::string_view text);

// "," and "=" as a saslname has them: "=2C" and "=3D".
std::string escapeName(std::string_view name);

// A positive number without leading zeros, of at most ten million: more would only burn the time of
// whoever computes it.
std::optional<std::uint32_t> parseIterations(std::string_view text);

}  // namespace epode::sasl
