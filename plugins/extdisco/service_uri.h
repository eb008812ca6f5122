// A service outside of XMPP as the configuration names it: the URIs of STUN (RFC 7064) and TURN
// (RFC 7065), and others of the same shape.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace epode::extdisco {

struct ExternalService {
    std::string type;        // "turn"
    std::string host;        // a domain or an address, without brackets
    std::uint16_t port = 0;  // 0: not said
    std::string transport;   // "udp", "tcp" or not said
    std::string name;        // for people, may be empty

    // A relay costs who runs it, so it wants to know for whom.
    bool isRestricted() const { return type == "turn" || type == "turns"; }
    friend bool operator==(const ExternalService&, const ExternalService&) = default;
};

// `turn:turn.example.org:3478?transport=udp`. Port and transport of STUN and TURN are the usual
// ones when they are left out. `name=…` may be added, with %20 for a blank. A text is a sentence
// that says what is wrong.
std::variant<ExternalService, std::string> readServiceUri(std::string_view uri);

}  // namespace epode::extdisco
