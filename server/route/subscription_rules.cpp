// Subscription requests and their answers on their way out and in (RFC 6121, 3). Which state
// follows from which says the table in subscription.cpp; here is what is sent, to whom, and in
// which order.
#include "route/presence_rules.h"

#include "core/metric.h"
#include "route/account.h"
#include "route/presence_options.h"
#include "route/reach.h"
#include "route/roster_changes.h"
#include "route/server.h"
#include "route/session.h"
#include "route/shard.h"

#include <algorithm>

namespace epode {

namespace {

Counter requestsDropped{
    "epode_presence_requests_dropped_total",
    "Subscription requests dropped because an account had too many unanswered ones"};

StanzaError notStored() {
    return {ErrorType::Wait, Condition::InternalServerError,
            "The server can't reach its storage at the moment; try again later."};
}

// The contact as a transition leaves it; nothing when that is how it stands.
std::optional<RosterChange> changeOf(const Roster& roster, const Jid& jid,
                                     const Transition& transition) {
    const Contact* known = roster.own(jid);
    if (transition.state == (known ? known->state : ContactState{})) return std::nullopt;
    RosterChange change;
    if (known) change.contact = *known;
    change.contact.jid = jid;
    change.contact.state = transition.state;
    change.contact.listed = change.contact.listed || transition.push;
    change.isVisible = transition.push;
    return change;
}

ContactState stateOf(const Roster& roster, const Jid& jid) {
    const Contact* known = roster.own(jid);
    return known ? known->state : ContactState{};
}

// A client of the account asks, approves, denies or leaves.
class Outbound final : public RosterStep {
public:
    Outbound(StanzaPtr original, StanzaPtr presence, Hold hold)
        : original_{std::move(original)}, presence_{std::move(presence)}, hold_{std::move(hold)} {}

    std::optional<RosterChange> decide(Account& account) override {
        const Roster& roster = account.roster();
        before_ = stateOf(roster, contact());
        transition_ = outbound(before_, presence_->type());
        const Contact* known = roster.own(contact());
        const bool isNew = transition_.push && !(known && known->listed);
        if (isNew && roster.listedCount() >= std::size_t(account.host().get(rosterItemsMax))) {
            account.shard().refuse(*original_, rosterIsFull());
            transition_ = {.state = before_};
        }
        return changeOf(roster, contact(), transition_);
    }

    void finish(Account& account, const RosterChange* change) override {
        PresenceRules rules{account};
        const bool isCancelled = presence_->type() == StanzaType::Unsubscribed && transition_.route;
        if (isCancelled && before_.isSeenByContact()) rules.unsubscribed(contact());  // 3.2.2
        if (transition_.route) account.shard().server().route(presence_, hold_);
        if (change && change->isVisible) account.pushRoster(change->contact.jid);
        const bool isApproved = presence_->type() == StanzaType::Subscribed && transition_.route;
        if (isApproved) rules.showTo(contact());  // 3.1.5
    }

    void fail(Account& account, const std::exception_ptr&) override {
        account.shard().refuse(*original_, notStored());
    }

private:
    const Jid& contact() const { return presence_->to(); }

    StanzaPtr original_;  // as the client has sent it, for the answer when it fails
    StanzaPtr presence_;  // between bare addresses
    Hold hold_;
    ContactState before_;
    Transition transition_;
};

// A contact asks, approves, denies or leaves.
class Inbound final : public RosterStep {
public:
    Inbound(StanzaPtr presence, Hold hold)
        : presence_{std::move(presence)}, hold_{std::move(hold)} {}

    std::optional<RosterChange> decide(Account& account) override {
        const Roster& roster = account.roster();
        before_ = stateOf(roster, contact());
        transition_ = inbound(before_, presence_->type());
        const bool isRequest = transition_.state.pendingIn && !before_.pendingIn;
        // To say so would tell a stranger that there is such an account.
        if (isRequest && hasTooManyRequests(account)) {
            requestsDropped.add();
            transition_ = {.state = before_};
        }
        auto change = changeOf(roster, contact(), transition_);
        if (change && isRequest) change->request = requestXml(account);
        return change;
    }

    void finish(Account& account, const RosterChange* change) override {
        PresenceRules rules{account};
        if (transition_.route) deliver(rules);
        switch (transition_.autoReply) {
            case StanzaType::Subscribed:
                reply(account);
                push(account, change);
                rules.showTo(contact());
                break;
            case StanzaType::Unsubscribed:
                push(account, change);
                if (before_.isSeenByContact()) rules.unsubscribed(contact());  // 3.3.3
                reply(account);
                break;
            default:
                push(account, change);
        }
    }

