// Private XML Storage (XEP-0049) as plugins take part in it, who keep a fragment somewhere else.
#pragma once

#include "core/element.h"
#include "core/jid.h"
#include "route/hooks.h"

#include <optional>
#include <string>

namespace epode {

// The owner asks for a fragment (`wanted` has its name). `Services::privateXmlAsked`: who has it
// says so with `found`, which is XML.
struct PrivateXmlAsked : Event {
    const Jid& account;
    const Element& wanted;
    std::optional<std::string> found;
    PrivateXmlAsked(const Jid& a, const Element& w) : account{a}, wanted{w} {}
};

// The owner gives a fragment, which is within the limits. `Services::privateXmlGiven`: who keeps it
// sets `isKept` when it is durable, and nobody else keeps it.
struct PrivateXmlGiven : Event {
    const Jid& account;
    const Element& fragment;
    bool isKept = false;
    PrivateXmlGiven(const Jid& a, const Element& f) : account{a}, fragment{f} {}
};

}  // namespace epode
