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

// What makes a message without a body a part of the conversation: all devices have to see it, now
// or when they read the archive. Prosody and ejabberd keep the same, but for the newest of them.
constexpr std::array conversation{
    Payload{"", "urn:xmpp:receipts"},
    Payload{"", "urn:xmpp:chat-markers:0"},
    Payload{"reactions", "urn:xmpp:reactions:0"},
    Payload{"retract", "urn:xmpp:message-retract:1"},
    Payload{"retracted", "urn:xmpp:message-retract:1"},
    Payload{"replace", "urn:xmpp:message-correct:0"},
    Payload{"apply-to", "urn:xmpp:fasten:0"},
    Payload{"attach-to", "urn:xmpp:message-attaching:1"},
    Payload{"file-sharing", "urn:xmpp:sfs:0"},
    Payload{"encryption", "urn:xmpp:eme:0"},
    Payload{"encrypted", "eu.siacs.conversations.axolotl"},
    Payload{"encrypted", "urn:xmpp:omemo:2"},
    Payload{"openpgp", "urn:xmpp:openpgp:0"},
    Payload{"x", "jabber:x:encrypted"},
    Payload{"", "urn:xmpp:jingle-message:0"},
    Payload{"", "urn:xmpp:call-invites:0"},
    Payload{"x", "jabber:x:conference"},
};

// What says nothing by itself, or only how things are at this moment. Carbons and archive results
// are made for one session: their messages are kept elsewhere.
constexpr std::array ofTheMoment{
    Payload{"", "http://jabber.org/protocol/chatstates"},
    Payload{"", "jabber:x:event"},
    Payload{"", "urn:xmpp:hints"},
    Payload{"", "urn:xmpp:sid:0"},
    Payload{"", "urn:xmpp:delay"},
    Payload{"", "urn:xmpp:carbons:2"},
    Payload{"", "urn:xmpp:mam:2"},
    Payload{"addresses", "http://jabber.org/protocol/address"},
    Payload{"nick", "http://jabber.org/protocol/nick"},
};

template <std::size_t Size>
bool isOneOf(const std::array<Payload, Size>& payloads, const Element& child) {
    for (const Payload& payload : payloads)
        if (child.ns() == payload.ns && (payload.name.empty() || child.name() == payload.name))
            return true;
    return false;
}

}  // namespace

bool isConversation(const Element& child) {
    return isOneOf(conversation, child) ||
           (child.is("x", ns::mucUser) && child.child("invite", ns::mucUser));
}

Keeping keepingOf(const Stanza& message) {
    if (message.type() != StanzaType::Chat && message.type() != StanzaType::Normal)
        return Keeping::Nothing;
    bool isPart = false;
    bool hasContent = false;
    bool isForbidden = false;
    bool isTemporary = false;
    for (const Element& child : message.root().children()) {
        if (child.ns() == ns::client) {
            // A normal message may be its subject alone, as a letter may.
            isPart = isPart || child.name() == "body" || child.name() == "subject";
        } else if (child.ns() == ns::hints) {
            isPart = isPart || child.name() == "store";
            isForbidden = isForbidden || child.name() == "no-store";
            isTemporary = isTemporary || child.name() == "no-permanent-store";
        } else if (isConversation(child)) {
            isPart = true;
        } else if (!isOneOf(ofTheMoment, child)) {
            // Nobody knows what it is worth to those who understand it: it is not lost.
            hasContent = true;
        }
    }
    if (!isPart && !hasContent) return Keeping::Nothing;
    if (isForbidden) return Keeping::Refused;
    return isPart && !isTemporary ? Keeping::Message : Keeping::UntilDelivered;
}

}  // namespace epode