    void fail(Account& account, const std::exception_ptr&) override {
        account.shard().refuse(*presence_, notStored());
    }

private:
    const Jid& contact() const { return presence_->from(); }

    static bool hasTooManyRequests(Account& account) {
        const auto& contacts = account.roster().contacts();
        const auto waiting = std::count_if(contacts.begin(), contacts.end(), [](const auto& entry) {
            return entry.second.state.pendingIn;
        });
        return waiting >= account.host().get(presenceRequestsMax);
    }

    // RFC 6121, 3.1.3: the complete stanza, for as long as nobody has answered.
    std::string requestXml(Account& account) const {
        std::string xml = presence_->toXml();
        if (xml.size() <= account.host().get(presenceRequestBytesMax)) return xml;
        return Stanza::presence(presence_->type(), contact(), presence_->to(), presence_->id())
            ->toXml();
    }

    // Requests go to whoever is available; the rest to those who get the push that follows.
    void deliver(PresenceRules& rules) const {
        if (presence_->type() == StanzaType::Subscribe)
            rules.deliverToAvailable(presence_);
        else
            rules.deliverToInterested(presence_);
    }

    void reply(Account& account) const {
        account.shard().server().route(
            Stanza::presence(transition_.autoReply, account.jid(), contact(), presence_->id()));
    }

    static void push(Account& account, const RosterChange* change) {
        if (change && change->isVisible) account.pushRoster(change->contact.jid);
    }

    StanzaPtr presence_;
    Hold hold_;
    ContactState before_;
    Transition transition_;
};

}  // namespace

void PresenceRules::sendSubscription(const StanzaPtr& presence, Hold hold) {
    if (presence->to().empty()) {
        account_.shard().refuse(*presence, {Condition::BadRequest, "Name the contact in 'to'."});
        return;
    }
    // RFC 6121, 3 and 3.1.2: subscriptions are between bare addresses, whatever the client has
    // written.
    const Jid contact = presence->to().bare();
    auto stamped = presence->copy();
    stamped->setFrom(account_.jid());
    stamped->setTo(contact);
    if (contact == account_.jid()) {
        receiveSubscription(stamped, std::move(hold));
        return;
    }
    changeRoster(account_, contact,
                 std::make_unique<Outbound>(presence, std::move(stamped), std::move(hold)));
}

void PresenceRules::receiveSubscription(const StanzaPtr& presence, Hold hold) {
    const Jid sender = presence->from().bare();
    if (sender == account_.jid()) {
        // Everybody is subscribed to himself (RFC 6121, 4.2.2), and no roster says so.
        if (presence->type() == StanzaType::Subscribe)
            deliverToInterested(
                Stanza::presence(StanzaType::Subscribed, sender, sender, presence->id()));
        return;
    }
    StanzaPtr bare = presence;
    if (!presence->to().isBare() || !presence->from().isBare()) {
        // RFC 6121, 8.5.3.2.2: only a request for a resource is one for the account.
        const bool reaches = presence->to().isBare() || presence->type() == StanzaType::Subscribe ||
                             account_.session(presence->to().resource());
        if (!reaches) return;
        auto copy = presence->copy();
        copy->setFrom(sender);
        copy->setTo(account_.jid());
        bare = std::move(copy);
    }
    changeRoster(account_, sender, std::make_unique<Inbound>(std::move(bare), std::move(hold)));
}

void PresenceRules::showTo(const Jid& contact) {
    if (!mayReach(account_, contact)) return;
    for (const auto& session : account_.sessions())
        if (session->isAvailable())
            server().route(Stanza::readdressed(session->presence(), contact));
}

void PresenceRules::hideFrom(const Jid& contact) {
    for (const auto& session : account_.sessions())
        if (session->isAvailable())
            server().route(Stanza::presence(StanzaType::Unavailable, session->jid(), contact));
}

void PresenceRules::unsubscribed(const Jid& contact) {
    if (!isSubscribed(contact)) hideFrom(contact);
}

void PresenceRules::parted(const Jid& contact, const ContactState& before) {
    const auto tell = [&](StanzaType type) {
        server().route(Stanza::presence(type, account_.jid(), contact, "removed"));
    };
    if (before.seesContact() || before.pendingOut) tell(StanzaType::Unsubscribe);
    if (before.isSeenByContact()) unsubscribed(contact);
    if (before.isSeenByContact() || before.pendingIn) tell(StanzaType::Unsubscribed);
}

}  // namespace epode
