#include "core/forwarded.h"

#include "core/namespaces.h"
#include "core/time_format.h"

namespace epode {

namespace {

Element& begin(Element& wrapper, const std::optional<WallTime>& at) {
    Element& forwarded = wrapper.add("forwarded", ns::forward);
    if (at) forwarded.add("delay", ns::delay).set("stamp", formatDateTime(*at));
    return forwarded;
}

}  // namespace

void addForwarded(Element& wrapper, const Stanza& stanza, std::optional<WallTime> at) {
    stanza.addTo(begin(wrapper, at));
}

void addForwarded(Element& wrapper, const Element& stanza, std::optional<WallTime> at) {
    begin(wrapper, at).add(stanza);
}

void beginForwarded(std::string& out, std::optional<WallTime> at) {
    out.append("<forwarded xmlns='urn:xmpp:forward:0'>");
    if (!at) return;
    out.append("<delay xmlns='urn:xmpp:delay' stamp='");
    appendDateTime(out, *at);
    out.append("'/>");
}

Forwarded readForwarded(const Element& wrapper, StanzaKind kind) {
    Forwarded found;
    const Element* forwarded = wrapper.child("forwarded", ns::forward);
    if (!forwarded) return found;
    unsigned stanzas = 0;
    for (const Element& child : forwarded->children()) {
        if (child.ns() == ns::client) {
            ++stanzas;
            if (child.name() == toText(kind)) found.stanza = &child;
        } else if (child.is("delay", ns::delay) && !found.at) {
            found.at = parseDateTime(child.get("stamp"));
        }
    }
    if (stanzas != 1) found.stanza = nullptr;
    return found;
}

MutableStanzaPtr forwardedStanza(const Element& wrapper, StanzaKind kind) {
    const Element* found = readForwarded(wrapper, kind).stanza;
    if (!found) return nullptr;
    auto problem = Stanza::Problem::None;
    auto stanza = Stanza::fromDocument(Document{*found}, {}, problem);
    return problem == Stanza::Problem::None ? std::move(stanza) : nullptr;
}

}  // namespace epode
