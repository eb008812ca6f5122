// Service discovery of nodes (XEP-0060, 5.2 to 5.5).
#include "core/namespaces.h"
#include "core/time_format.h"
#include "engine.h"
#include "errors.h"

namespace epode::pubsub {

namespace {

FormField jids(std::string_view var, std::string_view label, const Node& node,
               Affiliation affiliation) {
    FormField field{.var = std::string{var}, .type = FieldType::JidMulti};
    field.label = label;
    for (const auto& [jid, own] : node.affiliations)
        if (own == affiliation) field.values.push_back(jid.text());
    return field;
}

}  // namespace

// Of what exists and may be read; for others there is no such node, so that nobody finds out by
// asking.
Task<Reply> Engine::aboutNode(const Iq& iq) {
    Call call{iq, iq.payload()};
    const auto refused = co_await prepare(call, Route::Needs::Node);
    if (refused) co_return *refused;
    const WallTime now = iq.shard().executor().wallNow();
    if (whyNotRead(*call.realm, *call.node, call.bare, call.relation, now) &&
        maySubscribe(*call.realm, *call.node, call.bare, call.relation).refusal)
        co_return notFound();
    const Node& node = *call.node;
    Document query{"query", ns::discoInfo};
    query->set("node", call.name);
    query->add("identity").set("category", "pubsub").set("type", "leaf");
    for (const auto feature : {names::pubsub, ns::discoInfo, ns::discoItems})
        query->add("feature").set("var", feature);
    DataForm form{FormKind::Result, names::metaData};
    addMetaData(form, node.config);
    form.add({.var = "pubsub#creator", .type = FieldType::JidSingle, .values = {node.creator}});
    form.addText("pubsub#creation_date", formatDateTime(node.created));
    form.add(jids("pubsub#owner", "Owners", node, Affiliation::Owner));
    form.add(jids("pubsub#publisher", "Publishers", node, Affiliation::Publisher));
    std::size_t subscribers = 0;
    for (const auto& [jid, subscription] : node.subscriptions)
        subscribers += subscription.isActive(now);
    form.addText("pubsub#num_subscribers", std::to_string(subscribers));
    form.addTo(*query);
    co_return Reply{std::move(query)};
}

Task<Reply> Engine::itemsOfNode(const Iq& iq) {
    Call call{iq, iq.payload()};
    const auto refused = co_await prepare(call, Route::Needs::Node);
    if (refused) co_return *refused;
    const WallTime now = iq.shard().executor().wallNow();
    if (auto closed = whyNotRead(*call.realm, *call.node, call.bare, call.relation, now))
        co_return *closed;
    const auto bound = notBefore(call.node->config, now);
    const auto ids =
        co_await store_.itemIds(call.realm->owner, call.node->id, limits_.pageMax, bound);
    Document query{"query", ns::discoItems};
    query->set("node", call.name);
    for (const auto& id : ids)
        query->add("item").set("jid", call.realm->address.text()).set("name", id);
    co_return Reply{std::move(query)};
}

// Nodes that depend on who somebody is to their owner are not looked into here: they are for
// contacts, who know them.
Task<Reply> Engine::nodesOfDomain(const Iq& iq) {
    const std::string domain = iq.domain()->domain;
    const auto most = std::size_t(limits_.pageMax);
    const auto nodes = co_await store_.nodesOf(domain, std::string(), most);
    const std::string bare = iq.from().bare().text();
    const auto own = co_await store_.affiliationsOf(domain, bare, most);
    Document query{"query", ns::discoItems};
    for (const auto& summary : nodes) {
        const NodeConfig config = readConfig(summary.config, ServiceKind::Domain);
        Affiliation affiliation = Affiliation::None;
        for (const auto& entry : own)
            if (entry.node == summary.name) affiliation = entry.affiliation;
        const bool isOpen =
            config.access == AccessModel::Open || config.access == AccessModel::Authorize;
        const bool isShown =
            affiliation == Affiliation::None ? isOpen : affiliation != Affiliation::Outcast;
        if (!isShown) continue;
        Element& item = query->add("item").set("jid", domain).set("node", summary.name);
        if (!config.title.empty()) item.set("name", config.title);
    }
    co_return Reply{std::move(query)};
}

Task<bool> Engine::addNodes(const Iq& iq, Element& query) {
    const Jid owner = iq.owner();
    const Jid bare = iq.from().bare();
    if (!iq.account()) co_return false;
    Realms& realms = this->realms(iq.shard());
    const auto realm = co_await realms.account(owner.text());
    if (!realm) co_return false;
    const WallTime now = iq.shard().executor().wallNow();
    bool any = false;
    for (const auto& [name, node] : realm->nodes) {
        const Relation relation = relationTo(iq.account(), node->config.rosterGroups, bare);
        if (whyNotRead(*realm, *node, bare, relation, now)) continue;
        Element& item = query.add("item").set("jid", owner.text()).set("node", name);
        if (!node->config.title.empty()) item.set("name", node->config.title);
        any = true;
    }
    co_return any;
}

}  // namespace epode::pubsub
