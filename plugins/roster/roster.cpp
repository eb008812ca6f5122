// The roster as clients read and change it (RFC 6121, 2), with versions.
#include "item_request.h"

#include "core/namespaces.h"
#include "plugin/plugin.h"
#include "route/roster_changes.h"
#include "route/roster_xml.h"
#include "route/shared_contacts.h"
#include "route/stream_facts.h"
#include "store/stores.h"

namespace epode {
namespace {

constexpr std::string_view versioning = "urn:xmpp:features:rosterver";
constexpr std::string_view preApproval = "urn:xmpp:features:pre-approval";

const Option<std::int64_t> groupsMax{
    .key = "roster.groups_max",
    .fallback = 64,
    .range = {1, 1000},
    .help = "The most groups of one contact.",
};
const Option<Bytes> groupBytesMax{
    .key = "roster.group_bytes_max",
    .fallback = 1_KiB,
    .range = {32_B, 16_KiB},
    .help = "The longest name of a group.",
};
const Option<Bytes> nameBytesMax{
    .key = "roster.name_bytes_max",
    .fallback = 1_KiB,
    .range = {32_B, 16_KiB},
    .help = "The longest name of a contact.",
};

StanzaError notYours() { return {Condition::Forbidden, "A roster belongs to its owner alone."}; }
StanzaError noRoster() { return {Condition::ItemNotFound, "There is no such roster."}; }

class RosterPlugin final : public Plugin {
public:
    explicit RosterPlugin(PluginContext& context)
        : limits_{.nameBytesMax = std::size_t(context.value(nameBytesMax)),
                  .groupsMax = std::size_t(context.value(groupsMax)),
                  .groupBytesMax = std::size_t(context.value(groupBytesMax))} {
        const QName query{ns::roster, "query"};
        context.onIq(StanzaType::Get, query, Addressee::Account, this, &RosterPlugin::get);
        context.onIq(StanzaType::Set, query, Addressee::Account, this, &RosterPlugin::set);
        context.on(&Services::features, Phase::Change, this, &RosterPlugin::announce);
        context.hostFeature(ns::roster);
        context.accountFeature(ns::roster);
        context.hostFeature(ns::roster);
    }

private:
    Task<Reply> get(const Iq& iq);
    Task<Reply> set(const Iq& iq);
    Verdict announce(FeaturesEvent& event);

    const ItemLimits limits_;
};

// Both tell what the server can do; neither is negotiated.
Verdict RosterPlugin::announce(FeaturesEvent& event) {
    if (!event.stream.isAuthenticated()) return Verdict::Pass;
    event.features.add("ver", versioning);
    event.features.add("sub", preApproval);
    return Verdict::Pass;
}

Document wholeRoster(const Account& account) {
    Document query{"query", ns::roster};
    query->set("ver", rosterVersionText(account, account.roster().version()));
    account.roster().each([&query](const Contact& contact) {
        if (contact.listed) addRosterItem(*query, contact);
    });
    return query;
}

// RFC 6121, 2.6.3: an empty result, then a push for each contact that has changed since.
void sendChanges(Session& session, const Iq& iq, const RosterChanges& since) {
    session.deliver(iq.stanza().result());
    const Account& account = session.account();
    for (const auto& change : since.changes) {
        const auto jid = Jid::parse(change.item.jid);
        if (!jid) continue;
        const Contact* now = account.roster().find(*jid);
        const bool isListed = now && now->listed;
        Contact gone;
        gone.jid = *jid;
        const auto push = rosterPush(account, isListed ? *now : gone,
                                     isListed ? ItemForm::Full : ItemForm::Removed, change.version);
        session.deliver(Stanza::readdressed(push, session.jid()));
    }
}

Task<Reply> RosterPlugin::get(const Iq& iq) {
    if (!iq.isToOwnAccount()) co_return notYours();
    if (iq.payload().firstChild())
        co_return StanzaError{Condition::BadRequest, "A roster get has no items."};
    if (!iq.account()) co_return noRoster();
    // What the client has sent before is in what it reads.
    Account* account = iq.account();
    const bool isInTurn = co_await rosterTurn(*account);
    account = iq.account();
    Session* session = iq.sender();
    // Somebody may ask in the account's name, as its bare address (XEP-0356).
    const bool isInItsName = iq.from().isBare();
    if (!account || !isInTurn || (!session && !isInItsName)) co_return noRoster();
    if (isInItsName) co_return wholeRoster(*account);
    session->setInterested();

    const auto known = rosterVersion(*account, iq.payload().get("ver"));
    if (!known) co_return wholeRoster(*account);
    const std::int64_t version = account->roster().version();
    if (*known == version) co_return Reply{};

    RosterStore& store = iq.shard().server().stores().rosters;
    const AccountId id = account->id();
    const auto since = co_await store.changesSince(id, *known);
    account = iq.account();
    session = iq.sender();
    if (!account || !session) co_return Reply::none();
    // What has changed meanwhile was pushed; the numbers read here would take the client back.
    const auto& shared = account->roster().shared();
    const std::size_t count =
        account->roster().listedCount() + (shared ? shared->contacts.size() : 0);
    const bool isWorthIt = since && since->changes.size() < count;
    if (!isWorthIt || account->roster().version() != version) co_return wholeRoster(*account);
    sendChanges(*session, iq, *since);
    co_return Reply::none();
}

Task<Reply> RosterPlugin::set(const Iq& iq) {
    if (!iq.isToOwnAccount()) co_return notYours();
    auto wanted = readItemRequest(iq.payload(), limits_);
    if (const auto* refusal = std::get_if<StanzaError>(&wanted)) co_return *refusal;
    auto& request = std::get<ItemRequest>(wanted);
    Account* account = iq.account();
    if (!account) co_return noRoster();
    if (request.contact == account->jid())
        co_return StanzaError{Condition::NotAllowed, "Nobody is a contact of himself."};

    std::optional<StanzaError> refusal;
    if (request.removes) {
        auto outcome = co_await removeContact(*account, request.contact);
        refusal = std::move(outcome);
    } else {
        auto outcome = co_await setContact(*account, request.contact, std::move(request.name),
                                           std::move(request.groups));
        refusal = std::move(outcome);
    }
    if (refusal) co_return *refusal;
    co_return Reply{};
}

const PluginInfo info{
    .name = "roster",
    .summary = "Contact lists: reading, changing, pushing, versions",
    .implements = {{"RFC 6121", "",
                    "tests/route/roster_test.cpp: a contact is added, changed and removed, and every interested resource is told"}, {"XEP-0237", "1.3"}},
    .options = {&groupsMax, &groupBytesMax, &nameBytesMax},
};

}  // namespace

DECLARE_PLUGIN(RosterPlugin, info)

}  // namespace epode
