// A domain below a host that a plugin serves: pubsub.capulet.example. What lives below it (a room,
// a node) has a bare address of its own, and is on the shard of that address as an account is.
#pragma once

#include "core/hold.h"
#include "core/stanza.h"
#include "route/disco_entry.h"
#include "route/iq.h"

#include <functional>
#include <string>

namespace epode {

class Host;
class Shard;
struct ServedDomain;

// A stanza that has come to a served domain, and that no handler of requests takes.
struct ServedStanza {
    const StanzaPtr& stanza;
    Hold hold;
    const ServedDomain& domain;
    Host& host;
    Shard& shard;
};

struct ServedDomain {
    std::string domain;
    std::string owner;     // the plugin's name
    DiscoEntry disco;      // what the domain tells about itself
    bool isListed = true;  // among the items of its host
    // Requests to the domain itself (Addressee::Domain) and to bare addresses below it
    // (Addressee::Below). What is not found here is looked up among the host's handlers for the
    // same addressees, so that a plugin can serve all domains at once.
    IqTable iqs;
    // Everything else: messages, presence, requests to full addresses, and requests that nobody has
    // a handler for. Without it, what needs an answer is refused.
    std::function<void(ServedStanza)> receive;
    // What is addressed to the domain itself is handled on the shard of the text that this returns;
    // without it, or when the text is empty, on the shard where it came from.
    std::function<std::string(const Stanza&)> placeOf;
};

}  // namespace epode
