#include "messages.h"

#include "core/namespaces.h"
#include "core/time_format.h"

#include <algorithm>
#include <array>

namespace epode::rest {

namespace {

constexpr std::string_view correctNs = "urn:xmpp:message-correct:0";
constexpr std::string_view retractNs = "urn:xmpp:message-retract:1";
constexpr std::string_view moderateNs = "urn:xmpp:message-moderate:1";
constexpr std::string_view receiptsNs = "urn:xmpp:receipts";
constexpr std::string_view markersNs = "urn:xmpp:chat-markers:0";
constexpr std::string_view reactionsNs = "urn:xmpp:reactions:0";
constexpr std::string_view replyNs = "urn:xmpp:reply:0";
constexpr std::string_view oobNs = "jabber:x:oob";
constexpr std::string_view occupantNs = "urn:xmpp:occupant-id:0";
constexpr std::string_view encryptionNs = "urn:xmpp:eme:0";
constexpr std::array<std::string_view, 2> omemo{"eu.siacs.conversations.axolotl",
                                                "urn:xmpp:omemo:2"};

void writeText(JsonWriter& json, std::string_view name, std::string_view text) {
    if (!text.empty()) json.key(name).value(text);
}

const Element* own(const Element& message, std::string_view name) {
    return message.child(name, ns::client);
}

bool isEncrypted(const Element& message) {
    return message.child("encryption", encryptionNs) ||
           std::any_of(omemo.begin(), omemo.end(), [&message](std::string_view each) {
               return message.child("encrypted", each) != nullptr;
           });
}

void writeReferences(JsonWriter& json, const Element& message) {
    if (const Element* replace = message.child("replace", correctNs))
        writeText(json, "replaces", replace->get("id"));
    if (const Element* reply = message.child("reply", replyNs))
        writeText(json, "reply_to", reply->get("id"));
    if (const Element* retract = message.child("retract", retractNs)) {
        writeText(json, "retracts", retract->get("id"));
        if (retract->child("moderated", moderateNs)) json.key("moderated").flag(true);
    }
    // A tombstone (XEP-0424, 4; XEP-0425, 4).
    if (message.child("retracted", retractNs)) json.key("retracted").flag(true);
    if (const Element* received = message.child("received", receiptsNs))
        writeText(json, "delivered", received->get("id"));
    if (const Element* displayed = message.child("displayed", markersNs))
        writeText(json, "displayed", displayed->get("id"));
    if (const Element* reactions = message.child("reactions", reactionsNs)) {
        json.key("reacts_to").value(reactions->get("id")).key("reactions").open('[');
        for (const Element& child : reactions->children())
            if (child.name() == "reaction") json.value(child.text());
        json.close(']');
    }
}

void writeAttachments(JsonWriter& json, const Element& message) {
    bool isFirst = true;
    for (const Element& child : message.children()) {
        if (!child.is("x", oobNs)) continue;
        if (std::exchange(isFirst, false)) json.key("attachments").open('[');
        json.value(child.childText("url"));
    }
    if (!isFirst) json.close(']');
}

}  // namespace

void writeMessage(JsonWriter& json, const Element& message, const Envelope& envelope) {
    json.open('{');
    if (!envelope.archiveId.empty()) json.key("id").value(envelope.archiveId);
    if (envelope.at) json.key("at").value(std::string_view{formatDateTime(*envelope.at)});
    writeText(json, "from", message.get("from"));
    writeText(json, "to", message.get("to"));
    if (envelope.self) {
        const auto from = Jid::parse(message.get("from"));
        json.key("outgoing").flag(from && from->bareText() == envelope.self->bareText());
    }
    json.key("type").value(message.get("type", "normal"));
    writeText(json, "message_id", message.get("id"));
    if (const Element* origin = message.child("origin-id", ns::stanzaIds))
        if (origin->get("id") != message.get("id")) writeText(json, "origin_id", origin->get("id"));
    if (const Element* subject = own(message, "subject"))
        json.key("subject").value(subject->text());
    if (const Element* body = own(message, "body")) json.key("body").value(body->text());
    if (const Element* thread = own(message, "thread")) writeText(json, "thread", thread->text());
    writeReferences(json, message);
    writeAttachments(json, message);
    if (isEncrypted(message)) json.key("encrypted").flag(true);
    if (const Element* occupant = message.child("occupant-id", occupantNs))
        writeText(json, "occupant_id", occupant->get("id"));
    for (const Element& child : message.children())
        if (child.ns() == ns::chatStates) writeText(json, "state", child.name());
    if (message.get("type") == "error") {
        if (const auto error = StanzaError::read(message)) {
            json.key("error").open('{').key("condition").value(toText(error->condition));
            writeText(json, "text", error->text);
            json.close('}');
        }
    }
    json.close('}');
}

std::string_view archiveIdOf(const Element& message, std::string_view by) {
    for (const Element& child : message.children())
        if (child.is("stanza-id", ns::stanzaIds) && child.get("by") == by) return child.get("id");
    return {};
}

bool isTold(const Element& message) {
    for (const Element& child : message.children()) {
        const bool isBeside = child.ns() == ns::chatStates || child.ns() == ns::stanzaIds ||
                              child.ns() == ns::hints || child.ns() == ns::delay ||
                              child.is("thread", ns::client);
        if (!isBeside) return true;
    }
    return false;
}

std::optional<WallTime> delayOf(const Element& parent) {
    const Element* delay = parent.child("delay", ns::delay);
    return delay ? parseDateTime(delay->get("stamp")) : std::nullopt;
}

}  // namespace epode::rest
