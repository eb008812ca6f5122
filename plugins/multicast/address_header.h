// The addresses of a stanza that is meant for several (XEP-0033), checked.
#pragma once

#include "core/jid.h"
#include "core/stanza.h"

#include <cstddef>
#include <string_view>
#include <variant>
#include <vector>

namespace epode {

inline constexpr std::string_view addressNs = "http://jabber.org/protocol/address";

struct Recipient {
    Jid jid;
    const Element* blind = nullptr;  // his own <address type='bcc'/>
};

struct AddressHeader {
    std::vector<Recipient> recipients;  // whom it has not been delivered to yet, each once
};

// `addressesMax` counts all of the header, delivered or not.
std::variant<AddressHeader, StanzaError> readAddressHeader(const Element& addresses,
                                                           std::size_t addressesMax);

// The stanza as its recipients get it: nobody sees who got it blindly, and nobody delivers it
// again.
StanzaPtr forRecipients(const Stanza& stanza);
// The same for one who gets it blindly: he sees his own address.
StanzaPtr forBlind(const Stanza& prepared, const Recipient& recipient);

}  // namespace epode
