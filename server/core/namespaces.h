// Namespaces that more than one place uses. A plugin keeps its own to itself.
#pragma once

#include <string_view>

namespace epode::ns {

inline constexpr std::string_view client = "jabber:client";
inline constexpr std::string_view server = "jabber:server";
inline constexpr std::string_view component = "jabber:component:accept";
inline constexpr std::string_view streams = "http://etherx.jabber.org/streams";
inline constexpr std::string_view streamErrors = "urn:ietf:params:xml:ns:xmpp-streams";
inline constexpr std::string_view stanzaErrors = "urn:ietf:params:xml:ns:xmpp-stanzas";
inline constexpr std::string_view xml = "http://www.w3.org/XML/1998/namespace";
inline constexpr std::string_view tls = "urn:ietf:params:xml:ns:xmpp-tls";
inline constexpr std::string_view sasl = "urn:ietf:params:xml:ns:xmpp-sasl";
inline constexpr std::string_view sasl2 = "urn:xmpp:sasl:2";
inline constexpr std::string_view bind2 = "urn:xmpp:bind:0";
inline constexpr std::string_view bind = "urn:ietf:params:xml:ns:xmpp-bind";
inline constexpr std::string_view session = "urn:ietf:params:xml:ns:xmpp-session";
inline constexpr std::string_view roster = "jabber:iq:roster";
inline constexpr std::string_view streamManagement = "urn:xmpp:sm:3";
inline constexpr std::string_view delay = "urn:xmpp:delay";
inline constexpr std::string_view discoInfo = "http://jabber.org/protocol/disco#info";
inline constexpr std::string_view discoItems = "http://jabber.org/protocol/disco#items";
inline constexpr std::string_view dataForms = "jabber:x:data";
inline constexpr std::string_view formValidation = "http://jabber.org/protocol/xdata-validate";
inline constexpr std::string_view commands = "http://jabber.org/protocol/commands";
inline constexpr std::string_view rsm = "http://jabber.org/protocol/rsm";
inline constexpr std::string_view stanzaIds = "urn:xmpp:sid:0";
inline constexpr std::string_view hints = "urn:xmpp:hints";
inline constexpr std::string_view forward = "urn:xmpp:forward:0";
inline constexpr std::string_view caps = "http://jabber.org/protocol/caps";
inline constexpr std::string_view chatStates = "http://jabber.org/protocol/chatstates";
inline constexpr std::string_view muc = "http://jabber.org/protocol/muc";
inline constexpr std::string_view mucUser = "http://jabber.org/protocol/muc#user";

}  // namespace epode::ns
