// vCards (XEP-0054) as plugins take part in them, who keep a part somewhere else: the picture.
#pragma once

#include "core/element.h"
#include "core/jid.h"
#include "route/hooks.h"

namespace epode {

// An account's vCard is about to be shown to somebody who may see it: `Services::vcardShown`.
// Handlers add what they keep.
struct VcardShown : Event {
    const Jid& account;
    const Jid& who;
    Element& vcard;
    VcardShown(const Jid& a, const Jid& w, Element& v) : account{a}, who{w}, vcard{v} {}
};

// The owner gives a new vCard, which isn't kept yet: `Services::vcardGiven`. Handlers take out what
// they keep themselves, durably.
struct VcardGiven : Event {
    const Jid& account;
    Element& vcard;
    VcardGiven(const Jid& a, Element& v) : account{a}, vcard{v} {}
};

}  // namespace epode
