#include "events.h"

#include "core/namespaces.h"
#include "core/random.h"
#include "core/time_format.h"
#include "names.h"

namespace epode::pubsub {

std::string escaped(std::string_view text) {
    std::string out;
    escapeAttribute(out, text);
    return out;
}

void addItem(std::string& xml, const Realm& realm, const Item& item, bool withPayload) {
    xml += "<item id='";
    escapeAttribute(xml, item.id);
    if (realm.kind == ServiceKind::Domain || item.publisher != realm.address.text()) {
        xml += "' publisher='";
        escapeAttribute(xml, item.publisher);
    }
    if (!withPayload || item.payload.empty()) {
        xml += "'/>";
        return;
    }
    xml.append("'>").append(item.payload).append("</item>");
}

std::string itemsEvent(const Realm& realm, const Node& node, const Item& item) {
    std::string xml = "<items node='" + escaped(node.name) + "'>";
    // A transient node without payloads has no items: it only says that something has happened.
    if (node.config.persistItems || node.config.deliverPayloads)
        addItem(xml, realm, item, node.config.deliverPayloads);
    return xml + "</items>";
}

std::string retractEvent(const Node& node, const std::vector<std::string>& ids) {
    std::string xml = "<items node='" + escaped(node.name) + "'>";
    for (const auto& id : ids) xml += "<retract id='" + escaped(id) + "'/>";
    return xml + "</items>";
}

std::string nodeEvent(std::string_view name, const Node& node, std::string_view content) {
    std::string xml = "<";
    xml.append(name).append(" node='");
    escapeAttribute(xml, node.name);
    if (content.empty()) return xml + "'/>";
    xml.append("'>").append(content).append("</").append(name).append(">");
    return xml;
}

std::string subscriptionEvent(const Node& node, const Jid& jid, SubscriptionState state) {
    return "<subscription node='" + escaped(node.name) + "' jid='" + escaped(jid.text()) +
           "' subscription='" + std::string{toText(state)} + "'/>";
}

StanzaPtr eventMessage(const Realm& realm, NotificationType type, std::string_view event,
                       std::optional<WallTime> delayed) {
    std::string xml = "<message id='" + randomId() + "'";
    if (type == NotificationType::Headline) xml += " type='headline'";
    xml.append("><event xmlns='")
        .append(names::event)
        .append("'>")
        .append(event)
        .append("</event>");
    if (delayed) {
        xml.append("<delay xmlns='").append(ns::delay).append("' stamp='");
        appendDateTime(xml, *delayed);
        xml += "'/>";
    }
    auto message = Stanza::parse(xml + "</message>");
    if (message) message->setFrom(realm.address);
    return message;
}

}  // namespace epode::pubsub
