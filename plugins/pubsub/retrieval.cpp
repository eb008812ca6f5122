// Reading items (XEP-0060, 6.5), and what an entity has at a service (5.6, 5.7).
#include "core/namespaces.h"
#include "core/rsm.h"
#include "engine.h"
#include "errors.h"

#include <algorithm>
#include <charconv>

namespace epode::pubsub {

namespace {

std::optional<std::int64_t> parseCount(std::string_view text) {
    std::int64_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool isNumber = !text.empty() && end == text.data() + text.size() && text.front() != '-';
    if (problem == std::errc::result_out_of_range && isNumber) return INT64_MAX;
    if (problem != std::errc{} || !isNumber) return std::nullopt;
    return value;
}

struct ReadQuery {
    ItemQuery query;
    bool isPaged = false;
    std::optional<StanzaError> refusal;
};

ReadQuery readQuery(const Call& call, std::int64_t pageMax) {
    ReadQuery read;
    ItemQuery& query = read.query;
    const auto refuse = [&read](StanzaError why) {
        read.refusal = std::move(why);
        return std::move(read);
    };
    for (const Element& child : call.action.children()) {
        if (!child.is("item", names::pubsub)) continue;
        if (child.get("id").empty()) return refuse(badRequest("item-required", "Name the item."));
        query.ids.emplace_back(child.get("id"));
        if (query.ids.size() > idsMax) return refuse(malformed("These are too many items."));
    }
    query.max = pageMax;
    query.bytesMax = pageBytesMax;
    if (const auto newest = call.action.find("max_items")) {
        query.newest = parseCount(*newest);
        if (!query.newest || *query.newest == 0)
            return refuse(malformed("The attribute 'max_items' is a number from 1."));
    }
    auto page = readPageRequest(call.payload());
    if (auto* error = std::get_if<StanzaError>(&page)) return refuse(*error);
    auto& asked = std::get<PageRequest>(page);
    read.isPaged = asked.isAsked;
    if (!asked.isAsked) return read;
    if (asked.max) query.max = std::min<std::int64_t>(*asked.max, pageMax);
    query.isBackward = asked.isBackward();
    query.after = std::move(asked.after);
    query.before = std::move(asked.before);
    if (asked.index) query.index = *asked.index;
    return read;
}

}  // namespace

Task<Reply> Engine::items(Call& call) {
    const WallTime now = call.iq.shard().executor().wallNow();
    if (auto refused = whyNotRead(*call.realm, *call.node, call.bare, call.relation, now))
        co_return *refused;
    if (!call.node->config.persistItems)
        co_return unsupported("persistent-items", "This node keeps no items.");
    ReadQuery read = readQuery(call, limits_.pageMax);
    if (read.refusal) co_return *read.refusal;
    read.query.notBefore = notBefore(call.node->config, now);
    const bool areNamed = !read.query.ids.empty();
    const auto page = co_await store_.items(call.realm->owner, call.node->id, read.query);
    if (!page.isKnown)
        co_return StanzaError{ErrorType::Cancel, Condition::ItemNotFound,
                              "The item that the page is counted from does not exist."};

    std::string xml = "<pubsub xmlns='";
    xml.append(names::pubsub).append("'><items node='");
    escapeAttribute(xml, call.name);
    xml += "'>";
    for (const Item& item : page.items) addItem(xml, *call.realm, item, true);
    xml += "</items>";
    if (read.isPaged || (!areNamed && page.isCut && !read.query.newest)) {
        Document wrapper{"pubsub", names::pubsub};
        Page told;
        told.count = std::uint64_t(page.count);
        if (!page.items.empty()) {
            told.first = page.items.front().id;
            told.last = page.items.back().id;
            told.index = std::uint64_t(page.index);
        }
        addPage(*wrapper, told);
        writeXml(xml, *wrapper->firstChild(), names::pubsub);
    }
    co_return answerWith(call.iq, xml + "</pubsub>");
}

Task<Reply> Engine::ownSubscriptions(Call& call) {
    std::vector<OwnSubscription> found;
    if (call.kind == ServiceKind::Account) {
        for (const auto& [name, node] : call.realm->nodes)
            for (const auto& [jid, subscription] : node->subscriptions)
                if (call.isSender(jid)) found.push_back({name, jid, subscription});
    } else {
        const std::string domain = call.iq.domain()->domain;
        const std::string bare = call.bare.text();
        const auto most = std::size_t(limits_.pageMax);
        found = co_await store_.subscriptionsOf(domain, bare, most);
    }
    Document answer{"pubsub", names::pubsub};
    Element& list = answer->add("subscriptions");
    if (!call.name.empty()) list.set("node", call.name);
    for (const auto& own : found) {
        if (!call.name.empty() && own.node != call.name) continue;
        list.add("subscription")
            .set("node", own.node)
            .set("jid", own.jid.text())
            .set("subscription", toText(own.subscription.state));
    }
    co_return Reply{std::move(answer)};
}

Task<Reply> Engine::ownAffiliations(Call& call) {
    std::vector<OwnAffiliation> found;
    if (call.kind == ServiceKind::Account) {
        for (const auto& [name, node] : call.realm->nodes)
            if (const auto own = node->affiliationOf(call.bare); own != Affiliation::None)
                found.push_back({name, own});
    } else {
        const std::string domain = call.iq.domain()->domain;
        const std::string bare = call.bare.text();
        const auto most = std::size_t(limits_.pageMax);
        found = co_await store_.affiliationsOf(domain, bare, most);
    }
    Document answer{"pubsub", names::pubsub};
    Element& list = answer->add("affiliations");
    if (!call.name.empty()) list.set("node", call.name);
    for (const auto& own : found)
        if (call.name.empty() || own.node == call.name)
            list.add("affiliation")
                .set("node", own.node)
                .set("affiliation", toText(own.affiliation));
    co_return Reply{std::move(answer)};
}

}  // namespace epode::pubsub
