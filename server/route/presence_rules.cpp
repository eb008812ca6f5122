#include "route/presence_rules.h"

#include "core/metric.h"
#include "route/account.h"
#include "route/presence_options.h"
#include "route/reach.h"
#include "route/roster_changes.h"
#include "route/server.h"
#include "route/session.h"
#include "route/shard.h"
#include "store/stores.h"

#include <algorithm>
#include <charconv>
#include <set>

namespace epode {

namespace {

Counter broadcasts{"epode_presence_broadcasts_total",
                   "Presence of own clients sent to their contacts"};
Counter presencesSent{"epode_presence_sent_total",
                      "Presence sent to single contacts by broadcasts"};

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// An xs:byte.
std::optional<std::int8_t> parsePriority(std::string_view text) {
    text = trimmed(text);
    if (text.starts_with('+')) {
        text.remove_prefix(1);
        if (text.starts_with('-')) return std::nullopt;
    }
    std::int8_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

// Our own probes of contacts on this server carry no id, so that they can be told from a client's:
// nobody waits for "unavailable" as their answer.
bool isOwnProbe(const Stanza& probe, const Server& server) {
    return probe.id().empty() && server.isLocal(probe.from().domain());
}

StanzaPtr probeOf(const Account& account, bool isLocal) {
    return Stanza::presence(StanzaType::Probe, account.jid(), {}, isLocal ? "" : "probe");
}

}  // namespace

std::optional<std::int8_t> priorityOf(const Stanza& presence) {
    std::optional<std::int8_t> priority;
    for (const Element& child : presence.root().children()) {
        if (!child.is("priority", presence.root().ns())) continue;
        if (priority) return std::nullopt;
        priority = parsePriority(child.text());
        if (!priority) return std::nullopt;
    }
    return priority.value_or(0);
}

bool mattersOffline(const Stanza& presence, const Server& server) {
    switch (presence.type()) {
        case StanzaType::Subscribe:
        case StanzaType::Subscribed:
        case StanzaType::Unsubscribe:
        case StanzaType::Unsubscribed:
            return true;
        case StanzaType::Probe:
            return !isOwnProbe(presence, server);
        default:
            return false;
    }
}

Server& PresenceRules::server() const { return account_.shard().server(); }

// An entity is subscribed to its own presence (RFC 6121, 4.2.2).
bool PresenceRules::isSubscribed(const Jid& who) const {
    if (who.bareText() == account_.jid().text()) return true;
    const Contact* contact = account_.roster().find(who.bare());
    return contact && contact->state.isSeenByContact();
}

// ---- from own clients

void PresenceRules::send(Session& session, const StanzaPtr& presence, Hold hold) {
    const bool isBroadcast = presence->to().empty();
    switch (presence->type()) {
        case StanzaType::None:
            if (isBroadcast)
                becomeAvailable(session, presence);
            else
                sendDirected(session, presence, std::move(hold));
            break;
        case StanzaType::Unavailable:
            if (isBroadcast)
                takeBack(session, presence);
            else
                sendDirected(session, presence, std::move(hold));
            break;
        case StanzaType::Subscribe:
        case StanzaType::Subscribed:
        case StanzaType::Unsubscribe:
        case StanzaType::Unsubscribed:
            sendSubscription(presence, std::move(hold));
            break;
        case StanzaType::Probe:
            // RFC 6121, 4.3: clients should not, but it's no reason for an error.
            if (isBroadcast)
                answerProbe(*Stanza::readdressed(presence, account_.jid()));
            else
                server().route(presence, std::move(hold));
            break;
        case StanzaType::Error:
            if (!isBroadcast) server().route(presence, std::move(hold));
            break;
        default:
            account_.shard().refuse(*presence,
                                    {Condition::BadRequest, "Presence has no such type."});
    }
}

// RFC 6121, 4.2.2 and 4.4.2.
void PresenceRules::becomeAvailable(Session& session, const StanzaPtr& presence) {
    const auto priority = priorityOf(*presence);
    if (!priority) {
        account_.shard().refuse(
            *presence, {Condition::BadRequest, "A priority is one whole number from -128 to 127."});
        return;
    }
    const bool tookMessages = session.takesMessages();
    const StanzaPtr before = std::exchange(session.presence_, presence);
    session.priority_ = *priority;

    broadcast(presence);
    deliverToAvailable(Stanza::readdressed(presence, account_.jid()));
    if (!before) greet(session);

    const Services& services = account_.host().services();
    if (!services.presenceChanged.empty()) {
        PresenceEvent event{session, before, presence};
        services.presenceChanged.run(event);
    }
    if (!std::exchange(session.wasAvailable_, true) && !services.sessionAvailable.empty()) {
        SessionEvent event{session};
        services.sessionAvailable.run(event);
    }
    if (!tookMessages && session.takesMessages()) account_.deliverPending(session);
}

// RFC 6121, 4.5.2. Those who got directed presence hear of it as well (4.6.3), also from a client
// that never sent initial presence.
void PresenceRules::becomeUnavailable(Session& session, const StanzaPtr& presence) {
    const StanzaPtr before = std::exchange(session.presence_, nullptr);
    session.priority_ = 0;
    if (before) {
        broadcast(presence);
        deliverToAvailable(Stanza::readdressed(presence, account_.jid()));
    }
    if (const auto directed = std::exchange(session.directed_, nullptr)) {
        for (const Jid& jid : *directed)
            if (!before || !isSubscribed(jid)) server().route(Stanza::readdressed(presence, jid));
    }
    if (!before) return;
    const auto& hook = account_.host().services().presenceChanged;
    if (hook.empty()) return;
    PresenceEvent event{session, before, presence};
    hook.run(event);
}

void PresenceRules::takeBack(Session& session, const StanzaPtr& presence) {
    const bool wasAvailable = session.isAvailable();
    becomeUnavailable(session, presence);
    if (wasAvailable) session.deliver(Stanza::readdressed(presence, account_.jid()));
}

void PresenceRules::ended(Session& session) {
    if (!session.isAvailable() && !session.directed_) return;
    becomeUnavailable(session, Stanza::presence(StanzaType::Unavailable, session.jid(), {}));
}

// Changes of the roster wait for the store, so nothing that this causes on the way alters the list.
void PresenceRules::broadcast(const StanzaPtr& presence) {
    broadcasts.add();
    account_.roster().each([&](const Contact& contact) {
        if (!contact.state.isSeenByContact() || !mayReach(account_, contact.jid)) return;
        presencesSent.add();
        server().route(Stanza::readdressed(presence, contact.jid));
    });
}

void PresenceRules::probe(const Jid& contact) {
    if (!mayReach(account_, contact)) return;
    server().route(
        Stanza::readdressed(probeOf(account_, server().isLocal(contact.domain())), contact));
}

void PresenceRules::meetAgain(const std::function<bool(std::string_view domain)>& isOne) {
    if (availableCount() == 0) return;
    account_.roster().each([&](const Contact& contact) {
        if (!isOne(contact.jid.domain())) return;
        if (contact.state.seesContact()) probe(contact.jid);
        if (contact.state.isSeenByContact()) showTo(contact.jid);
    });
}

// What a resource is shown when it becomes available: the account's other resources, its contacts,
// and who waits for an answer.
void PresenceRules::greet(Session& session) {
    for (const auto& other : account_.sessions())
        if (other.get() != &session && other->isAvailable())
            session.deliver(Stanza::readdressed(other->presence(), session.jid()));

    StanzaPtr localProbe;
    StanzaPtr remoteProbe;
    bool anyRequest = false;
    const bool isOnly = availableCount() == 1;
    account_.roster().each([&](const Contact& contact) {
        const Jid& jid = contact.jid;
        anyRequest = anyRequest || contact.state.pendingIn;
        if (!mayReach(account_, jid)) return;
        const bool isLocal = server().isLocal(jid.domain());
        if (contact.state.seesContact()) {
            StanzaPtr& probe = isLocal ? localProbe : remoteProbe;
            if (!probe) probe = probeOf(account_, isLocal);
            server().route(Stanza::readdressed(probe, jid));
        } else if (contact.state.pendingOut && isOnly && !isLocal) {
            // The first request may have been lost on its way (RFC 6121, 3.1.2).
            server().route(
                Stanza::presence(StanzaType::Subscribe, account_.jid(), jid, "repeated"));
        }
    });
    if (anyRequest) deliverRequests(session);
}

// RFC 6121, 3.1.3: whenever a resource becomes available, until the request is answered. Who asks
// from now on is delivered when the request is stored.
void PresenceRules::deliverRequests(Session& session) {
    std::set<Jid> asking;
    for (const auto& [jid, contact] : account_.roster().contacts())
        if (contact.state.pendingIn) asking.insert(jid);
    start(
        server().stores().rosters.requests(account_.id()),
        [&shard = account_.shard(), jid = session.jid(), asking = std::move(asking)](
            std::optional<std::vector<SubscriptionRequest>> requests, std::exception_ptr failure) {
            Session* session = shard.session(jid);
            if (failure || !session || !session->isAvailable()) return;
            const Roster& roster = session->account().roster();
            for (const auto& request : *requests) {
                const StanzaPtr presence = Stanza::parse(request.stanza);
                const Contact* contact = presence ? roster.find(presence->from()) : nullptr;
                if (contact && contact->state.pendingIn && asking.contains(contact->jid))
                    session->deliver(presence);
            }
        });
}

// RFC 6121, 4.6.3.
void PresenceRules::sendDirected(Session& session, const StanzaPtr& presence, Hold hold) {
    const Jid& to = presence->to();
    if (presence->type() == StanzaType::Unavailable) {
        if (session.directed_) session.directed_->erase(to);
    } else if (!session.isAvailable() || !isSubscribed(to)) {
        auto& directed = session.directed();
        const auto directedMax = std::size_t(account_.host().get(presenceDirectedMax));
        if (directed.size() >= directedMax && !directed.contains(to)) {
            account_.shard().refuse(
                *presence, {Condition::ResourceConstraint,
                            "This client's presence goes to as many addresses as it may."});
            return;
        }
        directed.insert(to);
    }
    server().route(presence, std::move(hold));
}

// ---- from others

void PresenceRules::receive(const StanzaPtr& presence, Hold hold) {
    switch (presence->type()) {
        case StanzaType::None:
        case StanzaType::Unavailable:
            receiveNotification(presence, std::move(hold));
            break;
        case StanzaType::Subscribe:
        case StanzaType::Subscribed:
        case StanzaType::Unsubscribe:
        case StanzaType::Unsubscribed:
            receiveSubscription(presence, std::move(hold));
            break;
        case StanzaType::Probe:
            answerProbe(*presence);
            break;
        case StanzaType::Error:
            deliverNotification(presence);
            break;
        default:
            break;
    }
}

// Presence comes after what the same contact has sent before about the subscription.
void PresenceRules::receiveNotification(const StanzaPtr& presence, Hold hold) {
    const Jid sender = presence->from().bare();
    if (!isRosterChanging(account_, sender)) {
        deliverNotification(presence);
        return;
    }
    class Delivery final : public RosterStep {
    public:
        Delivery(StanzaPtr presence, Hold hold)
            : presence_{std::move(presence)}, hold_{std::move(hold)} {}
        std::optional<RosterChange> decide(Account&) override { return std::nullopt; }
        void finish(Account& account, const RosterChange*) override {
            PresenceRules{account}.deliverNotification(presence_);
        }
        void fail(Account& account, const std::exception_ptr&) override {
            finish(account, nullptr);
        }

    private:
        StanzaPtr presence_;
        Hold hold_;
    };
    changeRoster(account_, sender, std::make_unique<Delivery>(presence, std::move(hold)));
}

// RFC 6121, 8.5.2.1.2, 8.5.3.1 and 8.5.3.2.2.
void PresenceRules::deliverNotification(const StanzaPtr& presence) {
    if (!presence->to().isBare()) {
        Session* session = account_.session(presence->to().resource());
        if (!session) return;
        // RFC 6121, 4.6.1: who has left needs not to be told of our end.
        if (presence->type() == StanzaType::Unavailable && session->directed_)
            session->directed_->erase(presence->from());
        session->deliver(presence);
        return;
    }
    if (presence->isError()) {
        // What we send from the bare address are probes and subscriptions. Clients know nothing of
        // the probes; a request that failed is theirs.
        const Contact* contact = account_.roster().find(presence->from().bare());
        if (!contact || !contact->state.pendingOut) return;
    }
    deliverToAvailable(presence);
}

std::size_t PresenceRules::availableCount() const {
    const auto& sessions = account_.sessions();
    return std::size_t(std::count_if(sessions.begin(), sessions.end(),
                                     [](const auto& s) { return s->isAvailable(); }));
}

void PresenceRules::deliverToAvailable(const StanzaPtr& presence) {
    for (const auto& session : account_.sessions())
        if (session->isAvailable()) session->deliver(presence);
}

void PresenceRules::deliverToInterested(const StanzaPtr& presence) {
    for (const auto& session : account_.sessions())
        if (session->isInterested()) session->deliver(presence);
}

// ---- probes (RFC 6121, 4.3.2 and 4.6.6)

void PresenceRules::answerProbe(const Stanza& probe) {
    const bool subscribed = isSubscribed(probe.from());
    if (probe.to().isBare())
        answerBareProbe(probe, subscribed);
    else
        answerFullProbe(probe, subscribed);
}

void PresenceRules::answerBareProbe(const Stanza& probe, bool subscribed) {
    bool answered = false;
    for (const auto& session : account_.sessions()) {
        if (subscribed && session->isAvailable()) {
            server().route(Stanza::readdressed(session->presence(), probe.from()));
            answered = true;
        } else if (!subscribed && session->hasDirectedTo(probe.from())) {
            server().route(Stanza::presence(StanzaType::None, session->jid(), probe.from()));
            answered = true;
        }
    }
    if (answered) return;
    if (subscribed && isOwnProbe(probe, server())) return;
    const auto type = subscribed ? StanzaType::Unavailable : StanzaType::Unsubscribed;
    server().route(Stanza::presence(type, account_.jid(), probe.from(), probe.id()));
}

void PresenceRules::answerFullProbe(const Stanza& probe, bool subscribed) {
    const Session* session = account_.session(probe.to().resource());
    const bool isSeen =
        session && ((subscribed && session->isAvailable()) || session->hasDirectedTo(probe.from()));
    if (isSeen) {
        server().route(Stanza::presence(StanzaType::None, session->jid(), probe.from()));
    } else if (subscribed) {
        server().route(
            Stanza::presence(StanzaType::Unavailable, probe.to(), probe.from(), probe.id()));
    } else {
        server().route(
            Stanza::presence(StanzaType::Unsubscribed, account_.jid(), probe.from(), probe.id()));
    }
}

}  // namespace epode
