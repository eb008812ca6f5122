// Publishing and retracting items (XEP-0060, 7).
#include "core/namespaces.h"
#include "core/random.h"
#include "engine.h"
#include "errors.h"

#include <algorithm>

namespace epode::pubsub {

namespace {

constexpr std::size_t cachedBytesMax = 4096;

StanzaError tooBig() {
    return refusal(ErrorType::Modify, Condition::NotAcceptable, "payload-too-big",
                   "The payload is larger than this node takes.");
}

// What is published: the item, checked for its form (7.1.3.6).
struct Offer {
    const Element* item = nullptr;
    const Element* payload = nullptr;
    std::optional<StanzaError> refusal;
};

Offer readOffer(const Element& publish) {
    Offer offer;
    for (const Element& child : publish.children()) {
        if (!child.is("item", names::pubsub)) continue;
        if (offer.item) {
            offer.refusal = malformed("Items are published one at a time.");
            return offer;
        }
        offer.item = &child;
    }
    if (!offer.item) return offer;
    for (const Element& child : offer.item->children()) {
        if (offer.payload) {
            offer.refusal = badRequest("invalid-payload", "An item has one payload.");
            return offer;
        }
        offer.payload = &child;
    }
    if (offer.item->get("id").size() > nameBytesMax)
        offer.refusal = malformed("The id of the item is too long.");
    return offer;
}

}  // namespace

Task<Reply> Engine::publish(Call& call) {
    const Offer offer = readOffer(call.action);
    if (offer.refusal) co_return *offer.refusal;
    const Element* options = call.payload().child("publish-options");

    if (!call.node) {
        if (!mayCreate(call)) co_return notFound();
        NodeConfig config = configOfNew(call.kind, call.name);
        if (options) {
            auto refused = applyPublishOptions(*options, call.kind, NodeIs::New, config);
            if (refused) co_return *refused;
        }
        if (auto refused = whyNotConfigure(call.kind, call.name, config)) co_return *refused;
        // What can't be published makes no node.
        if (offer.payload && std::int64_t(toXml(*offer.payload).size()) > limits_.itemBytesMax)
            co_return tooBig();
        std::string creator = call.bare.text();
        const auto made = co_await make(call.iq.shard(), call.realm, call.name, creator, config);
        call.node = made.node;
        if (!made.node) co_return *made.refusal;
    }
    if (options) {
        NodeConfig config = call.node->config;
        auto refused = applyPublishOptions(*options, call.kind, NodeIs::Existing, config);
        if (refused) co_return *refused;
    }

    const WallTime now = call.iq.shard().executor().wallNow();
    if (auto refused = whyNotPublish(*call.realm, *call.node, call.bare, now)) co_return *refused;
    const NodeConfig& config = call.node->config;
    if (!offer.item && (config.persistItems || config.deliverPayloads))
        co_return badRequest("item-required", "There is no item.");
    if (!offer.payload && config.deliverPayloads)
        co_return badRequest("payload-required", "The item is empty.");
    if (offer.item && !config.persistItems && !config.deliverPayloads)
        co_return badRequest("item-forbidden", "This node tells only that something happens.");

    Submission submission;
    submission.item.id = offer.item ? offer.item->get("id") : "";
    submission.hasPayload = offer.payload != nullptr;
    if (offer.payload) {
        submission.item.payload = toXml(*offer.payload);
        submission.payloadNs = offer.payload->ns();
    }
    submission.item.publisher = call.bare.text();
    submission.publisher = call.iq.from();
    submission.note = call.note;
    submission.isTrusted = isTrusted(*call.realm, *call.node, call.bare);
    if (submission.item.id.empty()) submission.item.id = randomId();
    const std::string id = submission.item.id;
    const auto refused =
        co_await submit(call.iq.shard(), call.realm, call.node, std::move(submission));
    if (refused) co_return *refused;

    Document answer{"pubsub", names::pubsub};
    Element& published = answer->add("publish").set("node", call.name);
    if (offer.item) published.add("item").set("id", id);
    co_return Reply{std::move(answer)};
}

// Stores the item and tells of it. The node's rules have been looked at; its limits are looked at
// here.
Task<std::optional<StanzaError>> Engine::submit(Shard& shard, RealmPtr realm, NodePtr node,
                                                Submission submission) {
    const NodeConfig config = node->config;
    Item& item = submission.item;
    const std::int64_t bytesMax =
        std::min(config.payloadBytesMax.value_or(limits_.itemBytesMax), limits_.itemBytesMax);
    if (std::int64_t(item.payload.size()) > bytesMax) co_return tooBig();
    if (submission.hasPayload && !config.payloadType.empty() &&
        submission.payloadNs != config.payloadType)
        co_return badRequest("invalid-payload",
                             "The payload's namespace must be " + config.payloadType + ".");
    item.published = shard.executor().wallNow();
    // What could not be told is refused before it is stored.
    const StanzaPtr message = eventMessage(*realm, config.type, itemsEvent(*realm, *node, item));
    if (!message) co_return tooBig();

    Published published;
    if (config.persistItems) {
        Publication publication;
        publication.item = item;
        publication.itemsMax = itemsMaxOf(config);
        publication.ownerBytesMax = limits_.bytesMax;
        publication.whenFull = config.whenFull;
        publication.replacesOthers = submission.isTrusted;
        published = co_await store_.publish(realm->owner, node->id, std::move(publication));
        switch (published.outcome) {
            case Published::Outcome::Done:
                break;
            case Published::Outcome::NoNode:
                co_return notFound();
            case Published::Outcome::NotYours:
                co_return forbidden("Somebody else has published an item with this id.");
            case Published::Outcome::Full:
                co_return refusal(ErrorType::Cancel, Condition::Conflict, "node-full",
                                  "The node has as many items as it may.");
            case Published::Outcome::OverQuota:
                co_return StanzaError{ErrorType::Wait, Condition::ResourceConstraint,
                                      "There is no room left; remove something first."};
        }
    }
    if (node->isDeleted) co_return std::nullopt;
    const bool isKept = item.payload.size() <= cachedBytesMax;
    node->lastState = isKept || !config.persistItems ? Node::Last::Known : Node::Last::Unknown;
    if (isKept) {
        node->last = item;
    } else if (!config.persistItems) {
        node->lastState = Node::Last::None;
    }
    if (config.deliverNotifications) {
        notify(shard, realm, node, message);
        const bool tells = config.notifyRetract && config.whenFull == WhenFull::RetractOldest &&
                           itemsMaxOf(config) > 1;
        if (tells && !published.removed.empty())
            notify(shard, realm, node,
                   eventMessage(*realm, config.type, retractEvent(*node, published.removed)));
    }
    PepEvent event{PepEvent::Kind::Published, shard, realm->address, node->name};
    event.id = item.id;
    event.payload = item.payload;
    event.publisher = submission.publisher;
    event.origin = submission.origin;
    event.note = submission.note;
    tellPlugins(shard, *realm, event);
    co_return std::nullopt;
}

Task<Reply> Engine::retract(Call& call) {
    std::vector<std::string> ids;
    for (const Element& child : call.action.children()) {
        if (!child.is("item", names::pubsub)) continue;
        if (child.get("id").empty()) co_return badRequest("item-required", "Name the item.");
        ids.emplace_back(child.get("id"));
        if (ids.size() > idsMax) co_return malformed("These are too many items.");
    }
    if (ids.empty()) co_return badRequest("item-required", "Name the item.");
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    const auto notifies = call.action.find("notify");
    const auto wanted = notifies ? parseBoolean(*notifies) : std::nullopt;
    if (notifies && !wanted) co_return malformed("The attribute 'notify' is true or false.");

    const WallTime now = call.iq.shard().executor().wallNow();
    if (auto refused = whyNotPublish(*call.realm, *call.node, call.bare, now)) co_return *refused;
    if (!call.node->config.persistItems)
        co_return unsupported("persistent-items", "This node keeps no items.");
    std::optional<std::string> publisher;
    if (!isTrusted(*call.realm, *call.node, call.bare)) publisher = call.bare.text();
    const bool tells = wanted.value_or(call.node->config.notifyRetract);
    const auto refused = co_await withdraw(call.iq.shard(), call.realm, call.node, std::move(ids),
                                           std::move(publisher), tells, std::string());
    if (refused) co_return *refused;
    co_return Reply{};
}

Task<std::optional<StanzaError>> Engine::withdraw(Shard& shard, RealmPtr realm, NodePtr node,
                                                  std::vector<std::string> ids,
                                                  std::optional<std::string> publisher, bool tells,
                                                  std::string origin) {
    const auto retracted =
        co_await store_.retract(realm->owner, node->id, ids, std::move(publisher));
    if (retracted == Retracted::NoSuchItem) co_return noSuchItem();
    if (retracted == Retracted::NotYours)
        co_return forbidden("Somebody else has published this item.");
    if (node->isDeleted) co_return std::nullopt;
    const bool wasLast = node->lastState != Node::Last::Known ||
                         std::find(ids.begin(), ids.end(), node->last.id) != ids.end();
    if (wasLast) {
        node->lastState = Node::Last::Unknown;
        node->last = {};
    }
    if (tells && node->config.deliverNotifications)
        notify(shard, realm, node,
               eventMessage(*realm, node->config.type, retractEvent(*node, ids)));
    for (const auto& id : ids) {
        PepEvent event{PepEvent::Kind::Retracted, shard, realm->address, node->name};
        event.id = id;
        event.origin = origin;
        tellPlugins(shard, *realm, event);
    }
    co_return std::nullopt;
}

}  // namespace epode::pubsub
