// Creating, configuring, purging and deleting nodes (XEP-0060, 8.1 to 8.5).
#include "core/namespaces.h"
#include "core/random.h"
#include "engine.h"
#include "errors.h"

namespace epode::pubsub {

bool Engine::mayCreate(const Call& call) const {
    if (call.kind == ServiceKind::Account) return call.realm && call.bare == call.realm->address;
    if (limits_.creators == "everybody") return true;
    return limits_.creators == "accounts" && call.bare.hasLocal() &&
           server_.isLocal(call.bare.domain());
}

Task<Engine::Creation> Engine::make(Shard& shard, RealmPtr realm, std::string name,
                                    std::string creator, NodeConfig config) {
    Turns& turns = realm->turns;
    const auto turn = co_await turns.take();
    Creation creation;
    if (auto exists = realm->find(name)) {
        creation.node = std::move(exists);
        creation.refusal = StanzaError(ErrorType::Cancel, Condition::Conflict,
                                       "There is a node of this name already.");
        co_return creation;
    }
    Node node;
    node.name = name;
    node.creator = creator;
    node.created = shard.executor().wallNow();
    node.config = std::move(config);
    node.affiliations.emplace(*Jid::parse(creator), Affiliation::Owner);
    node.lastState = Node::Last::None;
    const auto made = co_await store_.create(realm->owner, node, limits_.nodesMax);
    switch (made.first) {
        case Created::Yes:
            node.id = made.second;
            creation.node = std::make_shared<Node>(std::move(node));
            realm->nodes.emplace(name, creation.node);
            realm->moved.erase(name);
            break;
        case Created::Exists:
            creation.refusal = StanzaError(ErrorType::Cancel, Condition::Conflict,
                                           "There is a node of this name already.");
            break;
        case Created::TooMany:
            creation.refusal = StanzaError(ErrorType::Wait, Condition::ResourceConstraint,
                                           "You have as many nodes as you may; delete one first.");
            break;
        case Created::NoOwner:
            creation.refusal = notFound();
            break;
    }
    co_return creation;
}

Task<Reply> Engine::create(Call& call) {
    // A stranger hears the same of an account that does not exist.
    if (!mayCreate(call)) co_return forbidden("You may not create nodes here.");
    if (const auto type = call.action.get("type", "leaf"); type != "leaf")
        co_return refusal(ErrorType::Modify, Condition::NotAcceptable, "unsupported",
                          "There are leaf nodes only.");
    NodeConfig config = configOfNew(call.kind, call.name);
    if (const Element* configure = call.payload().child("configure")) {
        if (configure->find("node"))
            co_return malformed("The configuration belongs to the node beside it.");
        if (const Element* x = configure->child("x", ns::dataForms)) {
            auto refused = applyConfig(x, call.kind, config);
            if (refused) co_return *refused;
        }
    }
    if (auto refused = whyNotConfigure(call.kind, call.name, config)) co_return *refused;
    Shard& shard = call.iq.shard();
    const bool isInstant = call.name.empty();
    if (isInstant) {
        call.name = randomId();
        if (call.kind == ServiceKind::Domain) {
            // The node lives on the shard of its name: one is found that belongs to this shard.
            const Jid domain = call.iq.to().bare();
            while (&server_.shardOf(placeOf(domain.text(), call.name)) != &shard)
                call.name = randomId();
            call.realm = co_await realms(shard).node(domain, call.name);
        }
    }
    std::string creator = call.bare.text();
    const auto made = co_await make(shard, call.realm, call.name, creator, config);
    if (made.refusal) co_return *made.refusal;
    if (!isInstant) co_return Reply{};
    Document answer{"pubsub", names::pubsub};
    answer->add("create").set("node", call.name);
    co_return Reply{std::move(answer)};
}

Task<Reply> Engine::tellConfig(Call& call) {
    Document answer{"pubsub", names::owner};
    Element& configure = answer->add("configure").set("node", call.name);
    configForm(call.node->config, FormKind::Form).addTo(configure);
    co_return Reply{std::move(answer)};
}

Task<Reply> Engine::configure(Call& call) {
    const Element* x = call.action.child("x", ns::dataForms);
    if (x && x->get("type") == "cancel") co_return Reply{};
    Turns& turns = call.realm->turns;
    const auto turn = co_await turns.take();
    if (call.node->isDeleted) co_return notFound();
    NodeConfig config = call.node->config;
    auto refused = applyConfig(x, call.kind, config);
    if (refused) co_return *refused;
    if (auto exposed = whyNotConfigure(call.kind, call.name, config)) co_return *exposed;
    const auto failed = co_await change(call.iq.shard(), call.realm, call.node, config);
    if (failed) co_return *failed;
    co_return Reply{};
}

// In a turn of the realm.
Task<std::optional<StanzaError>> Engine::change(Shard& shard, RealmPtr realm, NodePtr node,
                                                NodeConfig config) {
    const std::int64_t itemsMax = itemsMaxOf(config);
    const auto stored = co_await store_.configure(realm->owner, node->id, config, itemsMax);
    if (!stored) co_return notFound();
    if (!config.persistItems)
        node->lastState = Node::Last::None;
    else if (!node->config.persistItems)
        node->lastState = Node::Last::Unknown;
    node->config = std::move(config);
    if (node->config.notifyConfig && node->config.deliverNotifications) {
        std::string content;
        if (node->config.deliverPayloads) {
            Document wrapper{"configuration", names::event};
            configForm(node->config, FormKind::Result).addTo(*wrapper);
            content = toXml(*wrapper->firstChild());
        }
        notify(shard, realm, node,
               eventMessage(*realm, node->config.type, nodeEvent("configuration", *node, content)));
    }
    co_return std::nullopt;
}

Task<Reply> Engine::tellDefault(Call& call) {
    if (call.action.get("type", "leaf") != "leaf")
        co_return unsupported("collections", "There are leaf nodes only.");
    if (call.kind == ServiceKind::Account && call.bare != call.realm->address)
        co_return forbidden("This is for the account's owner.");
    Document answer{"pubsub", names::owner};
    configForm(defaultConfig(call.kind), FormKind::Form).addTo(answer->add("default"));
    co_return Reply{std::move(answer)};
}

Task<Reply> Engine::remove(Call& call) {
    std::string movedTo;
    if (const Element* redirect = call.action.child("redirect")) {
        movedTo = redirect->get("uri");
        if (movedTo.empty() || movedTo.size() > nameBytesMax)
            co_return malformed("The redirection has a URI of a sensible length.");
    }
    Turns& turns = call.realm->turns;
    const auto turn = co_await turns.take();
    const auto refused =
        co_await erase(call.iq.shard(), call.realm, call.node, std::move(movedTo), std::string());
    if (refused) co_return *refused;
    co_return Reply{};
}

// In a turn of the realm.
Task<std::optional<StanzaError>> Engine::erase(Shard& shard, RealmPtr realm, NodePtr node,
                                               std::string movedTo, std::string origin) {
    if (node->isDeleted) co_return notFound();
    const auto stored = co_await store_.remove(realm->owner, node->id, node->name, movedTo);
    node->isDeleted = true;
    realm->nodes.erase(node->name);
    if (!movedTo.empty()) realm->moved.insert_or_assign(node->name, movedTo);
    if (!stored) co_return notFound();
    if (node->config.notifyDelete) {
        std::string content;
        if (!movedTo.empty()) content = "<redirect uri='" + escaped(movedTo) + "'/>";
        notify(shard, realm, node,
               eventMessage(*realm, node->config.type, nodeEvent("delete", *node, content)), true);
    }
    PepEvent event{PepEvent::Kind::Deleted, shard, realm->address, node->name};
    event.origin = origin;
    tellPlugins(shard, *realm, event);
    co_return std::nullopt;
}

Task<Reply> Engine::purge(Call& call) {
    if (!call.node->config.persistItems)
        co_return unsupported("persistent-items", "This node keeps no items.");
    const auto stored = co_await store_.purge(call.realm->owner, call.node->id);
    if (!stored) co_return notFound();
    Node& node = *call.node;
    node.lastState = Node::Last::Unknown;
    node.last = {};
    Shard& shard = call.iq.shard();
    if (node.config.notifyRetract && node.config.deliverNotifications)
        notify(shard, call.realm, call.node,
               eventMessage(*call.realm, node.config.type, nodeEvent("purge", node)));
    PepEvent event{PepEvent::Kind::Purged, shard, call.realm->address, node.name};
    tellPlugins(shard, *call.realm, event);
    co_return Reply{};
}

}  // namespace epode::pubsub
