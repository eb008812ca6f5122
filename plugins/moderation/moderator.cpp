#include "moderator.h"

#include "room_watch.h"

#include "core/log.h"
#include "core/metric.h"
#include "core/namespaces.h"
#include "route/account.h"
#include "route/every_shard.h"
#include "route/session.h"
#include "store/stores.h"

#include <algorithm>

namespace epode::moderation {

namespace {

const Log moderationLog{"moderation"};

Counter stoppedInRooms{"epode_moderation_rooms_refused_total",
                       "What rules of rooms have refused: messages, entries, nicknames"};
Counter penalties{"epode_moderation_penalties_total", "Mutes, kicks and bans by rules of rooms"};
Counter stoppedBlocked{"epode_moderation_blocked_total",
                       "Stanzas from and to addresses that the operator has blocked"};
Counter stoppedRequests{"epode_moderation_requests_refused_total",
                        "Subscription requests of strangers beyond the limits"};
Counter stoppedLinks{"epode_moderation_links_refused_total",
                     "First messages of strangers that were refused for a link"};

// Lists are read again so often, beside what is told in between.
constexpr Duration careEvery = std::chrono::minutes{10};
constexpr Duration careSoon = std::chrono::minutes{1};  // when a list could not be read

// The slot of a host on a shard. There is one while there is anybody to block.
struct Blocks {
    std::shared_ptr<const BlockList> list;
};

StanzaError notByPolicy(ErrorType type, std::string text) {
    return {type, Condition::PolicyViolation, std::move(text)};
}

bool needsNoAnswer(const Stanza& stanza) {
    return stanza.isPresence() || stanza.isError() || stanza.type() == StanzaType::Result;
}

bool isFirstWord(const Stanza& stanza) {
    return stanza.isMessage() &&
           (stanza.type() == StanzaType::None || stanza.type() == StanzaType::Chat ||
            stanza.type() == StanzaType::Normal);
}

bool hasLinkForPeople(const Stanza& message) {
    for (const Element& child : message.root().children()) {
        if (child.ns() == "jabber:x:oob") return true;
        if (child.ns() == ns::client && (child.name() == "body" || child.name() == "subject") &&
            hasLink(child.text()))
            return true;
    }
    return false;
}

}  // namespace

Moderator::Moderator(Server& server, std::string host, Policy policy)
    : server_{server},
      host_{std::move(host)},
      policy_{std::move(policy)},
      blocks_{server.database()} {
    for (const auto& text : policy_.publishedLists) {
        if (auto list = PublishedList::parse(text))
            published_.push_back(std::move(list));
        else
            moderationLog.error("moderation.published_lists: not an address and a node",
                                {{"list", text}});
    }
}

const BlockList* Moderator::blocked(Host& host) {
    const auto* blocks = host.slots().find<Blocks>();
    return blocks && blocks->list ? blocks->list.get() : nullptr;
}

// ---- rooms

Verdict Moderator::inRoom(RoomEvent& event) {
    if (const BlockList* list = blocked(event.host)) {
        const WallTime now = event.shard.executor().wallNow();
        const bool isBlocked =
            list->find(event.client, now) ||
            (event.act == RoomAct::Enters && !event.isMember && list->isPublished(event.client));
        if (isBlocked) {
            stoppedBlocked.add();
            event.refusal = StanzaError{Condition::Forbidden, "This server has blocked you."};
            if (event.act != RoomAct::Enters) {
                event.penalty = RoomEvent::Penalty::Kick;
                event.rule = "blocked";
            }
            return Verdict::Stop;
        }
    }
    auto& watch = event.host.state<RoomWatch>();
    auto objection = watch.judge(event, policy_.rooms);
    if (!objection) return Verdict::Pass;
    stoppedInRooms.add();
    event.refusal = std::move(objection->error);
    event.rule = objection->rule;
    const RoomRules* rules = watch.rulesOf(event);
    const bool isPunished = objection->isOffence && rules &&
                            rules->penalty != RoomEvent::Penalty::None && watch.isEnough(event);
    if (isPunished) {
        penalties.add();
        event.penalty = rules->penalty;
        event.term = rules->penaltyTerm;
    }
    return Verdict::Stop;
}

// ---- accounts

Verdict Moderator::askToSubscribe(IncomingEvent& event) {
    const Jid& from = event.stanza->from();
    const SteadyTime now = event.account.shard().executor().now();
    const Jid bare = from.bare();
    // An account of this server was counted when it has asked.
    const bool isForeign = !server_.isLocal(from.domain());
    const std::string domain = "of " + std::string{from.domain()};
    // A domain that has asked too often doesn't get the names counted that it makes up then.
    const bool isFine =
        (!isForeign || (!requests_.isUsedUp(domain, policy_.requestsOf, now) &&
                        requests_.take("from " + bare.text(), policy_.requestsFrom, now) &&
                        requests_.take(domain, policy_.requestsOf, now))) &&
        requests_.take("to " + event.account.jid().text(), policy_.requestsTo, now);
    if (isFine) return Verdict::Pass;
    stoppedRequests.add();
    event.refusal = notByPolicy(ErrorType::Wait, "There were too many requests; try again later.");
    return Verdict::Stop;
}

bool Moderator::watchesLinksOf(Account& account, const Jid& jid) const {
    switch (policy_.links) {
        case Policy::Links::Pass:
            return false;
        case Policy::Links::Remote:
            return !isOfThisServer(server_, account, jid);
        case Policy::Links::All:
            break;
    }
    return account.shard().served(jid.domain()) == nullptr;
}

Verdict Moderator::arrive(IncomingEvent& event) {
    const Stanza& stanza = *event.stanza;
    const Jid& from = stanza.from();
    Account& account = event.account;
    const bool isOwn = from.empty() || from.bareText() == account.jid().text() ||
                       (from.isDomain() && from.domain() == account.jid().domain());
    if (isOwn) return Verdict::Pass;
    const BlockList* list = blocked(account.host());
    if (list && list->find(from, account.shard().executor().wallNow())) {
        stoppedBlocked.add();
        if (!needsNoAnswer(stanza))
            event.refusal = notByPolicy(ErrorType::Cancel, "This server has blocked you.");
        return Verdict::Stop;
    }
    const bool isRequest = stanza.isPresence() && stanza.type() == StanzaType::Subscribe;
    const bool isWord = isFirstWord(stanza);
    if (!isRequest && !isWord) return Verdict::Pass;
    const bool isWatched = isWord && watchesLinksOf(account, from);
    const bool isPublished = list && list->isPublished(from);
    if (!isRequest && !isWatched && !isPublished) return Verdict::Pass;
    if (!isStranger(account, from)) return Verdict::Pass;
    if (isPublished) {
        stoppedBlocked.add();
        event.refusal = notByPolicy(ErrorType::Cancel, "You are on a list of spammers.");
        return Verdict::Stop;
    }
    if (isRequest) return askToSubscribe(event);
    if (!isWatched || !hasLinkForPeople(stanza)) return Verdict::Pass;
    stoppedLinks.add();
    event.refusal = notByPolicy(ErrorType::Modify,
                                "You are a stranger to this account: write first without links.");
    return Verdict::Stop;
}

// The error comes from the blocked address, so it takes the way past our own rules.
Verdict Moderator::leave(OutgoingEvent& event) {
    Session& session = event.session;
    Account& account = session.account();
    const Stanza& stanza = *event.stanza;
    const Jid& to = stanza.to();
    if (to.empty()) return Verdict::Pass;
    const BlockList* list = blocked(account.host());
    if (list && list->find(to, account.shard().executor().wallNow())) {
        stoppedBlocked.add();
        const bool isQuiet = stanza.isError() || stanza.type() == StanzaType::Result ||
                             (stanza.isPresence() && stanza.type() != StanzaType::None &&
                              stanza.type() != StanzaType::Subscribe);
        if (!isQuiet)
            session.write(stanza.error(notByPolicy(ErrorType::Cancel,
                                                   "This server has blocked that address.")),
                          {});
        return Verdict::Stop;
    }
    if (stanza.isPresence() && stanza.type() == StanzaType::Subscribe) {
        const SteadyTime now = account.shard().executor().now();
        if (requests_.take("from " + account.jid().text(), policy_.requestsFrom, now))
            return Verdict::Pass;
        stoppedRequests.add();
        event.refusal =
            notByPolicy(ErrorType::Wait, "You have asked too many people; go on in an hour.");
        return Verdict::Stop;
    }
    // What costs least is asked first: this is the way of every message.
    const bool isCorrespondence = isFirstWord(stanza) && to.hasLocal() &&
                                  watchesLinksOf(account, to) && isStranger(account, to) &&
                                  stanza.child("body", ns::client);
    if (isCorrespondence) {
        auto& known = account.state<Known>();
        if (known.peers.size() >= std::size_t(policy_.knownMax)) known.peers.clear();
        const Jid bare = to.bare();
        known.peers.insert(bare.text());
        Executor& executor = account.shard().executor();
        noteKnown(server_.database(), executor, account.id(), bare.text(), executor.wallNow(),
                  policy_.knownMax);
    }
    return Verdict::Pass;
}

// ---- lists

Verdict Moderator::toHost(HostEvent& event) {
    bool isChanged = false;
    const bool isOwn = event.stanza->isMessage() &&
                       std::any_of(published_.begin(), published_.end(), [&](const auto& list) {
                           return list->take(*event.stanza, isChanged);
                       });
    if (!isOwn) return Verdict::Pass;
    if (isChanged) start(spread(), [keep = event.host.sharedServices()](std::exception_ptr) {});
    return Verdict::Stop;
}

Task<void> Moderator::spread() {
    std::shared_ptr<const BlockList> made;
    {
        const std::lock_guard lock{mutex_};
        std::vector<std::shared_ptr<const Hashes>> published;
        for (const auto& list : published_) published.push_back(list->hashes());
        made = std::make_shared<BlockList>(entries_, std::move(published));
    }
    if (made->empty()) made = nullptr;
    std::function<char(Shard&)> take = [made, host = host_](Shard& shard) {
        Host* own = shard.host(host);
        if (own && (made || own->slots().find<Blocks>())) own->state<Blocks>().list = made;
        return '\0';
    };
    auto taking = everyShard<char>(server_, std::move(take));
    const auto taken = co_await taking;
    (void)taken;
}

Task<void> Moderator::readBlocks() {
    auto entries = co_await blocks_.list();
    {
        const std::lock_guard lock{mutex_};
        entries_ = std::move(entries);
    }
    co_await spread();
}

Task<Duration> Moderator::care() {
    const WallTime now = server_.here().executor().wallNow();
    co_await blocks_.forgetEnded(now);
    co_await readBlocks();
    bool isComplete = true;
    for (const auto& list : published_) {
        Jid host = Jid::parse(host_).value_or(Jid{});
        const bool isRead = co_await list->read(server_.here(), std::move(host));
        isComplete = isComplete && isRead;
        if (!isRead)
            moderationLog.warning("a list could not be read", {{"list", list->state().name}});
    }
    if (!published_.empty()) {
        auto spreading = spread();
        co_await spreading;
    }
    co_return isComplete ? careEvery : careSoon;
}

std::vector<PublishedList::State> Moderator::published() {
    std::vector<PublishedList::State> all;
    for (const auto& list : published_) all.push_back(list->state());
    return all;
}

Task<Duration> endSuspensions(Server& server) {
    const WallTime now = server.here().executor().wallNow();
    const auto freed = co_await server.stores().accounts.endDisabling(now);
    for (const auto& account : freed)
        moderationLog.notice("a suspension is over", {{"account", account}});
    co_return Duration{std::chrono::minutes{1}};
}

}  // namespace epode::moderation
