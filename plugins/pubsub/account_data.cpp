#include "account_data.h"

#include "config_form.h"
#include "names.h"
#include "route/server.h"
#include "route/shard.h"
#include "store.h"

#include <limits>

namespace epode::pubsub {

namespace {

constexpr std::int64_t pageItems = 100;
constexpr std::size_t pageBytes = 1u << 20;
constexpr std::int64_t unlimited = std::numeric_limits<std::int64_t>::max();

std::string nodeAttribute(std::string_view name) {
    std::string xml = " node='";
    escapeAttribute(xml, name);
    return xml + "'";
}

// <configure/>, and who has what at the node.
void addNode(Element& owner, const Node& node, const Jid& account) {
    Element& configure = owner.add("configure").set("node", node.name);
    configForm(node.config, FormKind::Form).addTo(configure);
    Element* affiliations = nullptr;
    for (const auto& [jid, affiliation] : node.affiliations) {
        if (jid == account) continue;  // its owner, which it is anyway
        if (!affiliations) affiliations = &owner.add("affiliations").set("node", node.name);
        affiliations->add("affiliation")
            .set("jid", jid.text())
            .set("affiliation", toText(affiliation));
    }
    Element* subscriptions = nullptr;
    for (const auto& [jid, subscription] : node.subscriptions) {
        if (!subscriptions) subscriptions = &owner.add("subscriptions").set("node", node.name);
        subscriptions->add("subscription")
            .set("jid", jid.text())
            .set("subscription", toText(subscription.state));
    }
}

Task<std::int64_t> writeItems(Store& store, AccountRef account, const Node& node,
                              AccountSink& sink) {
    std::int64_t count = 0;
    const NodeOwner owner{account.id, {}};
    ItemQuery query;
    query.max = pageItems;
    query.bytesMax = pageBytes;
    for (;;) {
        const auto page = co_await store.items(owner, node.id, query);
        if (page.items.empty()) break;
        std::string xml;
        for (const Item& item : page.items) {
            xml += "<item id='";
            escapeAttribute(xml, item.id);
            xml += "'>" + item.payload + "</item>";
            query.after = item.id;
            ++count;
        }
        co_await sink.write(std::move(xml));
    }
    co_return count;
}

Task<std::vector<Node>> nodesOf(Store& store, AccountRef account) {
    std::vector<std::string> addresses(1, account.jid.text());
    auto found = co_await store.loadAccounts(std::move(addresses));
    std::vector<Node> nodes;
    if (!found.empty()) nodes = std::move(found.front().second.nodes);
    co_return nodes;
}

Task<std::int64_t> writePep(AccountRef account, AccountSink& sink) {
    Store store{account.server.database()};
    const auto nodes = co_await nodesOf(store, account);
    if (nodes.empty()) co_return 0;
    Document configuration{"pubsub", names::owner};
    for (const Node& node : nodes) addNode(*configuration, node, account.jid);
    std::string xml =
        toXml(*configuration) + "\n<pubsub xmlns='http://jabber.org/protocol/pubsub'>";
    co_await sink.write(std::move(xml));
    std::int64_t count = 0;
    for (const Node& node : nodes) {
        std::string begin = "<items" + nodeAttribute(node.name) + ">";
        co_await sink.write(std::move(begin));
        if (node.config.persistItems) {
            const auto items = co_await writeItems(store, account, node, sink);
            count += items;
        }
        std::string end = "</items>";
        co_await sink.write(std::move(end));
    }
    std::string end = "</pubsub>";
    co_await sink.write(std::move(end));
    co_return count;
}

// ---- import

// A form that is not understood must not open what was closed: its node is for its owner alone.
NodeConfig configIn(const Element* configure, DataCount& count) {
    NodeConfig config = defaultConfig(ServiceKind::Account);
    const Element* x = configure ? configure->child("x", "jabber:x:data") : nullptr;
    if (x) {
        Document form{*x};
        form->set("type", "submit");
        if (!applyConfig(&*form, ServiceKind::Account, config)) return config;
    }
    ++count.refused;
    config = defaultConfig(ServiceKind::Account);
    config.access = AccessModel::Whitelist;
    return config;
}

Task<std::int64_t> makeNode(Store& store, AccountRef account, std::string name, NodeConfig config) {
    Node node;
    node.name = std::move(name);
    node.creator = account.jid.text();
    node.created = account.server.here().executor().wallNow();
    node.config = std::move(config);
    NodeOwner owner{account.id, {}};
    const auto made = co_await store.create(std::move(owner), std::move(node), unlimited);
    co_return made.first == Created::Yes ? made.second : 0;
}

std::int64_t idOf(const std::vector<Node>& nodes, std::string_view name) {
    for (const Node& node : nodes)
        if (node.name == name) return node.id;
    return 0;
}

Task<DataCount> readConfiguration(AccountRef account, const Element& element) {
    DataCount count;
    Store store{account.server.database()};
    for (const Element& configure : element.children()) {
        std::string name{configure.get("node")};
        if (!configure.is("configure", names::owner) || name.empty()) continue;
        auto config = configIn(&configure, count);
        const auto made = co_await makeNode(store, account, std::move(name), std::move(config));
        if (made == 0) ++count.refused;
    }
    const auto nodes = co_await nodesOf(store, account);
    for (const Element& people : element.children()) {
        const auto node = idOf(nodes, people.get("node"));
        Store::SubscriptionChanges subscriptions;
        Store::AffiliationChanges affiliations;
        for (const Element& one : people.children()) {
            const auto jid = Jid::parse(one.get("jid"));
            const auto affiliation = parseAffiliation(one.get("affiliation"));
            const auto state = parseSubscriptionState(one.get("subscription"));
            if (one.is("affiliation", names::owner) && jid && affiliation && node != 0)
                affiliations.emplace_back(jid->bare(), *affiliation);
            else if (one.is("subscription", names::owner) && jid && state && node != 0)
                subscriptions.emplace_back(*jid, Subscription{.state = *state});
            else if (!people.is("configure", names::owner))
                ++count.refused;
        }
        if (subscriptions.empty() && affiliations.empty()) continue;
        NodeOwner owner{account.id, {}};
        co_await store.changePeople(std::move(owner), node, std::move(subscriptions),
                                    std::move(affiliations));
    }
    co_return count;
}

Task<DataCount> readItems(AccountRef account, const Element& element) {
    DataCount count;
    Store store{account.server.database()};
    const auto nodes = co_await nodesOf(store, account);
    for (const Element& items : element.children()) {
        std::string name{items.get("node")};
        if (!items.is("items", names::pubsub) || name.empty()) {
            ++count.refused;
            continue;
        }
        std::int64_t node = idOf(nodes, name);
        if (node == 0) {
            auto config = configIn(nullptr, count);
            node = co_await makeNode(store, account, std::move(name), std::move(config));
        }
        for (const Element& one : items.children()) {
            const Element* payload = one.firstChild();
            std::string xml = payload ? toXml(*payload) : std::string{};
            const bool isItem = one.is("item", names::pubsub) && !one.get("id").empty();
            // What could not be read again is refused now.
            if (!isItem || node == 0 || (payload && !parseXml(xml))) {
                ++count.refused;
                continue;
            }
            Publication publication;
            publication.item.id = one.get("id");
            publication.item.publisher = account.jid.text();
            publication.item.published = account.server.here().executor().wallNow();
            publication.item.payload = std::move(xml);
            publication.itemsMax = unlimited;
            publication.ownerBytesMax = unlimited;
            NodeOwner owner{account.id, {}};
            const auto published =
                co_await store.publish(std::move(owner), node, std::move(publication));
            const bool isDone = published.outcome == Published::Outcome::Done;
            ++(isDone ? count.done : count.refused);
        }
    }
    co_return count;
}

Task<DataCount> readPep(AccountRef account, const Element& element) {
    return element.ns() == names::owner ? readConfiguration(std::move(account), element)
                                        : readItems(std::move(account), element);
}

}  // namespace

AccountData pepData() {
    return {.what = "items of personal eventing",
            .elements = {{names::owner, "pubsub"}, {names::pubsub, "pubsub"}},
            .write = writePep,
            .read = readPep};
}

}  // namespace epode::pubsub
