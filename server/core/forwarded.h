// Stanza Forwarding (XEP-0297): a stanza as the content of another one. Carbons, the archive,
// reports, mentions, privileges and delegation are made of it.
//
// What is forwarded is what the forwarder says that it was, and proves nothing: nothing here checks
// its addresses, and nothing routes it as it is. Who reads it knows whom he may believe what: a
// client its own account and the rooms that it is in, the server a component that has the right to
// it.
#pragma once

#include "core/stanza.h"
#include "core/time.h"

#include <optional>
#include <string>
#include <string_view>

namespace epode {

// Adds <forwarded/> with the stanza to its wrapper, and with <delay/> when it is said when that
// was.
void addForwarded(Element& wrapper, const Stanza& stanza, std::optional<WallTime> at = {});
void addForwarded(Element& wrapper, const Element& stanza, std::optional<WallTime> at = {});
// The same as text: after it comes the stanza, which says its own namespace, and forwardedEnd.
void beginForwarded(std::string& out, std::optional<WallTime> at = {});
inline constexpr std::string_view forwardedEnd = "</forwarded>";

struct Forwarded {
    const Element* stanza = nullptr;  // null when it isn't there, or when there are several
    std::optional<WallTime> at{};     // of its <delay/>
};
// What is forwarded in <forwarded/>, a child of `wrapper`: one stanza of jabber:client of this
// kind.
Forwarded readForwarded(const Element& wrapper, StanzaKind kind);
// The same as a stanza of its own; null as well when it is none by the rules of RFC 6120, 8: it has
// a malformed address, an unknown type, or is an iq without an id.
MutableStanzaPtr forwardedStanza(const Element& wrapper, StanzaKind kind);

}  // namespace epode
