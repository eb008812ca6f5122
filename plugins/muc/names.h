// Namespaces of rooms and of what is built on them.
#pragma once

#include <string_view>

namespace epode::muc::names {

inline constexpr std::string_view muc = "http://jabber.org/protocol/muc";
inline constexpr std::string_view user = "http://jabber.org/protocol/muc#user";
inline constexpr std::string_view admin = "http://jabber.org/protocol/muc#admin";
inline constexpr std::string_view owner = "http://jabber.org/protocol/muc#owner";
inline constexpr std::string_view roomConfig = "http://jabber.org/protocol/muc#roomconfig";
inline constexpr std::string_view roomInfo = "http://jabber.org/protocol/muc#roominfo";
inline constexpr std::string_view request = "http://jabber.org/protocol/muc#request";
inline constexpr std::string_view registerForm = "http://jabber.org/protocol/muc#register";
inline constexpr std::string_view unique = "http://jabber.org/protocol/muc#unique";
inline constexpr std::string_view stableId = "http://jabber.org/protocol/muc#stable_id";
inline constexpr std::string_view selfPing =
    "http://jabber.org/protocol/muc#self-ping-optimization";
inline constexpr std::string_view traffic = "http://jabber.org/protocol/muc#traffic";
inline constexpr std::string_view registration = "jabber:iq:register";
inline constexpr std::string_view directInvitation = "jabber:x:conference";  // XEP-0249
inline constexpr std::string_view ping = "urn:xmpp:ping";
inline constexpr std::string_view occupantId = "urn:xmpp:occupant-id:0";        // XEP-0421
inline constexpr std::string_view moderate = "urn:xmpp:message-moderate:1";     // XEP-0425
inline constexpr std::string_view oldModerate = "urn:xmpp:message-moderate:0";  // and its parts
inline constexpr std::string_view oldRetract = "urn:xmpp:message-retract:0";
inline constexpr std::string_view fasten = "urn:xmpp:fasten:0";
inline constexpr std::string_view hats = "urn:xmpp:hats:0";                // XEP-0317
inline constexpr std::string_view activity = "urn:xmpp:rai:0";             // XEP-0437
inline constexpr std::string_view mentions = "urn:xmpp:mmn:0";             // XEP-0452
inline constexpr std::string_view reference = "urn:xmpp:reference:0";      // XEP-0372
inline constexpr std::string_view retract = "urn:xmpp:message-retract:1";  // XEP-0424
inline constexpr std::string_view vcard = "vcard-temp";
inline constexpr std::string_view vcardUpdate = "vcard-temp:x:update";  // XEP-0153
inline constexpr std::string_view search = "https://xmlns.zombofant.net/muclumbus/search/1.0";
inline constexpr std::string_view searchParams =
    "https://xmlns.zombofant.net/muclumbus/search/1.0#params";
inline constexpr std::string_view channelSearch = "urn:xmpp:channel-search:0:search";  // XEP-0433
inline constexpr std::string_view channelSearchParams = "urn:xmpp:channel-search:0:search-params";
inline constexpr std::string_view channelSearchErrors = "urn:xmpp:channel-search:0:error";
inline constexpr std::string_view pubsub = "http://jabber.org/protocol/pubsub";
// Older forms of what a room says itself, which nobody else may say in it.
inline constexpr std::string_view oldDelay = "jabber:x:delay";

// Well-known nodes.
inline constexpr std::string_view ownNick = "x-roomuser-item";

}  // namespace epode::muc::names
