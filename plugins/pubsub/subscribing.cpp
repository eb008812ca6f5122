// Subscribing, unsubscribing, and the options of a subscription (XEP-0060, 6.1 to 6.4).
#include "core/namespaces.h"
#include "engine.h"
#include "errors.h"
#include "subscription_options.h"

#include <algorithm>

namespace epode::pubsub {

namespace {

Element& addSubscription(Element& parent, const std::string& node, const Jid& jid,
                         SubscriptionState state) {
    return parent.add("subscription")
        .set("node", node)
        .set("jid", jid.text())
        .set("subscription", toText(state));
}

StanzaError notSubscribed() {
    return refusal(ErrorType::Cancel, Condition::UnexpectedRequest, "not-subscribed",
                   "There is no such subscription.");
}

// Is there room for one more of this entity?
std::optional<StanzaError> whyFull(const Node& node, const Jid& bare, bool isPending,
                                   const Limits& limits) {
    std::size_t own = 0;
    std::size_t pending = 0;
    for (const auto& [jid, subscription] : node.subscriptions) {
        own += belongsTo(jid, bare.text());
        pending += subscription.state == SubscriptionState::Pending;
    }
    const bool isFull = own >= perEntityMax ||
                        node.subscriptions.size() >= limits.subscriptionsMax ||
                        (isPending && pending >= limits.pendingMax);
    if (!isFull) return std::nullopt;
    return refusal(ErrorType::Wait, Condition::PolicyViolation, "too-many-subscriptions",
                   "The node has as many subscriptions as it may.");
}

// The subscription that a request is about, or why not.
struct Subject {
    std::optional<Jid> jid;
    std::optional<StanzaError> refusal;
};
Subject readSubject(const Call& call) {
    const auto text = call.action.find("jid");
    if (!text || text->empty())
        return {{}, badRequest("jid-required", "Name the address of the subscriber.")};
    auto jid = Jid::parse(*text);
    if (!jid) return {{}, badRequest("invalid-jid", "This is no valid address.")};
    return {std::move(jid), {}};
}

}  // namespace

Task<Reply> Engine::subscribe(Call& call) {
    const Subject subject = readSubject(call);
    if (subject.refusal) co_return *subject.refusal;
    const Jid jid = *subject.jid;
    if (!call.isSender(jid))
        co_return badRequest("invalid-jid", "You can subscribe yourself only.");
    const WallTime now = call.iq.shard().executor().wallNow();
    Subscription subscription;
    const Element* options = call.payload().child("options");
    if (options) {
        if (options->find("node") || options->find("jid"))
            co_return malformed("The options belong to the subscription beside them.");
        auto refused = applyOptions(options->child("x", ns::dataForms), now, subscription);
        if (refused) co_return *refused;
    }

    Turns& turns = call.realm->turns;
    const auto turn = co_await turns.take();
    Node& node = *call.node;
    if (node.isDeleted) co_return notFound();
    const MaySubscribe may = maySubscribe(*call.realm, node, call.bare, call.relation);
    if (may.refusal) co_return *may.refusal;
    const auto before = node.subscriptions.find(jid);
    bool isNew = before == node.subscriptions.end();
    if (!isNew && before->second.state == SubscriptionState::Pending)
        co_return refusal(ErrorType::Auth, Condition::NotAuthorized, "pending-subscription",
                          "The subscription waits for an owner's approval.");
    const bool hasOther = node.isSubscribed(call.bare, now);
    const bool isPending = may.needsApproval && !hasOther && isNew;
    if (isNew) {
        if (auto full = whyFull(node, call.bare, isPending, limits_)) co_return *full;
    } else if (!options) {
        subscription = before->second;
        if (!subscription.isActive(now)) {
            subscription.expires.reset();
            isNew = true;
        }
    }
    subscription.state = isPending ? SubscriptionState::Pending : SubscriptionState::Subscribed;
    const auto stored =
        co_await store_.putSubscription(call.realm->owner, node.id, jid, subscription);
    if (!stored || node.isDeleted) co_return notFound();
    node.subscriptions.insert_or_assign(jid, subscription);

    Document answer{"pubsub", names::pubsub};
    addSubscription(*answer, call.name, jid, subscription.state);
    if (options) optionsForm(subscription, FormKind::Result).addTo(answer->add("options"));
    Shard& shard = call.iq.shard();
    if (isPending) askOwners(shard, *call.realm, node, jid);
    if (isNew && !isPending) {
        if (node.config.notifySubscriptions)
            for (const Jid& owner : node.owners())
                if (const auto message =
                        eventMessage(*call.realm, node.config.type,
                                     subscriptionEvent(node, jid, SubscriptionState::Subscribed)))
                    server_.route(Stanza::readdressed(message, owner));
        // The answer goes first.
        if (node.config.sendLast != SendLast::Never && subscription.delivers) {
            server_.route(call.iq.stanza().result(*answer));
            const RealmPtr realm = call.realm;
            const NodePtr kept = call.node;
            co_await sendLast(shard, realm, kept, jid);
            co_return Reply::none();
        }
    }
    co_return Reply{std::move(answer)};
}

Task<Reply> Engine::unsubscribe(Call& call) {
    const Subject subject = readSubject(call);
    if (subject.refusal) co_return *subject.refusal;
    const Jid jid = *subject.jid;
    if (!call.isSender(jid) && !call.isOwner())
        co_return forbidden("You can unsubscribe yourself only.");
    Turns& turns = call.realm->turns;
    const auto turn = co_await turns.take();
    Node& node = *call.node;
    if (node.isDeleted) co_return notFound();
    if (!node.subscriptions.contains(jid)) co_return notSubscribed();
    Store::SubscriptionChanges changes;
    changes.emplace_back(jid, std::nullopt);
    const auto stored = co_await store_.changePeople(call.realm->owner, node.id, std::move(changes),
                                                     Store::AffiliationChanges());
    if (!stored) co_return notFound();
    node.subscriptions.erase(jid);
    Document answer{"pubsub", names::pubsub};
    addSubscription(*answer, call.name, jid, SubscriptionState::None);
    if (node.config.notifySubscriptions)
        for (const Jid& owner : node.owners())
            if (const auto message =
                    eventMessage(*call.realm, node.config.type,
                                 subscriptionEvent(node, jid, SubscriptionState::None)))
                server_.route(Stanza::readdressed(message, owner));
    co_return Reply{std::move(answer)};
}

Task<Reply> Engine::tellOptions(Call& call) {
    const Subject subject = readSubject(call);
    if (subject.refusal) co_return *subject.refusal;
    if (!call.isSender(*subject.jid)) co_return forbidden("These options are not yours.");
    const auto found = call.node->subscriptions.find(*subject.jid);
    if (found == call.node->subscriptions.end()) co_return notSubscribed();
    Document answer{"pubsub", names::pubsub};
    Element& options =
        answer->add("options").set("node", call.name).set("jid", subject.jid->text());
    optionsForm(found->second, FormKind::Form).addTo(options);
    co_return Reply{std::move(answer)};
}

Task<Reply> Engine::setOptions(Call& call) {
    const Subject subject = readSubject(call);
    if (subject.refusal) co_return *subject.refusal;
    const Jid jid = *subject.jid;
    if (!call.isSender(jid)) co_return forbidden("These options are not yours.");
    Turns& turns = call.realm->turns;
    const auto turn = co_await turns.take();
    Node& node = *call.node;
    if (node.isDeleted) co_return notFound();
    const auto found = node.subscriptions.find(jid);
    if (found == node.subscriptions.end()) co_return notSubscribed();
    Subscription changed = found->second;
    const WallTime now = call.iq.shard().executor().wallNow();
    auto refused = applyOptions(call.action.child("x", ns::dataForms), now, changed);
    if (refused) co_return *refused;
    const auto stored = co_await store_.putSubscription(call.realm->owner, node.id, jid, changed);
    if (!stored) co_return notFound();
    node.subscriptions.insert_or_assign(jid, changed);
    co_return Reply{};
}

Task<Reply> Engine::defaultOptions(Call& call) {
    Document answer{"pubsub", names::pubsub};
    Element& element = answer->add("default");
    if (!call.name.empty()) element.set("node", call.name);
    optionsForm(Subscription{}, FormKind::Form).addTo(element);
    co_return Reply{std::move(answer)};
}

}  // namespace epode::pubsub
