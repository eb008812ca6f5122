// SASL (RFC 4422) on the server's side, as machines without I/O: bytes go in, a step comes out. The
// framing (base 64, "=", <auth/>, <response/>, SASL2) is the stream's.
#pragma once

#include "core/jid.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace epode::sasl {

struct Credentials;

// RFC 6120, 6.5.
enum class Condition : std::uint8_t {
    Aborted,
    AccountDisabled,
    CredentialsExpired,
    EncryptionRequired,
    IncorrectEncoding,
    InvalidAuthzid,
    InvalidMechanism,
    MalformedRequest,
    MechanismTooWeak,
    NotAuthorized,
    TemporaryAuthFailure,
};
std::string_view toText(Condition condition);  // "not-authorized"

// To be sent to the client, which answers it.
struct Challenge {
    std::string bytes;
};

// The client is `identity`: an account (or a domain, for another server). `bytes` go along with the
// success when there are any.
struct Success {
    std::string bytes;
    Jid identity;
};

// `text` is one sentence for people; it never tells whether the account exists.
struct Failure {
    Condition condition;
    std::string text;
};

// The machine pauses until it is told what is stored for the account: see `proceed`.
struct NeedCredentials {
    std::string username;  // prepared; the local part of an address
    // Going on takes a millisecond or more (it salts a password): off the thread of the loop.
    bool isSlow = false;
};

using Step = std::variant<Challenge, Success, Failure, NeedCredentials>;

// One attempt to log in. After Success or Failure it is used up and every further call fails.
class Mechanism {
public:
    virtual ~Mechanism() = default;
    Mechanism(const Mechanism&) = delete;
    Mechanism& operator=(const Mechanism&) = delete;

    virtual std::string_view name() const = 0;  // "SCRAM-SHA-256-PLUS"

    // The initial response; nothing when the client has sent none (an empty one is something).
    Step start(std::optional<std::string_view> initial) {
        // All our mechanisms let the client speak first (RFC 4422, 5.1).
        if (!initial) return Challenge{};
        return step(*initial);
    }

    // The client's response to a challenge.
    virtual Step step(std::string_view bytes) = 0;

    // The answer to NeedCredentials: null when there is no such account. Whoever can't find out
    // (the database is gone) does not proceed but fails the attempt with TemporaryAuthFailure.
    virtual Step proceed(const Credentials* found) = 0;

protected:
    Mechanism() = default;
};

}  // namespace epode::sasl
