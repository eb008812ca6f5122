// Blocking Command (XEP-0191): nothing reaches an account from whom it has blocked, nothing of it
// reaches them, and to them it is offline.
#include "block_list.h"
#include "block_request.h"
#include "block_store.h"

#include "core/metric.h"
#include "plugin/plugin.h"
#include "route/presence_rules.h"
#include "route/roster_changes.h"
#include "store/stores.h"

#include <utility>

namespace epode {
namespace {

constexpr QName listElement{blockingNs, "blocklist"};
constexpr QName blockElement{blockingNs, "block"};
constexpr QName unblockElement{blockingNs, "unblock"};

const Option<std::int64_t> entriesMax{
    .key = "blocking.entries_max",
    .fallback = 1000,
    .range = {1, 100000},
    .help = "How many addresses an account may block.",
};

Counter stopped{"epode_blocked_stanzas_total",
                "Stanzas that were not delivered because their sender is blocked"};

// The slot of a session that has asked for the list, and hears of its changes.
struct Interest {
    std::string save() const { return {}; }
    static Interest restore(std::string_view) { return {}; }
};

StanzaError foreign() { return {Condition::Forbidden, "A block list belongs to its owner alone."}; }

// As for everybody who is not there.
StanzaError nobodyThere() {
    return {Condition::ServiceUnavailable, "The addressee is not available."};
}

StanzaError isBlockedError() {
    StanzaError error{ErrorType::Cancel, Condition::NotAcceptable,
                      "You have blocked this address."};
    error.application = "blocked";
    error.applicationNs = "urn:xmpp:blocking:errors";
    return error;
}

// An account's clients are never blocked from each other (XEP-0191, 5), nor from their own server.
bool isExempt(const Account& account, const Jid& jid) {
    return jid.empty() || jid.bareText() == account.jid().text() ||
           (jid.isDomain() && jid.domain() == account.jid().domain());
}

// Most accounts have no list, and pay for that one look.
bool isBlocked(Account& account, const Jid& jid) {
    const auto* list = account.slots().find<BlockList>();
    return list && list->blocks(jid) && !isExempt(account, jid);
}

// Forgets that somebody has asked, and tells him nothing.
class ForgetRequest final : public RosterStep {
public:
    explicit ForgetRequest(Jid contact) : contact_{std::move(contact)} {}
    std::optional<RosterChange> decide(Account& account) override {
        const Contact* known = account.roster().own(contact_);
        if (!known || !known->state.pendingIn || !isBlocked(account, contact_)) return std::nullopt;
        RosterChange change;
        change.contact = *known;
        change.contact.state.pendingIn = false;
        return change;
    }
    void finish(Account&, const RosterChange*) override {}
    void fail(Account&, const std::exception_ptr&) override {}  // he stays, and stays unseen

private:
    Jid contact_;
};

class Blocking final : public Plugin {
public:
    explicit Blocking(PluginContext& context)
        : store_{context.server().database()}, entriesMax_{std::size_t(context.value(entriesMax))} {
        context.onIq(StanzaType::Get, listElement, Addressee::Account, this, &Blocking::list);
        context.onIq(StanzaType::Set, blockElement, Addressee::Account, this, &Blocking::block);
        context.onIq(StanzaType::Set, unblockElement, Addressee::Account, this, &Blocking::unblock);
        context.on(&Services::incoming, Phase::Check, this, &Blocking::arrive);
        context.on(&Services::outgoing, Phase::Check, this, &Blocking::leave);
        context.on(&Services::sessionOutput, Phase::Check, this, &Blocking::deliver);
        context.on(&Services::reaches, Phase::Check, this, &Blocking::reach);
        context.onAccountRead(&Blocking::read);
        context.savedState<Interest>("blocking");
        context.hostFeature(blockingNs);
        context.accountFeature(blockingNs);
    }

private:
    static AccountSetup read(SqlConnection& connection, AccountId id);

    Verdict arrive(IncomingEvent& event);
    Verdict leave(OutgoingEvent& event);
    Verdict deliver(SessionOutputEvent& event);
    Verdict reach(ReachEvent& event);

    Task<Reply> list(const Iq& iq);
    Task<Reply> block(const Iq& iq);
    Task<Reply> unblock(const Iq& iq);

