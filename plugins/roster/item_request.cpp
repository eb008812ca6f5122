#include "item_request.h"

#include <set>

namespace epode {

namespace {

StanzaError badRequest(std::string text) { return {Condition::BadRequest, std::move(text)}; }
StanzaError notAcceptable(std::string text) { return {Condition::NotAcceptable, std::move(text)}; }

// Groups are the same when they would be as resourceparts (RFC 6121, 2.3.3).
std::string comparable(std::string_view group) {
    return prepareResource(group).value_or(std::string{group});
}

}  // namespace

std::variant<ItemRequest, StanzaError> readItemRequest(const Element& query,
                                                       const ItemLimits& limits) {
    const Element* item = query.child("item");
    if (!item || query.children().size() != 1)
        return badRequest("A roster set has exactly one item.");
    const auto jid = item->find("jid");
    if (!jid) return badRequest("The item names no contact.");
    const auto contact = Jid::parse(*jid);
    if (!contact) return StanzaError{Condition::JidMalformed, "The item's 'jid' is no address."};
    if (!contact->isBare()) return badRequest("A contact is named by its bare address.");

    ItemRequest request;
    request.contact = *contact;
    // Any other value is ignored (2.1.2.5), as are 'ask' and 'approved'.
    request.removes = item->get("subscription") == "remove";
    if (request.removes) return request;

    request.name = item->get("name");
    if (request.name.size() > limits.nameBytesMax) return notAcceptable("The name is too long.");
    std::set<std::string> seen;
    for (const Element& child : item->children()) {
        if (!child.is("group", query.ns())) continue;
        const std::string_view group = child.text();
        if (group.empty()) return notAcceptable("A group has no name.");
        if (group.size() > limits.groupBytesMax)
            return notAcceptable("A group's name is too long.");
        if (request.groups.size() == limits.groupsMax)
            return notAcceptable("The contact is in too many groups.");
        if (!seen.insert(comparable(group)).second) return badRequest("A group occurs twice.");
        request.groups.emplace_back(group);
    }
    return request;
}

}  // namespace epode
