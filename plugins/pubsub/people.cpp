// What owners do about the people around a node: subscriptions, affiliations, and requests that
// wait for approval (XEP-0060, 8.6 to 8.9).
#include "core/namespaces.h"
#include "core/random.h"
#include "engine.h"
#include "errors.h"

#include <set>

namespace epode::pubsub {

namespace {

// The error that names the entries that were not changed, as they are (8.8.2.4, 8.9.2.4).
Reply partlyRefused(const Iq& iq, std::string_view list, const std::string& node,
                    const std::vector<std::pair<Jid, std::string_view>>& unchanged,
                    std::string_view attribute) {
    auto answer = Stanza::iq(StanzaType::Error, iq.to(), iq.from(), iq.stanza().id());
    Element& element = answer->edit().add("pubsub", names::owner).add(list).set("node", node);
    for (const auto& [jid, state] : unchanged)
        element.add(attribute).set("jid", jid.text()).set(attribute, state);
    StanzaError{ErrorType::Modify, Condition::NotAcceptable, "Some of this can't be changed so."}
        .addTo(answer->edit());
    iq.shard().server().route(answer);
    return Reply::none();
}

// A submitted form of an owner about a request, or nothing.
const Element* decisionForm(const Stanza& message) {
    const Element* x = message.child("x", ns::dataForms);
    if (!x || x->get("type") != "submit") return nullptr;
    for (const Element& field : x->children())
        if (field.get("var") == "FORM_TYPE" && field.childText("value") == names::authorization)
            return x;
    return nullptr;
}

}  // namespace

// ---- subscriptions

Task<Reply> Engine::tellSubscriptions(Call& call) {
    Document answer{"pubsub", names::owner};
    Element& list = answer->add("subscriptions").set("node", call.name);
    std::int64_t count = 0;
    for (const auto& [jid, subscription] : call.node->subscriptions)
        if (subscription.state == SubscriptionState::Subscribed && count++ < limits_.pageMax)
            list.add("subscription")
                .set("jid", jid.text())
                .set("subscription", toText(subscription.state));
    co_return Reply{std::move(answer)};
}

Task<Reply> Engine::manageSubscriptions(Call& call) {
    Turns& turns = call.realm->turns;
    const auto turn = co_await turns.take();
    Node& node = *call.node;
    if (node.isDeleted) co_return notFound();
    Store::SubscriptionChanges changes;
    std::vector<std::pair<Jid, std::string_view>> unchanged;
    std::set<Jid> seen;
    std::size_t added = 0;
    for (const Element& child : call.action.children()) {
        if (!child.is("subscription", names::owner)) continue;
        const auto jid = Jid::parse(child.get("jid"));
        if (!jid) co_return badRequest("invalid-jid", "One of the addresses is not valid.");
        if (!seen.insert(*jid).second) co_return malformed("An address is named twice.");
        if (seen.size() > peopleMax) co_return malformed("These are too many addresses.");
        const auto state = parseSubscriptionState(child.get("subscription"));
        const auto found = node.subscriptions.find(*jid);
        const auto before =
            found == node.subscriptions.end() ? SubscriptionState::None : found->second.state;
        if (!child.find("subscription")) continue;
        // Nobody is made to wait for himself, and who is shut out stays so.
        const bool isNew = before == SubscriptionState::None;
        const bool isPossible =
            state && *state != SubscriptionState::Pending &&
            (*state == SubscriptionState::None ||
             (node.affiliationOf(jid->bare()) != Affiliation::Outcast &&
              (!isNew || node.subscriptions.size() + added < limits_.subscriptionsMax)));
        if (!isPossible) {
            unchanged.emplace_back(*jid, toText(before));
            continue;
        }
        if (*state == before) continue;
        if (*state == SubscriptionState::None) {
            changes.emplace_back(*jid, std::nullopt);
            continue;
        }
        added += isNew;
        Subscription subscription = isNew ? Subscription{} : found->second;
        subscription.state = *state;
        changes.emplace_back(*jid, subscription);
    }
    const auto stored = co_await store_.changePeople(call.realm->owner, node.id, changes,
                                                     Store::AffiliationChanges());
    if (!stored) co_return notFound();
    for (const auto& [jid, subscription] : changes) {
        if (subscription)
            node.subscriptions.insert_or_assign(jid, *subscription);
        else
            node.subscriptions.erase(jid);
        tellSubscriber(*call.realm, node, jid,
                       subscription ? subscription->state : SubscriptionState::None);
    }
    if (!unchanged.empty())
        co_return partlyRefused(call.iq, "subscriptions", call.name, unchanged, "subscription");
    co_return Reply{};
}

// ---- affiliations

Task<Reply> Engine::tellAffiliations(Call& call) {
    Document answer{"pubsub", names::owner};
    Element& list = answer->add("affiliations").set("node", call.name);
    for (const auto& [jid, affiliation] : call.node->affiliations)
        list.add("affiliation").set("jid", jid.text()).set("affiliation", toText(affiliation));
    co_return Reply{std::move(answer)};
}

Task<Reply> Engine::manageAffiliations(Call& call) {
    Turns& turns = call.realm->turns;
    const auto turn = co_await turns.take();
    Node& node = *call.node;
    if (node.isDeleted) co_return notFound();
    auto after = node.affiliations;
    Store::AffiliationChanges changes;
    Store::SubscriptionChanges subscriptions;
    std::vector<std::pair<Jid, std::string_view>> unchanged;
    std::set<Jid> seen;
    // First who comes in, so that owners can hand over and resign in one request.
    for (const bool comesIn : {true, false}) {
        for (const Element& child : call.action.children()) {
            if (!child.is("affiliation", names::owner)) continue;
            const auto parsed = Jid::parse(child.get("jid"));
            if (!parsed) co_return badRequest("invalid-jid", "One of the addresses is not valid.");
            const Jid jid = parsed->bare();
            if (comesIn && !seen.insert(jid).second)
                co_return malformed("An address is named twice.");
            if (seen.size() > peopleMax) co_return malformed("These are too many addresses.");
            const auto wanted = parseAffiliation(child.get("affiliation"));
            if (!child.find("affiliation")) continue;
            if (comesIn != (wanted == Affiliation::Owner)) continue;
            const Affiliation before = node.affiliationOf(jid);
            // An account is the one owner of its nodes (XEP-0163, 2.2).
            const bool isFixed = call.kind == ServiceKind::Account &&
                                 (jid == call.realm->address || wanted == Affiliation::Owner);
            const bool isLastOwner = [&] {
                if (before != Affiliation::Owner || wanted == Affiliation::Owner) return false;
                for (const auto& [other, affiliation] : after)
                    if (affiliation == Affiliation::Owner && other != jid) return false;
                return true;
            }();
            const bool isFull = before == Affiliation::None && wanted != Affiliation::None &&
                                after.size() >= limits_.affiliationsMax;
            if (wanted == before) continue;
            if (!wanted || isFixed || isLastOwner || isFull) {
                unchanged.emplace_back(jid, toText(before));
                continue;
            }
            if (*wanted == Affiliation::None)
                after.erase(jid);
            else
                after.insert_or_assign(jid, *wanted);
            changes.emplace_back(jid, *wanted);
        }
    }
    // What follows for subscriptions (8.7.4, 8.9): who is shut out has none any more, who is
    // trusted need not wait.
    for (const auto& [jid, affiliation] : changes)
        for (const auto& [subscriber, subscription] : node.subscriptions) {
            if (!belongsTo(subscriber, jid.text())) continue;
            if (affiliation == Affiliation::Outcast || affiliation == Affiliation::PublishOnly) {
                subscriptions.emplace_back(subscriber, std::nullopt);
            } else if (subscription.state == SubscriptionState::Pending &&
                       affiliation != Affiliation::None) {
                Subscription approved = subscription;
                approved.state = SubscriptionState::Subscribed;
                subscriptions.emplace_back(subscriber, approved);
            }
        }
    const auto stored =
        co_await store_.changePeople(call.realm->owner, node.id, subscriptions, changes);
    if (!stored) co_return notFound();
    node.affiliations = std::move(after);
    for (const auto& [jid, subscription] : subscriptions) {
        if (subscription)
            node.subscriptions.insert_or_assign(jid, *subscription);
        else
            node.subscriptions.erase(jid);
        tellSubscriber(*call.realm, node, jid,
                       subscription ? subscription->state : SubscriptionState::None);
    }
    if (!unchanged.empty())
        co_return partlyRefused(call.iq, "affiliations", call.name, unchanged, "affiliation");
    co_return Reply{};
}

// ---- requests that wait for approval

void Engine::askOwners(Shard&, const Realm& realm, const Node& node, const Jid& subscriber) {
    DataForm form{FormKind::Form, names::authorization};
    form.setTitle("A request to subscribe");
    form.setInstructions("Allow " + subscriber.text() + " to subscribe to " + node.name + "?");
    form.addText("pubsub#node", node.name, "The node");
    form.add({.var = "pubsub#subscriber_jid",
              .type = FieldType::JidSingle,
              .label = "Who asks",
              .values = {subscriber.text()}});
    form.addBoolean("pubsub#allow", false, "Whether to allow it");
    auto message = Stanza::message(StanzaType::Normal, realm.address, {}, randomId());
    form.addTo(message->edit());
    auto owners = node.owners();
    if (realm.kind == ServiceKind::Account) owners = {realm.address};
    for (const Jid& owner : owners) server_.route(Stanza::readdressed(message, owner));
}

bool Engine::receive(Shard& shard, Host& host, const StanzaPtr& message, ServiceKind kind) {
    if (!decisionForm(*message)) return false;
    start(decide(shard, host.sharedServices(), message, kind), [](std::exception_ptr) {});
    return true;
}

// Whoever is no owner, or decides about what nobody asks, is not answered: it is a message.
Task<void> Engine::decide(Shard& shard, std::shared_ptr<const Services>, StanzaPtr message,
                          ServiceKind kind) {
    const auto form = DataForm::read(*decisionForm(*message));
    const auto subscriber = form ? form->jid("pubsub#subscriber_jid") : std::nullopt;
    const auto allow = form ? form->boolean("pubsub#allow") : std::nullopt;
    if (!subscriber || !allow) co_return;
    const std::string name{form->text("pubsub#node")};
    if (name.size() > nameBytesMax) co_return;
    Realms& realms = this->realms(shard);
    const Jid address = message->to().bare();
    RealmPtr realm;
    if (kind == ServiceKind::Account) {
        realm = co_await realms.account(address.text());
    } else {
        realm = co_await realms.node(address, name);
    }
    if (!realm) co_return;
    Turns& turns = realm->turns;
    const auto turn = co_await turns.take();
    const NodePtr node = realm->find(name);
    if (!node || !realm->isOwner(*node, message->from().bare())) co_return;
    const auto found = node->subscriptions.find(*subscriber);
    if (found == node->subscriptions.end() || found->second.state != SubscriptionState::Pending)
        co_return;
    Subscription approved = found->second;
    approved.state = SubscriptionState::Subscribed;
    Store::SubscriptionChanges changes;
    if (*allow)
        changes.emplace_back(*subscriber, approved);
    else
        changes.emplace_back(*subscriber, std::nullopt);
    const auto stored = co_await store_.changePeople(realm->owner, node->id, std::move(changes),
                                                     Store::AffiliationChanges());
    if (!stored) co_return;
    if (*allow)
        node->subscriptions.insert_or_assign(*subscriber, approved);
    else
        node->subscriptions.erase(*subscriber);
    tellSubscriber(*realm, *node, *subscriber,
                   *allow ? SubscriptionState::Subscribed : SubscriptionState::None);
    if (*allow && node->config.sendLast != SendLast::Never && approved.delivers)
        co_await sendLast(shard, realm, node, *subscriber);
}

}  // namespace epode::pubsub
