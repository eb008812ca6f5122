#include "engine.h"

#include "core/log.h"
#include "core/namespaces.h"
#include "errors.h"
#include "route/reach.h"

#include <algorithm>
#include <chrono>

namespace epode::pubsub {

namespace {

const Log pubsubLog{"pubsub"};

constexpr Duration expireEvery = std::chrono::minutes{10};
constexpr Duration expireAgainAfter = std::chrono::seconds{1};
constexpr std::int64_t expireStep = 1000;

// How many owners are looked at for the access models that depend on their contacts.
constexpr std::size_t ownersLookedAt = 5;

bool isInGroup(const Contact& contact, const std::vector<std::string>& allowed) {
    return std::any_of(contact.groups.begin(), contact.groups.end(), [&](const auto& group) {
        return std::find(allowed.begin(), allowed.end(), group) != allowed.end();
    });
}

}  // namespace

Engine::Engine(Server& server, std::string host, Limits limits, std::size_t cachedMax)
    : server_{server},
      host_{std::move(host)},
      limits_{std::move(limits)},
      store_{server.database()} {
    for (unsigned i = 0; i < server.shardCount(); ++i)
        realms_.push_back(std::make_unique<Realms>(store_, cachedMax));
}

// ---- requests

const Engine::Route Engine::routes[] = {
    {names::pubsub, "publish", StanzaType::Set, Route::Needs::Name, &Engine::publish},
    {names::pubsub, "retract", StanzaType::Set, Route::Needs::Node, &Engine::retract},
    {names::pubsub, "items", StanzaType::Get, Route::Needs::Node, &Engine::items},
    {names::pubsub, "subscribe", StanzaType::Set, Route::Needs::Node, &Engine::subscribe},
    {names::pubsub, "unsubscribe", StanzaType::Set, Route::Needs::Node, &Engine::unsubscribe},
    {names::pubsub, "options", StanzaType::Get, Route::Needs::Node, &Engine::tellOptions},
    {names::pubsub, "options", StanzaType::Set, Route::Needs::Node, &Engine::setOptions},
    {names::pubsub, "default", StanzaType::Get, Route::Needs::Nothing, &Engine::defaultOptions},
    {names::pubsub, "subscriptions", StanzaType::Get, Route::Needs::Nothing,
     &Engine::ownSubscriptions},
    {names::pubsub, "affiliations", StanzaType::Get, Route::Needs::Nothing,
     &Engine::ownAffiliations},
    {names::pubsub, "create", StanzaType::Set, Route::Needs::Nothing, &Engine::create},
    {names::owner, "configure", StanzaType::Get, Route::Needs::Owner, &Engine::tellConfig},
    {names::owner, "configure", StanzaType::Set, Route::Needs::Owner, &Engine::configure},
    {names::owner, "default", StanzaType::Get, Route::Needs::Nothing, &Engine::tellDefault},
    {names::owner, "delete", StanzaType::Set, Route::Needs::Owner, &Engine::remove},
    {names::owner, "purge", StanzaType::Set, Route::Needs::Owner, &Engine::purge},
    {names::owner, "subscriptions", StanzaType::Get, Route::Needs::Owner,
     &Engine::tellSubscriptions},
    {names::owner, "subscriptions", StanzaType::Set, Route::Needs::Owner,
     &Engine::manageSubscriptions},
    {names::owner, "affiliations", StanzaType::Get, Route::Needs::Owner, &Engine::tellAffiliations},
    {names::owner, "affiliations", StanzaType::Set, Route::Needs::Owner,
     &Engine::manageAffiliations},
};

Task<Reply> Engine::answer(const Iq& iq) {
    const Element* action = iq.payload().firstChild();
    if (!action || action->ns() != iq.payload().ns())
        co_return malformed("Say what is to be done.");
    const auto* route = std::find_if(std::begin(routes), std::end(routes), [&](const Route& entry) {
        return entry.ns == action->ns() && entry.action == action->name() &&
               entry.type == iq.type();
    });
    if (route == std::end(routes))
        co_return StanzaError{Condition::FeatureNotImplemented, "Nobody here does this."};
    Call call{iq, *action};
    const auto refused = co_await prepare(call, route->needs);
    if (refused) co_return *refused;
    auto reply = co_await (this->*route->handler)(call);
    co_return reply;
}

Task<std::optional<StanzaError>> Engine::prepare(Call& call, Route::Needs needs) {
    if (call.name.size() > nameBytesMax) co_return malformed("The name of the node is too long.");
    if (call.name.empty() && needs != Route::Needs::Nothing) co_return nodeRequired();
    Realms& realms = this->realms(call.iq.shard());
    if (call.kind == ServiceKind::Account) {
        const Jid owner = call.iq.owner();
        const Account* account = call.iq.account();
        if (account) {
            const AccountId id = account->id();
            call.realm = co_await realms.account(owner.text());
            // Another account of the same address: that of before was removed.
            if (call.realm && call.realm->owner.account != id) {
                realms.forget(owner.text());
                call.realm = co_await realms.account(owner.text());
            }
        }
        if (!call.realm) {
            // For strangers an account that does not exist is one without nodes.
            call.realm = std::make_shared<Realm>();
            call.realm->address = owner;
            if (call.bare == owner) co_return notFound();
        }
    } else if (!call.name.empty()) {
        const Jid domain = call.iq.to().bare();
        call.realm = co_await realms.node(domain, call.name);
    }
    if (call.name.empty()) co_return std::nullopt;
    if (call.kind == ServiceKind::Account && call.realm->owner.account != 0) {
        const auto refused = co_await askPlugins(call);
        if (refused) co_return *refused;
    }
    call.node = call.realm->find(call.name);
    if (const PepNode* known = this->known(call.kind, call.name);
        known && known->isPrivate && call.node)
        call.node->config.access = AccessModel::Whitelist;
    if (call.node && needsRelation(*call.node))
        call.relation = co_await relationOf(call.iq.shard(), call.realm, call.node, call.bare);
    if (call.node) {
        if (needs == Route::Needs::Owner && !call.isOwner())
            co_return forbidden("This is for the node's owners.");
        co_return std::nullopt;
    }
    if (needs != Route::Needs::Node && needs != Route::Needs::Owner) co_return std::nullopt;
    if (const auto moved = call.realm->moved.find(call.name); moved != call.realm->moved.end()) {
        StanzaError gone{ErrorType::Modify, Condition::Gone, "The node has moved."};
        gone.content = moved->second;
        co_return gone;
    }
    co_return notFound();
}

Task<std::optional<StanzaError>> Engine::askPlugins(Call& call) {
    const auto services = call.iq.host().sharedServices();
    if (services->pepRequested.empty()) co_return std::nullopt;
    auto kind = PepRequest::Kind::Other;
    if (call.payload().ns() == names::pubsub) {
        if (call.action.name() == "publish") kind = PepRequest::Kind::Publish;
        if (call.action.name() == "items") kind = PepRequest::Kind::Read;
    }
    PepRequest request{kind, call.realm->address, call.name, call.iq.from(), call.action};
    co_await services->pepRequested.run(request);
    call.note = std::move(request.note);
    co_return std::move(request.refusal);
}

const PepNode* Engine::known(ServiceKind kind, std::string_view name) const {
    if (kind != ServiceKind::Account) return nullptr;
    const auto& nodes = server_.here().host(host_)->services().pepNodes;
    const auto found = nodes.find(name);
    return found == nodes.end() ? nullptr : &found->second;
}

NodeConfig Engine::configOfNew(ServiceKind kind, std::string_view name) const {
    NodeConfig config = defaultConfig(kind);
    if (const PepNode* known = this->known(kind, name))
        for (const auto& [var, value] : known->config) setField(config, kind, var, value);
    return config;
}

std::optional<StanzaError> Engine::whyNotConfigure(ServiceKind kind, std::string_view name,
                                                   const NodeConfig& config) const {
    const PepNode* known = this->known(kind, name);
    if (!known || !known->isPrivate || config.access == AccessModel::Whitelist)
        return std::nullopt;
    return StanzaError{Condition::NotAcceptable,
                       "What is in this node is its owner's alone: its access model is whitelist."};
}

Reply answerWith(const Iq& iq, std::string_view content) {
    std::string xml = "<iq type='result' id='-'>";
    xml.append(content).append("</iq>");
    const auto answer = Stanza::parse(xml);
    if (!answer)
        return StanzaError{ErrorType::Wait, Condition::ResourceConstraint,
                           "This is too much for one answer; ask for less at a time."};
    answer->setFrom(iq.to());
    answer->setTo(iq.from());
    answer->setId(iq.stanza().id());
    iq.shard().server().route(answer);
    return Reply::none();
}

// ---- who is who

Relation Engine::relationTo(Account* account, const std::vector<std::string>& groups,
                            const Jid& who) {
    const Contact* contact = account ? account->roster().find(who) : nullptr;
    return contact ? relationTo(*contact, groups) : Relation{};
}

Relation Engine::relationTo(const Contact& contact, const std::vector<std::string>& groups) {
    if (!contact.state.isSeenByContact()) return {};
    return {.seesOwner = true, .isInGroup = isInGroup(contact, groups)};
}

namespace {

// What the owner's shard knows of somebody; nothing when the owner is no account here.
struct AskedOwner {
    Server& server;
    Shard& home;
    Jid owner;
    Jid who;
    std::vector<std::string> groups;

