#include "befriend.h"

#include "core/log.h"
#include "route/account.h"
#include "route/presence_options.h"
#include "route/presence_rules.h"
#include "route/roster_changes.h"
#include "route/server.h"
#include "route/shard.h"

namespace epode {

namespace {

const Log inviteLog{"invite"};

// Decides on the contact as it stands; a roster that is full takes nobody, however he was invited.
std::optional<RosterChange> listed(const Account& account, Host& host, const Jid& jid) {
    const Roster& roster = account.roster();
    const Contact* known = roster.own(jid);
    const bool isNew = !known || !known->listed;
    if (isNew && roster.listedCount() >= std::size_t(host.get(rosterItemsMax))) return std::nullopt;
    RosterChange change;
    if (known) change.contact = *known;
    change.contact.jid = jid;
    change.contact.listed = true;
    change.contact.state.pendingIn = false;
    change.contact.state.approved = false;
    change.isVisible = true;
    return change;
}

class Befriend final : public RosterStep {
public:
    explicit Befriend(Jid contact) : contact_{std::move(contact)} {}
    std::optional<RosterChange> decide(Account& account) override {
        auto change = listed(account, account.host(), contact_);
        if (!change) return change;
        change->contact.state.subscription = Subscription::Both;
        change->contact.state.pendingOut = false;
        return change;
    }
    void finish(Account& account, const RosterChange* change) override {
        if (!change) return;
        account.pushRoster(contact_);
        PresenceRules{account}.showTo(contact_);
    }
    void fail(Account& account, const std::exception_ptr&) override {
        inviteLog.warning("an invited contact could not be stored",
                          {{"account", account.jid().text()}});
    }

private:
    Jid contact_;
};

class Accept final : public RosterStep {
public:
    Accept(StanzaPtr request, Hold hold) : request_{std::move(request)}, hold_{std::move(hold)} {}
    std::optional<RosterChange> decide(Account& account) override {
        auto change = listed(account, account.host(), contact());
        if (!change) return change;
        ContactState& state = change->contact.state;
        asksBack_ = !state.seesContact();
        state.subscription = asksBack_ ? Subscription::From : Subscription::Both;
        state.pendingOut = asksBack_;
        return change;
    }
    void finish(Account& account, const RosterChange* change) override {
        if (!change) return;
        Server& server = account.shard().server();
        server.route(
            Stanza::presence(StanzaType::Subscribed, account.jid(), contact(), request_->id()),
            hold_);
        account.pushRoster(contact());
        PresenceRules{account}.showTo(contact());
        if (asksBack_)
            server.route(
                Stanza::presence(StanzaType::Subscribe, account.jid(), contact(), "invited"),
                hold_);
    }
    void fail(Account& account, const std::exception_ptr&) override {
        account.shard().refuse(*request_,
                               {ErrorType::Wait, Condition::InternalServerError,
                                "The server can't reach its storage at the moment; try again "
                                "later."});
    }

private:
    Jid contact() const { return request_->from().bare(); }

    StanzaPtr request_;
    Hold hold_;
    bool asksBack_ = false;
};

void addContact(Server& server, const Jid& owner, const Jid& contact) {
    Shard& home = server.shardOf(owner.text());
    home.executor().post([&home, owner, contact] {
        home.withAccount(
            owner,
            [contact](Account* account) {
                if (account) changeRoster(*account, contact, std::make_unique<Befriend>(contact));
            },
            [owner] {
                inviteLog.warning("an invited contact could not be stored",
                                  {{"account", owner.text()}});
            });
    });
}

}  // namespace

void befriend(Server& server, const Jid& one, const Jid& other) {
    addContact(server, one, other);
    addContact(server, other, one);
}

void acceptRequest(Account& account, StanzaPtr request, Hold hold) {
    const Jid contact = request->from().bare();
    changeRoster(account, contact, std::make_unique<Accept>(std::move(request), std::move(hold)));
}

}  // namespace epode
