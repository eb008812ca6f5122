#include "pubsub.h"

namespace epode::rest {

namespace {

constexpr std::string_view pubsubNs = "http://jabber.org/protocol/pubsub";

std::optional<StanzaError> errorOf(const Client::Answered& answered) {
    if (!answered.answer || !answered.answer->isError()) return std::nullopt;
    auto error = StanzaError::read(answered.answer->root());
    return error ? error : StanzaError{Condition::UndefinedCondition, "It was refused."};
}

}  // namespace

std::optional<Problem> problemWith(const Client::Answered& answered) {
    if (!answered.answer) return timedOut("There was no answer in time.");
    if (const auto error = errorOf(answered)) return problemOf(*error);
    return std::nullopt;
}

bool isAbsent(const Client::Answered& answered) {
    const auto error = errorOf(answered);
    return error && error->condition == Condition::ItemNotFound;
}

MutableStanzaPtr askForItems(const Jid& whose, std::string_view node, std::string_view id) {
    auto request = Stanza::iq(StanzaType::Get, {}, whose, "");
    Element& items = request->edit().add("pubsub", pubsubNs).add("items").set("node", node);
    if (!id.empty()) items.add("item").set("id", id);
    return request;
}

std::vector<const Element*> itemsOf(const Client::Answered& answered) {
    std::vector<const Element*> found;
    const Element* pubsub = answered.answer ? answered.answer->payload() : nullptr;
    const Element* items = pubsub ? pubsub->child("items") : nullptr;
    if (!items) return found;
    for (const Element& child : items->children())
        if (child.name() == "item") found.push_back(&child);
    return found;
}

Publication publication(std::string_view node, std::string_view id) {
    auto request = Stanza::iq(StanzaType::Set, {}, {}, "");
    Element& item =
        request->edit().add("pubsub", pubsubNs).add("publish").set("node", node).add("item");
    if (!id.empty()) item.set("id", id);
    return {std::move(request), &item};
}

MutableStanzaPtr retraction(std::string_view node, std::string_view id) {
    auto request = Stanza::iq(StanzaType::Set, {}, {}, "");
    request->edit()
        .add("pubsub", pubsubNs)
        .add("retract")
        .set("node", node)
        .set("notify", "true")
        .add("item")
        .set("id", id);
    return request;
}

}  // namespace epode::rest
