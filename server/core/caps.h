// The hashes by which a client's abilities are known: XEP-0115 and XEP-0390.
#pragma once

#include "core/digest.h"
#include "core/element.h"

#include <optional>
#include <string>
#include <string_view>

namespace epode {

// The verification string (XEP-0115, 5.1) of a disco#info <query/>. Nothing when it is ill-formed
// (5.4): then it must not be kept for others who announce the same.
std::optional<std::string> capsVerification(const Element& discoInfo, Hash hash = Hash::Sha1);

// The capability hash in base 64 (XEP-0390, 4). Nothing when the query holds what the algorithm
// does not allow. `lang` is the language of the stanza or stream, for identities that inherit it.
std::optional<std::string> capsHash(const Element& discoInfo, Hash hash,
                                    std::string_view lang = {});

// "urn:xmpp:caps#sha-256.<hash>": the node that is asked for it.
std::string capsNode(Hash hash, std::string_view hashText);

}  // namespace epode
