#include "route/message_content.h"

#include "core/namespaces.h"

#include <array>
#include <string_view>

namespace epode {

namespace {

struct Payload {
    std::string_view name;  // "" for any element of the namespace
    std::string_view ns;
};

// What makes a message without a body worth keeping: devices that were away have to see it too.
constexpr std::array worthKeeping{
    Payload{"received", "urn:xmpp:receipts"},
    Payload{"", "urn:xmpp:chat-markers:0"},
    Payload{"reactions", "urn:xmpp:reactions:0"},
    Payload{"retract", "urn:xmpp:message-retract:1"},
    Payload{"apply-to", "urn:xmpp:fasten:0"},
    Payload{"attach-to", "urn:xmpp:message-attaching:1"},
    Payload{"encrypted", "eu.siacs.conversations.axolotl"},
    Payload{"encrypted", "urn:xmpp:omemo:2"},
    Payload{"openpgp", "urn:xmpp:openpgp:0"},
    Payload{"", "urn:xmpp:jingle-message:0"},
    Payload{"invite", "urn:xmpp:call-invites:0"},
    Payload{"x", "jabber:x:conference"},
    Payload{"x", "jabber:x:encrypted"},
    Payload{"displayed", "urn:xmpp:mds:displayed:0"},
};

bool isWorthKeeping(const Element& child) {
    for (const Payload& payload : worthKeeping)
        if (child.ns() == payload.ns && (payload.name.empty() || child.name() == payload.name))
            return true;
    return false;
}

}  // namespace

Keeping keepingOf(const Stanza& message) {
    if (message.type() != StanzaType::Chat && message.type() != StanzaType::Normal)
        return Keeping::Nothing;
    bool worth = false;
    bool asked = false;
    bool forbidden = false;
    for (const Element& child : message.root().children()) {
        if (child.ns() == ns::client) {
            worth = worth || child.name() == "body";
        } else if (child.ns() == ns::hints) {
            asked = asked || child.name() == "store";
            forbidden = forbidden || child.name() == "no-store" || child.name() == "no-permanent-store";
        } else if (child.ns() == ns::mucUser) {
            worth = worth || child.child("invite", ns::mucUser);  // a mediated invitation
        } else {
            worth = worth || isWorthKeeping(child);
        }
    }
    if (forbidden) return worth ? Keeping::Refused : Keeping::Nothing;
    return worth || asked ? Keeping::Message : Keeping::Nothing;
}

}  // namespace epode
