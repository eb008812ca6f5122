// What a client asks for in urn:xmpp:blocking (XEP-0191), checked.
#pragma once

#include "core/element.h"
#include "core/jid.h"
#include "core/stanza_error.h"

#include <variant>
#include <vector>

namespace epode {

inline constexpr std::string_view blockingNs = "urn:xmpp:blocking";

// The addresses of the items, each once, in their order. `own` is the bare address of who asks:
// nobody blocks himself.
std::variant<std::vector<Jid>, StanzaError> readBlockItems(const Element& request, const Jid& own);

}  // namespace epode
