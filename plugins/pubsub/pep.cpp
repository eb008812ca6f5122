#include "pep.h"

#include "core/namespaces.h"
#include "route/reach.h"

#include <algorithm>
#include <functional>

namespace epode::pubsub {

namespace {

// Of a session that announces abilities.
struct SessionInterests {
    std::uint64_t mark = 0;
    InterestsPtr interests;  // null until it has told
};

// Of an account: clients that have sent it their presence and are not looked up among the sessions
// of this server's contacts.
struct Watchers {
    std::map<Jid, SessionInterests> watchers;  // by full address
};

std::uint64_t hashOf(const CapsMark& mark) {
    return std::hash<std::string>{}(mark.key.empty() ? mark.node : mark.key);
}

// Who has subscribed by its bare address is told by that.
bool hasSubscribed(const Node& node, const Jid& bare) {
    return !node.subscriptions.empty() && node.subscriptions.contains(bare);
}

}  // namespace

PersonalEventing::PersonalEventing(Engine& engine, std::string host, std::size_t capsMax,
                                   bool tellsOfAbsent)
    : engine_{engine},
      host_{std::move(host)},
      asker_{*Jid::parse(host_)},
      tellsOfAbsent_{tellsOfAbsent},
      capsMax_{capsMax},
      stored_{engine.server().database(), "pubsub.caps"},
      book_{capsMax} {
    Server& server = engine.server();
    for (unsigned i = 0; i < server.shardCount(); ++i)
        askers_.push_back(std::make_unique<InterestsAsker>(
            server.shard(i), book_, [this](const std::string& key, const InterestsPtr& interests) {
                remember(key, interests);
            }));
}

// ---- what clients want

// Stored without waiting: what is lost is asked for again.
void PersonalEventing::remember(const std::string& key, const InterestsPtr& interests) {
    KeyedStore::Changes changes;
    changes.emplace_back(key, interests->text());
    for (auto& gone : book_.put(key, interests))
        changes.emplace_back(std::move(gone), std::nullopt);
    const auto keep = this->keep(engine_.server().here());
    start(stored_.change(0, std::move(changes), std::int64_t(capsMax_) * 2),
          [keep](std::optional<bool>, std::exception_ptr) {});
}

Task<void> PersonalEventing::recall() {
    const auto known = co_await stored_.list(0, std::string());
    KeyedStore::Changes surplus;
    for (const auto& [key, text] : known)
        for (auto& gone : book_.put(key, std::make_shared<const Interests>(text)))
            surplus.emplace_back(std::move(gone), std::nullopt);
    if (surplus.empty()) co_return;
    const auto most = std::int64_t(capsMax_) * 2;
    (void)co_await stored_.change(0, std::move(surplus), most);
}

Verdict PersonalEventing::presenceChanged(PresenceEvent& event) {
    Session& session = event.session;
    const bool isAvailable = event.presence->type() == StanzaType::None;
    const auto mark = isAvailable ? readCaps(*event.presence) : std::nullopt;
    auto* known = session.slots().find<SessionInterests>();
    if (!mark) {
        if (known) session.slots().drop<SessionInterests>();
        return Verdict::Pass;
    }
    const std::uint64_t hash = hashOf(*mark);
    if (!known || known->mark != hash) learn(session, *mark, hash);
    return Verdict::Pass;
}

void PersonalEventing::learn(Session& session, const CapsMark& mark, std::uint64_t markHash) {
    auto& state = session.state<SessionInterests>();
    const InterestsPtr before = std::exchange(state.interests, nullptr);
    state.mark = markHash;
    Shard& shard = session.shard();
    askers_[shard.number()]->learn(
        asker_, session.jid(), mark,
        [this, &shard, jid = session.jid(), markHash, before](const InterestsPtr& found) {
            Session* session = shard.session(jid);
            auto* state = session ? session->slots().find<SessionInterests>() : nullptr;
            // It has gone, or announces something else by now.
            if (!state || state->mark != markHash || !found) return;
            state->interests = found;
            greet(*session, found, before);
        },
        keep(shard));
}

// A client of another server, or of a stranger, that has sent its presence to the account.
void PersonalEventing::watch(Account& account, const Stanza& presence) {
    auto* known = account.slots().find<Watchers>();
    const auto mark = presence.type() == StanzaType::None ? readCaps(presence) : std::nullopt;
    if (!mark) {
        if (known) known->watchers.erase(presence.from());
        return;
    }
    auto& watchers = account.state<Watchers>().watchers;
    const std::uint64_t hash = hashOf(*mark);
    const auto found = watchers.find(presence.from());
    if (found != watchers.end() && found->second.mark == hash) return;
    if (found == watchers.end() && watchers.size() >= engine_.limits().watchersMax) return;
    auto& state = watchers[presence.from()];
    const InterestsPtr before = std::exchange(state.interests, nullptr);
    state.mark = hash;
    Shard& shard = account.shard();
    askers_[shard.number()]->learn(
        asker_, presence.from(), *mark,
        [this, &shard, owner = account.jid(), who = presence.from(), hash,
         before](const InterestsPtr& interests) {
            Account* account = shard.loaded(owner.text());
            auto* all = account ? account->slots().find<Watchers>() : nullptr;
            const auto place = all ? all->watchers.find(who) : decltype(all->watchers.end()){};
            if (!all || place == all->watchers.end() || place->second.mark != hash || !interests)
                return;
            place->second.interests = interests;
            if (!interests->empty()) tellLast(shard, {who, interests, before, {owner.text()}});
        },
        keep(shard));
}

Verdict PersonalEventing::arrives(IncomingEvent& event) {
    const Stanza& stanza = *event.stanza;
    if (stanza.isMessage()) {
        // An owner decides about a subscription (XEP-0060, 8.6).
        const bool isOwn = stanza.type() == StanzaType::Normal && stanza.to().isBare() &&
                           stanza.from().bareText() == event.account.jid().text();
        if (isOwn && engine_.receive(event.account.shard(), event.account.host(),
                                     event.stanza.share(), ServiceKind::Account))
            return Verdict::Stop;
        return Verdict::Pass;
    }
    if (!stanza.isPresence() || !stanza.to().isBare() || stanza.from().isBare())
        return Verdict::Pass;
    if (stanza.type() != StanzaType::None && stanza.type() != StanzaType::Unavailable)
        return Verdict::Pass;
    const bool isKnown = event.account.slots().find<Watchers>() != nullptr;
    if (!isKnown && (stanza.type() == StanzaType::Unavailable || !readCaps(stanza)))
        return Verdict::Pass;
    if (engine_.server().isLocal(stanza.from().domain())) {
        // Own clients, and those of contacts, are found among the sessions.
        const Jid bare = stanza.from().bare();
        if (bare == event.account.jid()) return Verdict::Pass;
        const Contact* contact = event.account.roster().find(bare);
        if (contact && contact->state.isSeenByContact()) return Verdict::Pass;
    }
    watch(event.account, stanza);
    return Verdict::Pass;
}

// ---- the last items for who comes online (XEP-0163, 4.3.4)

void PersonalEventing::greet(Session& session, const InterestsPtr& interests,
                             const InterestsPtr& before) {
    if (interests->empty()) return;
    Server& server = engine_.server();
    std::vector<std::vector<std::string>> owners(server.shardCount());
    const Account& account = session.account();
    owners[session.shard().number()].push_back(account.jid().text());
    for (const auto& [jid, contact] : account.roster().contacts())
        if (contact.state.seesContact() && server.isLocal(jid.domain()))
            owners[server.shardOf(jid.text()).number()].push_back(jid.text());
    for (unsigned i = 0; i < owners.size(); ++i) {
        if (owners[i].empty()) continue;
        Shard& shard = server.shard(i);
        Arrival arrival{session.jid(), interests, before, std::move(owners[i])};
        // Also on this shard: presence goes first.
        shard.executor().post(
            [this, &shard, arrival = std::move(arrival), keep = keep(session.shard())]() mutable {
                tellLast(shard, std::move(arrival));
            });
    }
}

void PersonalEventing::tellLast(Shard& shard, Arrival arrival) {
    if (!tellsOfAbsent_)
        std::erase_if(arrival.owners, [&](const std::string& owner) {
            const Account* account = shard.loaded(owner);
            return !account || account->sessions().empty();
        });
    if (arrival.owners.empty()) return;
    const auto keep = this->keep(shard);
    start(sendLast(shard, std::move(arrival)), [keep](std::exception_ptr) {});
}

Task<void> PersonalEventing::sendLast(Shard& shard, Arrival arrival) {
    const Jid bare = arrival.who.bare();
    Realms& realms = engine_.realms(shard);
    const auto found = co_await realms.accounts(std::move(arrival.owners));
    for (const RealmPtr& realm : found) {
        if (realm->nodes.empty()) continue;
        std::vector<NodePtr> nodes;
        for (const auto& [name, node] : realm->nodes)
            if (node->config.sendLast == SendLast::OnSubscriptionAndPresence &&
                node->config.deliverNotifications && arrival.interests->wants(name) &&
                !(arrival.before && arrival.before->wants(name)))
                nodes.push_back(node);
        for (const NodePtr& node : nodes) {
            // An owner who is not there has the contact that says it sees him: rosters go in pairs.
            Account* account = shard.loaded(realm->address.text());
            const bool isStranger = !engine_.server().isLocal(bare.domain());
            Relation relation;
            if (account && !mayReach(*account, arrival.who)) continue;
            if (account)
                relation = Engine::relationTo(account, node->config.rosterGroups, bare);
            else
                relation.seesOwner = !isStranger;
            const WallTime now = shard.executor().wallNow();
            if (node->isDeleted ||
                !isNotified(*realm, *node, bare, relation, node->isSubscribed(bare, now)))
                continue;
            const auto message = co_await engine_.lastItem(realm, node);
            if (message) engine_.server().route(Stanza::readdressed(message, arrival.who));
        }
    }
}

// ---- publications

void PersonalEventing::tell(Shard& shard, const RealmPtr& realm, const Node& node,
                            const StanzaPtr& message) {
    if (Account* account = shard.loaded(realm->address.text())) {
        spread(*account, realm, node, message);
        return;
    }
    // A plugin publishes for somebody who is not there.
    const auto copy = std::make_shared<const Node>(node);
    shard.withAccount(
        realm->address,
        [this, realm, copy, message, keep = keep(shard)](Account* account) {
            if (account) spread(*account, realm, *copy, message);
        },
        [] {});
}

void PersonalEventing::spread(Account& account, const RealmPtr& realm, const Node& node,
                              const StanzaPtr& message) {
    Server& server = engine_.server();
    Shard& here = account.shard();
    const auto& groups = node.config.rosterGroups;
    std::vector<Notice> notices(server.shardCount());
    if (!hasSubscribed(node, account.jid())) notices[here.number()].to.push_back(account.jid());
    for (const auto& [jid, contact] : account.roster().contacts()) {
        if (!contact.state.isSeenByContact() || !server.isLocal(jid.domain())) continue;
        if (hasSubscribed(node, jid)) continue;
        if (!isNotified(*realm, node, jid, Engine::relationTo(contact, groups), false)) continue;
        if (!mayReach(account, jid)) continue;
        notices[server.shardOf(jid.text()).number()].to.push_back(jid);
    }
    if (const auto* all = account.slots().find<Watchers>()) {
        for (const auto& [jid, watcher] : all->watchers) {
            if (!watcher.interests || !watcher.interests->wants(node.name)) continue;
            const Jid bare = jid.bare();
            if (hasSubscribed(node, bare) || node.subscriptions.contains(jid)) continue;
            if (isNotified(*realm, node, bare, Engine::relationTo(&account, groups, bare), false) &&
                mayReach(account, jid))
                server.route(Stanza::readdressed(message, jid));
        }
    }
    for (unsigned i = 0; i < notices.size(); ++i) {
        Notice& notice = notices[i];
        if (notice.to.empty()) continue;
        notice.message = message;
        notice.node = node.name;
        for (const auto& [jid, subscription] : node.subscriptions)
            if (!jid.isBare()) notice.excluded.push_back(jid);
        Shard& shard = server.shard(i);
        if (&shard == &here) {
            deliver(shard, notice);
            continue;
        }
        shard.executor().post([this, &shard, notice = std::move(notice), keep = keep(here)] {
            deliver(shard, notice);
        });
    }
}

void PersonalEventing::deliver(Shard& shard, const Notice& notice) {
    for (const Jid& bare : notice.to) {
        Account* account = shard.loaded(bare.text());
        if (!account) continue;
        for (const auto& session : account->sessions()) {
            if (!session->isAvailable()) continue;
            const auto* state = session->slots().find<SessionInterests>();
            if (!state) {
                // One that was there before a restart, or before this plugin was.
                if (const auto mark = readCaps(*session->presence()))
                    learn(*session, *mark, hashOf(*mark));
                continue;
            }
            if (!state->interests || !state->interests->wants(notice.node)) continue;
            if (!notice.excluded.empty() &&
                std::find(notice.excluded.begin(), notice.excluded.end(), session->jid()) !=
                    notice.excluded.end())
                continue;
            account->receive(Stanza::readdressed(notice.message, session->jid()), {});
        }
    }
}

}  // namespace epode::pubsub
