// The two forms of a vCard, and how a change of one is carried into the other: vcard-temp
// (XEP-0054) and vCard4 (RFC 6351, XEP-0292, 11).
#pragma once

#include "core/element.h"

#include <string_view>

namespace epode::vcard {

inline constexpr std::string_view oldNs = "vcard-temp";
inline constexpr std::string_view newNs = "urn:ietf:params:xml:ns:vcard-4.0";

// Makes `into` say what `from` says, whichever of the two forms they have. What says the same
// already stays as it is, with whatever the other form has no words for, and so does what is not
// mapped at all. True when `into` was changed.
bool carry(const Element& from, Element& into);

}  // namespace epode::vcard