    void ask(Callback<Relation>::Resolve resolve) const {
        Shard& shard = server.shardOf(owner.text());
        shard.executor().post([copy = *this, &shard, resolve = std::move(resolve)]() mutable {
            auto shared = std::make_shared<Callback<Relation>::Resolve>(std::move(resolve));
            const auto reply = [home = &copy.home, shared](Relation relation) {
                home->executor().post([shared, relation] { (*shared)(relation); });
            };
            shard.withAccount(
                copy.owner,
                [copy, reply](Account* account) {
                    reply(Engine::relationTo(account, copy.groups, copy.who));
                },
                [reply] { reply({}); });
        });
    }
};

}  // namespace

Task<Relation> Engine::relationOf(Shard& shard, RealmPtr realm, NodePtr node, Jid who) {
    if (realm->kind == ServiceKind::Account)
        co_return relationTo(shard.loaded(realm->address.text()), node->config.rosterGroups, who);
    Relation best;
    auto owners = node->owners();
    if (owners.size() > ownersLookedAt) owners.resize(ownersLookedAt);
    for (const Jid& owner : owners) {
        if (!server_.isLocal(owner.domain())) continue;
        const AskedOwner asked{server_, shard, owner, who, node->config.rosterGroups};
        Callback<Relation> wait{
            [&asked](Callback<Relation>::Resolve resolve) { asked.ask(std::move(resolve)); }};
        const auto found = co_await wait;
        best.seesOwner = best.seesOwner || found.seesOwner;
        best.isInGroup = best.isInGroup || (found.seesOwner && found.isInGroup);
    }
    co_return best;
}

// ---- notifications

void Engine::notify(Shard& shard, const RealmPtr& realm, const NodePtr& node,
                    const StanzaPtr& message, bool alsoPending) {
    if (!message) return;
    const WallTime now = shard.executor().wallNow();
    Account* account =
        realm->kind == ServiceKind::Account ? shard.loaded(realm->address.text()) : nullptr;
    // For the models that depend on the owner's contacts, a domain has to ask first.
    const bool mustAsk = realm->kind == ServiceKind::Domain && needsRelation(*node);
    std::vector<Jid> unsure;
    for (const auto& [jid, subscription] : node->subscriptions) {
        const bool isActive = subscription.isActive(now) && subscription.delivers;
        const bool isPending = alsoPending && subscription.state == SubscriptionState::Pending;
        if (!isActive && !isPending) continue;
        const Jid bare = jid.bare();
        if (mustAsk && isActive) {
            unsure.push_back(jid);
            continue;
        }
        if (isActive) {
            const Relation relation = needsRelation(*node)
                                          ? relationTo(account, node->config.rosterGroups, bare)
                                          : Relation{};
            if (!isNotified(*realm, *node, bare, relation, true)) continue;
            if (account && !mayReach(*account, jid)) continue;
        }
        server_.route(Stanza::readdressed(message, jid));
    }
    if (!unsure.empty()) {
        struct Ask {
            static Task<void> run(Engine& engine, Shard& shard, RealmPtr realm, NodePtr node,
                                  StanzaPtr message, std::vector<Jid> unsure) {
                for (const Jid& jid : unsure) {
                    Jid bare = jid.bare();
                    const auto relation = co_await engine.relationOf(shard, realm, node, bare);
                    if (isNotified(*realm, *node, bare, relation, true))
                        engine.server().route(Stanza::readdressed(message, jid));
                }
            }
        };
        const auto keep = shard.host(host_)->sharedServices();
        start(Ask::run(*this, shard, realm, node, message, std::move(unsure)),
              [keep](std::exception_ptr) {});
    }
    if (realm->kind == ServiceKind::Account && audience_)
        audience_->tell(shard, realm, *node, message);
}

void Engine::tellSubscriber(const Realm& realm, const Node& node, const Jid& jid,
                            SubscriptionState state) {
    if (auto message = eventMessage(realm, node.config.type, subscriptionEvent(node, jid, state)))
        server_.route(Stanza::readdressed(message, jid));
}

Task<StanzaPtr> Engine::lastItem(RealmPtr realm, NodePtr node) {
    if (node->lastState == Node::Last::Unknown && node->config.persistItems) {
        ItemQuery query;
        query.newest = 1;
        query.max = 1;
        query.bytesMax = pageBytesMax;
        auto page = co_await store_.items(realm->owner, node->id, query);
        // A publication may have come in the meantime: it is told to all, and is no matter of this.
        if (page.items.empty()) co_return StanzaPtr{};
        if (node->isDeleted) co_return StanzaPtr{};
        const Item& item = page.items.front();
        co_return eventMessage(*realm, node->config.type, itemsEvent(*realm, *node, item),
                               item.published);
    }
    if (node->lastState != Node::Last::Known) co_return StanzaPtr{};
    const Item& last = node->last;
    const auto bound = notBefore(node->config, Executor::current()->wallNow());
    if (bound && last.published <= *bound) co_return StanzaPtr{};
    co_return eventMessage(*realm, node->config.type, itemsEvent(*realm, *node, last),
                           last.published);
}

Task<void> Engine::sendLast(Shard& shard, RealmPtr realm, NodePtr node, Jid to) {
    const auto message = co_await lastItem(realm, node);
    if (message) shard.server().route(Stanza::readdressed(message, to));
}

void Engine::tellPlugins(Shard& shard, const Realm& realm, PepEvent& event) {
    if (realm.kind != ServiceKind::Account) return;
    const auto& hook = shard.host(host_)->services().pepChanged;
    if (!hook.empty()) hook.run(event);
}

// ---- small things

std::int64_t Engine::itemsMaxOf(const NodeConfig& config) const {
    return std::min(config.itemsMax.value_or(limits_.itemsMax), limits_.itemsMax);
}

std::optional<WallTime> Engine::notBefore(const NodeConfig& config, WallTime now) const {
    if (!config.expireSeconds) return std::nullopt;
    return now - std::chrono::seconds{*config.expireSeconds};
}

Task<Duration> Engine::expire() {
    const auto removed = co_await store_.expire(Executor::current()->wallNow(), expireStep);
    if (removed > 0) pubsubLog.debug("items expired", {{"items", removed}});
    co_return removed >= expireStep ? expireAgainAfter : expireEvery;
}

}  // namespace epode::pubsub
