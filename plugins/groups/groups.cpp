// Shared roster groups: whom an operator puts into a group is in the roster of all others in it,
// with a subscription in both directions, without a row for each pair.
#include "group_commands.h"
#include "live_groups.h"

#include "plugin/plugin.h"
#include "route/presence_rules.h"

namespace epode {
namespace {

const Option<std::int64_t> membersMax{
    .key = "groups.members_max",
    .fallback = 5000,
    .range = {2, 50000},
    .help =
        "How many members a group may have: each is in the roster of each, and hears of his "
        "presence.",
};

class Groups final : public Plugin {
public:
    explicit Groups(PluginContext& context)
        : live_{LiveGroups::of(context.server(), context.host())} {
        live_->setMembersMax(std::size_t(context.value(membersMax)));
        context.onAccountRead([live = live_](SqlConnection& connection, AccountId) -> AccountSetup {
            live->ensureLoaded(connection);
            return [live](Account& account) { live->attach(account); };
        });
        context.on(&Services::outgoing, Phase::Act, this, &Groups::leave);
        context.on(&Services::accountCreated, Phase::Act, this, &Groups::accountCreated);
        context.on(&Services::accountRemoved, Phase::Act, this, &Groups::accountRemoved);
    }

private:
    Verdict leave(OutgoingEvent& event);
    Verdict accountCreated(AccountEvent& event);
    Verdict accountRemoved(AccountEvent& event);

    std::shared_ptr<LiveGroups> live_;
};

bool isShared(const Account& account, const Jid& jid) {
    const auto& shared = account.roster().shared();
    return shared && jid != account.jid() && shared->contacts.contains(jid);
}

// Subscriptions within a group are as the group says: who asks has it already, and who leaves, or
// sends somebody away, is shown that nothing has changed.
Verdict Groups::leave(OutgoingEvent& event) {
    if (!event.stanza->isPresence()) return Verdict::Pass;
    switch (event.stanza->type()) {
        case StanzaType::Subscribe:
        case StanzaType::Subscribed:
        case StanzaType::Unsubscribe:
        case StanzaType::Unsubscribed:
            break;
        default:
            return Verdict::Pass;
    }
    Account& account = event.session.account();
    const Jid contact = event.stanza->to().bare();
    if (!isShared(account, contact)) return Verdict::Pass;
    if (event.stanza->type() == StanzaType::Subscribe)
        PresenceRules{account}.deliverToInterested(
            Stanza::presence(StanzaType::Subscribed, contact, account.jid(), event.stanza->id()));
    account.pushRoster(contact);
    return Verdict::Stop;
}

Verdict Groups::accountCreated(AccountEvent&) {
    const auto directory = live_->directory();
    if (directory && directory->hasEverybody()) live_->reload();
    return Verdict::Pass;
}

Verdict Groups::accountRemoved(AccountEvent& event) {
    const auto directory = live_->directory();
    if (directory && directory->contactsOf(event.account)) live_->reload();
    return Verdict::Pass;
}

const PluginInfo info{
    .name = "groups",
    .summary = "Groups of accounts that are in each other's rosters",
    .options = {&membersMax},
    .migrations = GroupStore::migrations(),
    .accountTables = GroupStore::accountTables(),
    .commands = groupCommands,
};

}  // namespace

DECLARE_PLUGIN(Groups, info)

}  // namespace epode
