// Credentials for a TURN server that shares a secret with us and nothing else: "A REST API For
// Access To TURN Services" (draft-uberti-behave-turn-rest), `use-auth-secret` of coturn.
#pragma once

#include "core/jid.h"
#include "core/time.h"

#include <string>
#include <string_view>

namespace epode::extdisco {

struct TurnCredentials {
    std::string username;  // "1795186800:5f0c…": until when, for whom
    std::string password;
    WallTime expires;
};

// A name that the relay can count by (coturn's user-quota) and that doesn't tell who it is.
std::string pseudonymOf(std::string_view secret, const Jid& account);

// Valid until `expires`, cut to a whole second.
TurnCredentials makeTurnCredentials(std::string_view secret, std::string_view user,
                                    WallTime expires);

}  // namespace epode::extdisco