    BlockStore store_;
    const std::size_t entriesMax_;
};

// A list that is there already is at least as new.
AccountSetup Blocking::read(SqlConnection& connection, AccountId id) {
    auto entries = readBlocked(connection, id);
    if (entries.empty()) return {};
    return [entries = std::move(entries)](Account& account) mutable {
        if (account.slots().find<BlockList>()) return;
        auto& list = account.state<BlockList>();
        for (auto& entry : entries) list.add(std::move(entry));
    };
}

// ---- what it stops

// XEP-0191, 3.3. `refuse` answers neither errors nor results.
Verdict Blocking::arrive(IncomingEvent& event) {
    if (!isBlocked(event.account, event.stanza->from())) return Verdict::Pass;
    stopped.add();
    if (!event.stanza->isPresence()) event.refusal = nobodyThere();
    return Verdict::Stop;
}

// The error comes from the blocked address, so it takes the way past our own rules.
Verdict Blocking::leave(OutgoingEvent& event) {
    Session& session = event.session;
    if (!isBlocked(session.account(), event.stanza->to())) return Verdict::Pass;
    const Stanza& stanza = *event.stanza;
    if (!stanza.isError() && stanza.type() != StanzaType::Result)
        session.write(stanza.error(isBlockedError()), {});
    return Verdict::Stop;
}

// What came before it was blocked, and was kept: a message that waits, a subscription request.
Verdict Blocking::deliver(SessionOutputEvent& event) {
    Account& account = event.session.account();
    if (!isBlocked(account, event.stanza->from())) return Verdict::Pass;
    stopped.add();
    if (event.stamp != 0) account.acknowledged(event.stamp);  // nobody waits for it any more
    return Verdict::Stop;
}

Verdict Blocking::reach(ReachEvent& event) {
    return isBlocked(event.account, event.to) ? Verdict::Stop : Verdict::Pass;
}

// ---- its list

void push(Account& account, const Element& change) {
    for (const auto& session : account.sessions()) {
        if (!session->slots().find<Interest>()) continue;
        auto push = Stanza::iq(StanzaType::Set, {}, session->jid(), "blocking-push");
        push->edit().add(change);
        session->deliver(push);
    }
}

Document changeElement(const QName& name, const std::vector<Jid>& jids) {
    Document change{name.name, name.ns};
    for (const Jid& jid : jids) change->add("item").set("jid", jid.text());
    return change;
}

Task<Reply> Blocking::list(const Iq& iq) {
    if (!iq.isToOwnAccount()) co_return foreign();
    if (Session* session = iq.sender()) session->state<Interest>();
    Document answer{listElement.name, listElement.ns};
    if (const auto* list = iq.account()->slots().find<BlockList>())
        for (const auto& entry : list->entries()) answer->add("item").set("jid", entry);
    co_return Reply{std::move(answer)};
}

// What one entry of the list is about.
bool isMeant(const Jid& entry, const Jid& jid) {
    BlockList only;
    only.add(entry.text());
    return only.blocks(jid);
}

// The bare addresses that see this account's presence and are meant; an entry with a resource is
// about that one alone.
std::vector<Jid> subscribersMeant(const Account& account, const Jid& entry) {
    std::vector<Jid> found;
    if (!entry.isBare()) {
        const Contact* contact = account.roster().find(entry.bare());
        if (contact && contact->state.isSeenByContact()) found.push_back(entry);
        return found;
    }
    account.roster().each([&](const Contact& contact) {
        if (contact.state.isSeenByContact() && isMeant(entry, contact.jid))
            found.push_back(contact.jid);
    });
    return found;
}

void withdrawDirected(Account& account, const Jid& entry) {
    for (const auto& session : account.sessions()) {
        const Session& watched = *session;
        std::vector<Jid> meant;
        for (const Jid& jid : watched.directed())
            if (isMeant(entry, jid) && !isExempt(account, jid)) meant.push_back(jid);
        for (const Jid& jid : meant) {
            session->directed().erase(jid);
            account.shard().server().route(
                Stanza::presence(StanzaType::Unavailable, session->jid(), jid));
        }
    }
}

void forgetRequests(Account& account, const Jid& entry) {
    std::vector<Jid> asking;
    for (const auto& [jid, contact] : account.roster().contacts())
        if (contact.state.pendingIn && isMeant(entry, jid)) asking.push_back(jid);
    for (const Jid& jid : asking) changeRoster(account, jid, std::make_unique<ForgetRequest>(jid));
}

Task<Reply> Blocking::block(const Iq& iq) {
    if (!iq.isToOwnAccount()) co_return foreign();
    const auto read = readBlockItems(iq.payload(), iq.account()->jid());
    if (const auto* error = std::get_if<StanzaError>(&read)) co_return *error;
    const auto& jids = std::get<std::vector<Jid>>(read);
    if (jids.empty()) co_return StanzaError{Condition::BadRequest, "Name whom you want to block."};

    const AccountId id = iq.account()->id();
    const WallTime now = iq.shard().executor().wallNow();
    const bool isStored = co_await store_.add(id, jids, now, entriesMax_);
    if (!isStored)
        co_return StanzaError{Condition::ResourceConstraint,
                              "You have blocked as many addresses as you may."};
    Account* account = iq.account();
    if (!account) co_return Reply::none();

    if (Session* session = iq.sender()) session->deliver(iq.stanza().result());
    std::vector<Jid> fresh;
    auto& list = account->state<BlockList>();
    for (const Jid& jid : jids)
        if (!list.blocks(jid)) fresh.push_back(jid);
    // To them the account goes offline, before it can't tell them any more.
    PresenceRules presence{*account};
    for (const Jid& entry : fresh)
        for (const Jid& contact : subscribersMeant(*account, entry))
            if (!list.blocks(contact)) presence.hideFrom(contact);
    for (const Jid& jid : jids) list.add(jid.text());
    for (const Jid& entry : fresh) {
        withdrawDirected(*account, entry);
        forgetRequests(*account, entry);
    }
    push(*account, *changeElement(blockElement, jids));

    const auto& hook = iq.host().services().blocked;
    if (hook.empty()) co_return Reply::none();
    for (const Element& item : iq.payload().children()) {
        const auto jid = Jid::parse(item.get("jid"));
        if (!jid) continue;
        BlockedEvent event{*account, *jid, item};
        hook.run(event);
    }
    co_return Reply::none();
}

Task<Reply> Blocking::unblock(const Iq& iq) {
    if (!iq.isToOwnAccount()) co_return foreign();
    const auto read = readBlockItems(iq.payload(), iq.account()->jid());
    if (const auto* error = std::get_if<StanzaError>(&read)) co_return *error;
    const auto& jids = std::get<std::vector<Jid>>(read);
    const bool isAll = jids.empty();
    if (isAll && iq.payload().firstChild())
        co_return StanzaError{Condition::BadRequest,
                              "Name whom you want to hear again, or nobody."};

    const AccountId id = iq.account()->id();
    if (isAll)
        co_await store_.clear(id);
    else
        co_await store_.remove(id, jids);
    Account* account = iq.account();
    if (!account) co_return Reply::none();

    if (Session* session = iq.sender()) session->deliver(iq.stanza().result());
    BlockList before;
    if (auto* list = account->slots().find<BlockList>()) {
        before = *list;
        if (isAll) *list = {};
        for (const Jid& jid : jids) list->remove(jid.text());
        if (list->empty()) account->slots().drop<BlockList>();
    }
    push(*account, *changeElement(unblockElement, jids));

    // They see the account again, and are seen again, as far as the roster says so.
    std::vector<Jid> shown;
    std::vector<Jid> seen;
    account->roster().each([&](const Contact& contact) {
        if (!before.blocks(contact.jid) || isBlocked(*account, contact.jid)) return;
        if (contact.state.isSeenByContact()) shown.push_back(contact.jid);
        if (contact.state.seesContact()) seen.push_back(contact.jid);
    });
    for (const Jid& entry : jids)
        if (!entry.isBare() && before.contains(entry.text()) && !isBlocked(*account, entry))
            for (const Jid& contact : subscribersMeant(*account, entry)) shown.push_back(contact);
    PresenceRules presence{*account};
    for (const Jid& jid : shown) presence.showTo(jid);
    const auto isThere = [](const auto& session) { return session->isAvailable(); };
    if (std::any_of(account->sessions().begin(), account->sessions().end(), isThere))
        for (const Jid& jid : seen) presence.probe(jid);
    co_return Reply::none();
}

// ---- export and import, as a client would get the list

Task<std::int64_t> writeBlocked(AccountRef account, AccountSink& sink) {
    auto work = [id = account.id](SqlConnection& connection) { return readBlocked(connection, id); };
    const auto blocked = co_await account.server.database().read(std::move(work));
    if (blocked.empty()) co_return 0;
    Document list{"blocklist", blockElement.ns};
    for (const auto& jid : blocked) list->add("item").set("jid", jid);
    std::string xml = toXml(*list);
    co_await sink.write(std::move(xml));
    co_return std::int64_t(blocked.size());
}

Task<DataCount> readBlockList(AccountRef account, const Element& element) {
    DataCount count;
    std::vector<Jid> jids;
    for (const Element& item : element.children()) {
        auto jid = Jid::parse(item.get("jid"));
        if (jid && item.is("item", blockElement.ns))
            jids.push_back(std::move(*jid));
        else
            ++count.refused;
    }
    const auto entries = std::int64_t(jids.size());
    BlockStore store{account.server.database()};
    const WallTime now = account.server.here().executor().wallNow();
    const bool added = co_await store.add(account.id, std::move(jids), now, SIZE_MAX / 2);
    (added ? count.done : count.refused) += entries;
    co_return count;
}

const PluginInfo info{
    .name = "blocking",
    .summary = "Keeps away whom people have blocked",
    .implements = {{"XEP-0191", "1.3",
                    "tests/plugins/blocking_test.cpp: nothing comes from whom one has blocked, and he finds nobody"}},
    .options = {&entriesMax},
    .migrations = BlockStore::migrations(),
    .accountTables = {BlockStore::table()},
    .data = {{.what = "blocked addresses",
              .elements = {{blockElement.ns, "blocklist"}},
              .write = writeBlocked,
              .read = readBlockList}},
};

}  // namespace

DECLARE_PLUGIN(Blocking, info)

}  // namespace epode
