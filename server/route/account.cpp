#include "route/account.h"

#include "core/namespaces.h"
#include "route/message_content.h"
#include "route/presence_rules.h"
#include "route/roster_changes.h"
#include "route/server.h"
#include "route/session.h"
#include "route/shard.h"
#include "route/waiting_copies.h"

#include <algorithm>

namespace epode {

namespace {

// How many messages wait in memory while older ones are read from the log.
constexpr std::size_t heldMax = 500;

StanzaError nobodyThere() {
    return {Condition::ServiceUnavailable, "The addressee is not available."};
}

StanzaError tooManyWait() {
    return {Condition::ServiceUnavailable,
            "The addressee is away, and too many messages wait already."};
}

// Whether a message may wait for another client than the one it names (RFC 6121, 8.5.3.2.1).
bool mayWait(const Stanza& message) {
    return message.to().isBare() || message.type() == StanzaType::Chat;
}

Pending::Stored toPending(const ArchiveState& archive) {
    return {.position = toMilliseconds(archive.delivered),
            .first = toMilliseconds(archive.firstPending),
            .last = toMilliseconds(archive.last),
            .count = archive.pending,
            .isAllArchived = archive.isPendingArchived};
}

}  // namespace

Account::Account(Shard& shard, Host& host, Jid bare, AccountRecord record)
    : shard_{shard},
      host_{host},
      jid_{std::move(bare)},
      id_{record.account},
      roster_{record.roster},
      preferences_{std::move(record.archivePreferences)},
      lastStamp_{toMilliseconds(std::max(record.archive.last, record.archive.delivered))},
      savedPosition_{toMilliseconds(record.archive.delivered)},
      lastOffline_{record.archive.pending > 0 ? lastStamp_ : 0},
      pending_{toPending(record.archive)},
      lastUsed_{shard.executor().now()} {
    takeRoster(record.roster);
}

Account::~Account() = default;

void Account::takeRoster(const StoredRoster& stored) {
    roster_.setVersion(stored.version);
    for (const RosterItem& item : stored.items) {
        const auto jid = Jid::parse(item.jid);
        if (!jid) continue;
        Contact& contact = roster_.entry(*jid);
        contact.name = item.name;
        contact.groups = item.groups;
        contact.state = {.subscription = item.subscription,
                         .pendingOut = item.isAsking,
                         .approved = item.isApproved};
        contact.listed = true;
    }
}

// ---- sessions

Session* Account::session(std::string_view resource) const {
    for (const auto& session : sessions_)
        if (session->jid().resource() == resource) return session.get();
    return nullptr;
}

Session* Account::sessionBySmId(std::string_view id) const {
    for (const auto& session : sessions_)
        if (session->sm() && session->sm()->id() == id) return session.get();
    return nullptr;
}

Session& Account::bind(Jid full) {
    lastUsed_ = shard_.executor().now();
    return *sessions_.emplace_back(std::make_unique<Session>(*this, std::move(full)));
}

void Account::remove(Session& session) {
    std::deque<Unacknowledged> queue;
    if (session.beginning_) queue = std::move(session.beginning_->messages);
    if (StreamManagement* sm = session.sm())
        for (auto& entry : sm->takeQueue()) queue.push_back(std::move(entry));
    if (!queue.empty()) logUnacknowledged();
    std::erase_if(sessions_, [&session](const auto& entry) { return entry.get() == &session; });
    lastUsed_ = shard_.executor().now();
    returnUnacknowledged(std::move(queue));
    if (sessions_.empty()) savePosition();
}

// ---- what arrives

void Account::receive(const StanzaPtr& stanza, Hold hold) {
    lastUsed_ = shard_.executor().now();
    StanzaEdit edit{stanza};
    const auto& hook = host_.services().incoming;
    if (!hook.empty()) {
        IncomingEvent event{*this, edit, hold};
        if (hook.run(event) == Verdict::Stop) {
            if (event.refusal) shard_.refuse(*edit, *event.refusal);
            return;
        }
    }
    switch (edit->kind()) {
        case StanzaKind::Message: receiveMessage(edit.share(), std::move(hold)); break;
        case StanzaKind::Presence:
            PresenceRules{*this}.receive(edit.share(), std::move(hold));
            break;
        case StanzaKind::Iq: receiveIq(edit.share(), std::move(hold)); break;
    }
}

// RFC 6121, 8.5.2.1.3 and 8.5.3.
void Account::receiveIq(const StanzaPtr& stanza, Hold hold) {
    if (stanza->to().isBare()) {
        if (stanza->isRequest())
            dispatchIq(shard_, host_, Addressee::Account, stanza, std::move(hold));
        else
            Asking::answer(shard_, stanza);
        return;
    }
    Session* session = this->session(stanza->to().resource());
    if (!session) {
        shard_.refuse(*stanza, nobodyThere());
        return;
    }
    if (stanza->isRequest()) {
        // Who doesn't see the presence of a resource must not learn of it by asking.
        const Jid asking = stanza->from().bare();
        const Contact* contact = roster_.find(asking);
        const bool shared = asking == jid_ || (contact && contact->state.isSeenByContact()) ||
                            session->hasDirectedTo(stanza->from()) || asking.isDomain();
        if (!shared) {
            shard_.refuse(*stanza, nobodyThere());
            return;
        }
    }
    session->deliver(stanza);
}

// RFC 6121, 8.5.2.1.1 and 8.5.3.2.1: the clients that get this message.
std::vector<Session*> Account::targets(const Stanza& message) const {
    if (!message.to().isBare()) {
        if (Session* session = this->session(message.to().resource())) return {session};
        if (message.type() != StanzaType::Chat) return {};
        return mostAvailable();
    }
    std::vector<Session*> found;
    switch (message.type()) {
        case StanzaType::Normal:
        case StanzaType::Chat: return mostAvailable();
        case StanzaType::Headline:
            for (const auto& session : sessions_)
                if (session->takesMessages()) found.push_back(session.get());
            return found;
        default: return {};
    }
}

std::vector<Session*> Account::mostAvailable() const {
    int highest = 0;
    for (const auto& session : sessions_)
        if (session->takesMessages()) highest = std::max(highest, session->priority());
    std::vector<Session*> found;
    for (const auto& session : sessions_)
        if (session->takesMessages() && session->priority() == highest) found.push_back(session.get());
    return found;
}

void Account::receiveMessage(const StanzaPtr& message, Hold hold) {
    auto to = targets(*message);
    const bool areOlderWaiting = reading_ != Reading::No || pending_.firstWaiting().has_value();
    const auto takesMessages = [](Session* session) { return session->takesMessages(); };
    if (areOlderWaiting && (!held_.empty() || std::any_of(to.begin(), to.end(), takesMessages))) {
        // Older messages are on their way from the log to a client: this one comes after them, also when
        // that client has gone and others of these are still held here.
        if (reading_ == Reading::Running && held_.size() < heldMax) {
            held_.push_back({message, std::move(hold)});
            return;
        }
        spillHeld();
        if (isKept(keepingOf(*message)) && mayWait(*message)) to.clear();
    }
    deliver(message, to, std::move(hold));
}

// To `to`, or into the log when that is empty.
void Account::deliver(const StanzaPtr& message, const std::vector<Session*>& to, Hold hold) {
    if (to.empty() && message->type() == StanzaType::Error) {
        tellDelivered(message, {}, {}, 0, false);
        return;
    }
    const Keeping keeping = keepingOf(*message);
    if (to.empty() && !(isKept(keeping) && mayWait(*message))) {
        const bool silent = message->type() == StanzaType::Headline ||
                            (keeping == Keeping::Nothing && message->type() != StanzaType::Groupchat);
        if (!silent) shard_.refuse(*message, nobodyThere());
        return;
    }
    if (to.empty() && pending_.waiting() >= host_.limits().offlineMessagesMax) {
        shard_.refuse(*message, tooManyWait());
        return;
    }

    const bool archived = keeping == Keeping::Message && isArchived(*message, false);
    const int unsure = int(std::count_if(to.begin(), to.end(), [](Session* s) { return s->confirms(); }));
    const bool mayAnswer = std::any_of(to.begin(), to.end(), [](Session* s) { return s->outlet(); });
    std::string insertion;
    std::int64_t stamp = 0;
    if (archived || to.empty() || (isKept(keeping) && !mayAnswer)) {
        const bool waits = to.empty() || unsure > 0;
        const Uuid id = append(message, {.isArchived = archived, .isOffline = waits}, hold);
        stamp = toMilliseconds(id.stamp());
        if (archived) insertion = stanzaIdXml(id);
        if (to.empty()) pending_.keep(stamp, archived);
        else if (unsure > 0) pending_.gave(stamp, unsure, archived);
        else pending_.skip(stamp);
    } else if (isKept(keeping) && unsure > 0) {
        stamp = nextStamp();
        pending_.gave(stamp, unsure, false);
        keepUnlogged(stamp, message, std::move(hold));
    }
    for (Session* session : to) session->deliver(message, insertion, session->confirms() ? stamp : 0);

    tellDelivered(message, to, insertion, stamp, false);
    if (to.empty() && reading_ == Reading::No)
        if (Session* session = readyForWaiting()) startReading(session->jid());
}

void Account::tellDelivered(const StanzaPtr& message, const std::vector<Session*>& to,
                            std::string_view insertion, std::int64_t stamp, bool isFromLog) {
    const auto& hook = host_.services().delivered;
    if (hook.empty()) return;
    DeliveredEvent event{*this, message};
    event.insertion = insertion;
    event.stamp = stamp;
    event.isFromLog = isFromLog;
    event.sessions = to;
    hook.run(event);
}

void Account::deliverCopy(Session& session, const StanzaPtr& copy, std::int64_t stamp) {
    const auto* copies = session.slots().find<WaitingCopies>();
    if (copies && copies->has(stamp)) return;
    if (pending_.hasComeToWait(stamp)) {
        const bool isCounted = session.sm() != nullptr;
        session.state<WaitingCopies>().note(
            stamp, isCounted ? WaitingCopies::State::Sent : WaitingCopies::State::Arrived);
        session.deliver(copy, {}, isCounted ? -stamp : 0);
        return;
    }
    const bool counts = stamp != 0 && session.sm() && pending_.gaveToo(stamp);
    session.deliver(copy, {}, counts ? stamp : 0);
}

void Account::copyAcknowledged(Session& session, std::int64_t stamp) {
    if (auto* copies = session.slots().find<WaitingCopies>()) copies->arrived(stamp);
}

// Too many, or too long, for the memory: into the log behind what is read from it.
void Account::spillHeld() {
    for (auto& held : std::exchange(held_, {})) {
        auto to = targets(*held.message);
        if (isKept(keepingOf(*held.message)) && mayWait(*held.message)) to.clear();
        deliver(held.message, to, std::move(held.hold));
    }
}

void Account::sent(Session* origin, const StanzaPtr& message, const Hold& hold) {
    std::string insertion;
    const bool toSelf = message->to().bareText() == jid_.text();
    if (!toSelf && keepingOf(*message) == Keeping::Message && isArchived(*message, true)) {
        const Uuid id = append(message, {.isOutgoing = true}, hold);
        pending_.skip(toMilliseconds(id.stamp()));
        insertion = stanzaIdXml(id);
    }
    const auto& hook = host_.services().delivered;
    if (!hook.empty() && !toSelf) {
        DeliveredEvent event{*this, message};
        event.insertion = insertion;
        event.outgoing = true;
        event.origin = origin;
        hook.run(event);
    }
}

bool Account::isArchived(const Stanza& message, bool outgoing) {
    const auto& hook = host_.services().archive;
    if (hook.empty()) return false;  // no archive plugin: the log serves delivery alone
    ArchiveEvent event{*this, message, outgoing};
    hook.run(event);
    return event.keep.value_or(false);
}

bool Account::isIdle() const {
    return sessions_.empty() && reading_ == Reading::No && held_.empty() && unlogged_.empty() &&
           appending_ == 0 && !positionTimer_ && !isRosterChanging(slots_);
}

}  // namespace epode
