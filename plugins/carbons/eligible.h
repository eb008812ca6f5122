// Which messages the account's other clients get copies of (XEP-0280, 6).
#pragma once

#include "core/stanza.h"

#include <array>
#include <cstdint>

namespace epode::carbons {

inline constexpr std::string_view ns = "urn:xmpp:carbons:2";

enum class Direction : std::uint8_t { Received, Sent };

// By the message alone; whether an error answers a message that was copied is for CopiedMessages.
bool isEligible(const Stanza& message, Direction direction);

// <received/> or <sent/>: what only the account's own server may put into a message.
bool isCopy(const Element& child);

// The last messages that were copied, so that an error which answers one of them is copied too. As
// hashes, by id and the other side's address.
class CopiedMessages {
public:
    void add(const Stanza& message, Direction direction);
    bool isAnsweredBy(const Stanza& error, Direction direction) const;

private:
    static std::uint64_t hash(std::string_view id, const Jid& peer);
    std::array<std::uint64_t, 32> hashes_{};
    std::uint8_t next_ = 0;
};

}  // namespace epode::carbons
