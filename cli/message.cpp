#include "cli/message.h"

namespace epode::cli {

namespace {

Message readPlain(const Stanza& stanza, const std::string& ownBare) {
    Message message;
    message.from = stanza.get("from").empty() ? ownBare : stanza.get("from");
    message.to = stanza.get("to").empty() ? ownBare : stanza.get("to");
    message.type = stanza.get("type").empty() ? "normal" : stanza.get("type");
    message.id = stanza.get("id");
    message.isOwn = bareOf(message.from) == ownBare && bareOf(message.to) != ownBare;
    message.error = errorOf(stanza);
    message.time = WallClock::now();
    for (const Stanza& child : stanza.children()) {
        const auto name = child.name();
        const auto ns = child.ns();
        if (name == "body" && message.body.empty()) {
            message.body = child.text();
        } else if (name == "subject" && message.subject.empty()) {
            message.subject = child.text();
        } else if (name == "delay" && ns == ns::delay) {
            if (const auto time = parseTime(child.get("stamp"))) message.time = *time;
            message.isDelayed = true;
        } else if (name == "request" && ns == ns::receipts) {
            message.wantsReceipt = true;
        } else if (name == "received" && ns == ns::receipts) {
            message.receiptFor = child.get("id");
        } else if (ns == ns::chatStates) {
            message.chatState = name;
        } else if (name == "stanza-id" && ns == ns::stableId && child.get("by") == ownBare) {
            message.archiveId = child.get("id");
        }
    }
    return message;
}

std::optional<Message> readForwarded(const Stanza& forwarded, const std::string& ownBare) {
    const Stanza inner = forwarded.child("message");
    if (!inner) return std::nullopt;
    Message message = readPlain(inner, ownBare);
    const Stanza delay = forwarded.child("delay", ns::delay);
    if (const auto time = parseTime(delay.get("stamp")); delay && time) message.time = *time;
    return message;
}

}  // namespace

std::optional<Message> readMessage(const Stanza& stanza, const std::string& ownBare) {
    if (stanza.name() != "message" || stanza.child("result", ns::archive)) return std::nullopt;
    for (const char* direction : {"received", "sent"}) {
        const Stanza carbon = stanza.child(direction, ns::carbons);
        if (!carbon) continue;
        if (stanza.get("from") != ownBare) return std::nullopt;
        return readForwarded(carbon.child("forwarded", ns::forward), ownBare);
    }
    return readPlain(stanza, ownBare);
}

std::optional<Message> readArchived(const Stanza& result, const std::string& ownBare) {
    auto message = readForwarded(result.child("forwarded", ns::forward), ownBare);
    if (message) {
        message->archiveId = result.get("id");
        message->isDelayed = true;
    }
    return message;
}

Poco::JSON::Object::Ptr toJson(const Message& message) {
    auto object = jsonObject({{"event", std::string{"message"}},
                              {"from", message.from},
                              {"to", message.to},
                              {"type", message.type},
                              {"id", message.id},
                              {"archive_id", message.archiveId},
                              {"time", isoTime(message.time)},
                              {"subject", message.subject}});
    object->set("text", message.body);
    if (message.isDelayed) object->set("delayed", true);
    if (message.isOwn) object->set("own", true);
    return object;
}

Stanza makeMessage(const std::string& to, const std::string& type, const std::string& id,
                   const std::string& body, Receipt receipt) {
    Stanza message{"message"};
    message.set("to", to).set("type", type).set("id", id).addText("body", body);
    message.add(Stanza{"origin-id", ns::stableId}.set("id", id));
    if (receipt == Receipt::Wanted) message.add(Stanza{"request", ns::receipts});
    return message;
}

Stanza makeReceipt(const Message& received) {
    Stanza message{"message"};
    message.set("to", received.from).set("type", received.type).set("id", newId());
    message.add(Stanza{"received", ns::receipts}.set("id", received.id));
    return message;
}

Stanza makeChatState(const std::string& to, const char* state) {
    Stanza message{"message"};
    message.set("to", to).set("type", "chat").set("id", newId());
    message.add(Stanza{state, ns::chatStates});
    return message.add(Stanza{"no-store", ns::hints});
}

}  // namespace epode::cli
