// What a message is worth keeping for (XEP-0160, XEP-0313, XEP-0334): a look at its content.
#pragma once

#include "core/stanza.h"

namespace epode {

enum class Keeping : std::uint8_t {
    Nothing,         // of the moment: chat states, headlines, errors, what comes from rooms
    Refused,         // worth keeping, but its sender forbids it (no-store)
    UntilDelivered,  // waits for a client that is away, but does not belong in the archive
    Message,         // belongs in the archive, and waits for a client that is away
};

Keeping keepingOf(const Stanza& message);

// Whether a child of a message, other than its body, makes it a part of a conversation by itself:
// receipts, reactions, encrypted content, calls, invitations.
bool isConversation(const Element& child);

// Whether it may be stored for delivery.
inline bool isKept(Keeping keeping) {
    return keeping == Keeping::UntilDelivered || keeping == Keeping::Message;
}

}  // namespace epode
