// What tests of publish-subscribe say and hear.
#pragma once

#include "core/caps.h"
#include "core/time_format.h"
#include "tests/plugins/answers.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

namespace epode {

inline const std::string pubsubNs = "http://jabber.org/protocol/pubsub";
inline const std::string service = "pubsub.capulet.example";

using Fields = std::vector<std::pair<std::string, std::string>>;

inline std::string form(const std::string& formType, const Fields& fields,
                        const std::string& type = "submit") {
    std::string xml = "<x xmlns='jabber:x:data' type='" + type + "'>";
    if (!formType.empty())
        xml += "<field var='FORM_TYPE' type='hidden'><value>" + pubsubNs + "#" + formType +
               "</value></field>";
    for (const auto& [var, value] : fields)
        xml += "<field var='" + (var.starts_with("x-") ? var : "pubsub#" + var) + "'><value>" +
               value + "</value></field>";
    return xml + "</x>";
}

inline std::string pubsub(const std::string& content) {
    return "<pubsub xmlns='" + pubsubNs + "'>" + content + "</pubsub>";
}
inline std::string ownerPubsub(const std::string& content) {
    return "<pubsub xmlns='" + pubsubNs + "#owner'>" + content + "</pubsub>";
}
inline std::string note(const std::string& text) { return "<n xmlns='urn:n'>" + text + "</n>"; }

inline std::string publish(const std::string& node, const std::string& id,
                           const std::string& payload, const Fields& options = {}) {
    std::string xml = "<publish node='" + node + "'><item" +
                      (id.empty() ? "" : " id='" + id + "'") + ">" + payload + "</item></publish>";
    if (!options.empty())
        xml += "<publish-options>" + form("publish-options", options) + "</publish-options>";
    return pubsub(xml);
}
inline std::string retract(const std::string& node, const std::string& id,
                           const std::string& notify = "") {
    return pubsub("<retract node='" + node + "'" +
                  (notify.empty() ? "" : " notify='" + notify + "'") + "><item id='" + id +
                  "'/></retract>");
}
inline std::string items(const std::string& node, const std::string& content = {}) {
    return pubsub("<items node='" + node + "'>" + content + "</items>");
}
inline std::string create(const std::string& node, const Fields& config = {}) {
    std::string xml = "<create node='" + node + "'/>";
    if (!config.empty()) xml += "<configure>" + form("node_config", config) + "</configure>";
    return pubsub(xml);
}
inline std::string configure(const std::string& node, const Fields& config) {
    return ownerPubsub("<configure node='" + node + "'>" + form("node_config", config) +
                       "</configure>");
}
inline std::string subscribeTo(const std::string& node, const std::string& jid,
                               const std::string& more = {}) {
    return pubsub("<subscribe node='" + node + "' jid='" + jid + "'/>" + more);
}
inline std::string unsubscribeFrom(const std::string& node, const std::string& jid) {
    return pubsub("<unsubscribe node='" + node + "' jid='" + jid + "'/>");
}
inline std::string affiliate(const std::string& node, const Fields& people) {
    std::string xml = "<affiliations node='" + node + "'>";
    for (const auto& [jid, affiliation] : people)
        xml += "<affiliation jid='" + jid + "' affiliation='" + affiliation + "'/>";
    return ownerPubsub(xml + "</affiliations>");
}

// The outcome with XEP-0060's own condition: "cancel conflict precondition-not-met".
inline std::string failure(const std::string& answer) {
    const auto stanza = parseXml(answer, ns::client);
    const auto error = stanza ? StanzaError::read(**stanza) : std::nullopt;
    std::string text = outcome(answer);
    if (error && !error->application.empty()) text += " " + error->application;
    if (error && !error->applicationFeature.empty()) text += " " + error->applicationFeature;
    return text;
}

// "id:text id:text" of an answer to a request for items.
inline std::string listed(const std::string& answer) {
    const auto stanza = parseXml(answer, ns::client);
    if (!stanza || (*stanza)->get("type") != "result") return failure(answer);
    const Element* list =
        (*stanza)->firstChild() ? (*stanza)->firstChild()->child("items") : nullptr;
    std::string text;
    for (const Element& item : list->children()) {
        if (!text.empty()) text += ' ';
        text += std::string{item.get("id")} + ":" +
                std::string{item.firstChild() ? item.firstChild()->text() : ""};
    }
    return text;
}

// An event as "from type node what": "juliet@capulet.example headline urn:n a:hello", or "" for
// anything else.
inline std::string event(const std::string& xml) {
    const auto stanza = parseXml(xml, ns::client);
    const Element* event = stanza ? (*stanza)->child("event", pubsubNs + "#event") : nullptr;
    if (!event || !event->firstChild()) return {};
    const Element& about = *event->firstChild();
    std::string text = std::string{(*stanza)->get("from")} + " " +
                       std::string{(*stanza)->get("type", "normal")} + " " +
                       std::string{about.get("node")};
    if (about.name() != "items") text += " " + std::string{about.name()};
    if (about.name() == "subscription")
        text += " " + std::string{about.get("jid")} + " " + std::string{about.get("subscription")};
    for (const Element& item : about.children()) {
        if (item.name() == "item")
            text += " " + std::string{item.get("id")} + ":" +
                    std::string{item.firstChild() ? item.firstChild()->text() : ""};
        else
            text += " " + std::string{item.name()} + ":" + std::string{item.get("id")};
    }
    if ((*stanza)->child("delay", ns::delay)) text += " delayed";
    return text;
}

// Every event that came, in its order; everything else is dropped.
inline std::vector<std::string> events(TestClient& client) {
    std::vector<std::string> found;
    for (const auto& xml : client.all())
        if (auto text = event(xml); !text.empty()) found.push_back(text);
    return found;
}
using Events = std::vector<std::string>;

// ---- capabilities

inline std::string discoInfo(const std::vector<std::string>& features) {
    std::string xml =
        "<query xmlns='http://jabber.org/protocol/disco#info'>"
        "<identity category='client' type='pc'/>";
    for (const auto& feature : features) xml += "<feature var='" + feature + "'/>";
    return xml + "</query>";
}
inline std::string capsOf(const std::vector<std::string>& features) {
    return capsVerification(**parseXml(discoInfo(features))).value();
}
inline std::string presenceWith(const std::string& ver, const std::string& to = {}) {
    return "<presence" + (to.empty() ? "" : " to='" + to + "'") +
           "><c xmlns='http://jabber.org/protocol/caps' hash='sha-1' node='http://client.example' "
           "ver='" +
           ver + "'/></presence>";
}
// Answers the server's question for abilities, if there is one; whether there was.
inline bool tells(TestClient& client, const std::vector<std::string>& features) {
    auto received = client.all();
    for (const auto& xml : received) {
        const auto stanza = parseXml(xml, ns::client);
        if (!stanza || (*stanza)->name() != "iq" || (*stanza)->get("type") != "get") continue;
        client.send("<iq type='result' id='" + std::string{(*stanza)->get("id")} + "' to='" +
                    std::string{(*stanza)->get("from")} + "'>" + discoInfo(features) + "</iq>");
        return true;
    }
    return false;
}
// Available, and interested in these nodes.
inline void wants(TestClient& client, const std::vector<std::string>& nodes) {
    std::vector<std::string> features;
    for (const auto& node : nodes) features.push_back(node + "+notify");
    client.send(presenceWith(capsOf(features)));
    tells(client, features);
}

inline void befriend(TestClient& one, TestClient& other) {
    subscribe(one, other);
    subscribe(other, one);
}

}  // namespace epode
