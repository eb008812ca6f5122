#include "importance.h"

#include "core/forwarded.h"
#include "core/namespaces.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace epode::csi {

namespace {

constexpr std::string_view carbonsNs = "urn:xmpp:carbons:2";
constexpr std::string_view receiptsNs = "urn:xmpp:receipts";
constexpr std::string_view markersNs = "urn:xmpp:chat-markers:0";
constexpr std::string_view eventNs = "http://jabber.org/protocol/pubsub#event";

// What accompanies other content and says nothing by itself.
constexpr std::array companions{
    epode::ns::hints,
    epode::ns::stanzaIds,
    epode::ns::delay,
    std::string_view{"urn:xmpp:occupant-id:0"},
    std::string_view{"jabber:x:event"},
    std::string_view{"http://jabber.org/protocol/nick"},
    std::string_view{"http://jabber.org/protocol/address"},
};

// Nodes that tell one thing, whatever the ids of their items are.
constexpr std::array<std::string_view, 8> singleNodes{
    "http://jabber.org/protocol/activity",       "http://jabber.org/protocol/geoloc",
    "http://jabber.org/protocol/mood",           "http://jabber.org/protocol/nick",
    "http://jabber.org/protocol/tune",           "urn:xmpp:avatar:metadata",
    "eu.siacs.conversations.axolotl.devicelist", "urn:xmpp:omemo:2:devices",
};

template <std::size_t Size>
bool contains(const std::array<std::string_view, Size>& list, std::string_view text) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

// What the message is beyond its companions; in the order in which one outweighs another.
enum class Content { Nothing, ChatState, Receipt, Event, Important };

Content contentOf(const Element& child, bool isHeadline) {
    const std::string_view ns = child.ns();
    const std::string_view name = child.name();
    if (ns == epode::ns::client) {
        if (name == "thread") return Content::Nothing;
        // A headline is of the moment, whatever it says.
        return isHeadline && (name == "body" || name == "subject") ? Content::Event
                                                                   : Content::Important;
    }
    if (ns == epode::ns::chatStates) return Content::ChatState;
    if (ns == receiptsNs) return name == "request" ? Content::Nothing : Content::Receipt;
    if (ns == markersNs) return name == "markable" ? Content::Nothing : Content::Receipt;
    if (ns == eventNs) return Content::Event;
    if (ns == epode::ns::mucUser)
        return child.child("invite") || child.child("decline") ? Content::Important
                                                               : Content::Nothing;
    // What is not known may be for a person.
    return contains(companions, ns) ? Content::Nothing : Content::Important;
}

Content contentOf(const Element& message, std::string_view type) {
    Content content = Content::Nothing;
    for (const Element& child : message.children())
        content = std::max(content, contentOf(child, type == "headline"));
    return content;
}

// An item of a node is one thing; so is a node of which only the newest item counts.
std::string eventKey(std::string_view from, const Element& event) {
    const Element* items = event.child("items", eventNs);
    if (!items) return {};
    std::string key{"event "};
    key.append(from).append(" ").append(items->get("node"));
    if (contains(singleNodes, items->get("node"))) return key;
    const auto range = items->children();
    if (range.size() != 1 || range.begin()->get("id").empty()) return {};
    return key.append("\n").append(range.begin()->get("id"));
}

// An announcement by the server itself: a text in no other's name.
bool isAnnouncement(const Stanza& message) {
    return message.type() == StanzaType::Headline && message.from().isDomain() &&
           !message.body().empty();
}

std::optional<std::string> heldMessage(const Stanza& message) {
    const Element* content = &message.root();
    std::string_view from = message.from().text();
    std::string_view to;
    std::string_view type = toText(message.type());
    const Element* sent = message.child("sent", carbonsNs);
    const Element* copy = sent ? sent : message.child("received", carbonsNs);
    if (copy) {
        content = readForwarded(*copy, StanzaKind::Message).stanza;
        if (!content) return std::nullopt;
        from = content->get("from");
        to = content->get("to");
        type = content->get("type");
    }
    switch (contentOf(*content, type)) {
        case Content::Important:
            return std::nullopt;
        case Content::Event: {
            const Element* event = content->child("event", eventNs);
            return event ? eventKey(from, *event) : std::string{};
        }
        case Content::Receipt:
            // Read on another device: a notification can go away here.
            if (sent) return std::nullopt;
            return std::string{};
        case Content::ChatState: {
            std::string key{sent ? "sent " : "state "};
            return key.append(from).append(" ").append(to);
        }
        case Content::Nothing:
            return std::string{};
    }
    return std::nullopt;
}

// One's own presence in a room: joined, thrown out, renamed.
bool isOwnOccupant(const Stanza& presence) {
    const Element* room = presence.child("x", ns::mucUser);
    if (!room) return false;
    const auto statuses = room->children();
    return std::any_of(statuses.begin(), statuses.end(), [](const Element& child) {
        return child.name() == "status" && child.get("code") == "110";
    });
}

}  // namespace

std::optional<std::string> heldAs(const Stanza& stanza) {
    switch (stanza.kind()) {
        case StanzaKind::Iq:
            return std::nullopt;
        case StanzaKind::Presence: {
            const bool isState =
                stanza.type() == StanzaType::None || stanza.type() == StanzaType::Unavailable;
            if (!isState || isOwnOccupant(stanza)) return std::nullopt;
            return "presence " + stanza.from().text();
        }
        case StanzaKind::Message:
            if (stanza.isError() || isAnnouncement(stanza)) return std::nullopt;
            return heldMessage(stanza);
    }
    return std::nullopt;
}

}  // namespace epode::csi
