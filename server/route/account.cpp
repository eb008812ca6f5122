#include "route/account.h"

#include "core/log.h"
#include "core/namespaces.h"
#include "core/time_format.h"
#include "route/message_content.h"
#include "route/presence_rules.h"
#include "route/roster_changes.h"
#include "route/server.h"
#include "route/session.h"
#include "route/shard.h"

#include <algorithm>

namespace epode {

namespace {

const Log routeLog{"route"};

constexpr std::size_t pendingPage = 100;
constexpr auto positionDelay = std::chrono::seconds{1};
constexpr auto pendingRetry = std::chrono::seconds{10};

StanzaError nobodyThere() {
    return {Condition::ServiceUnavailable, "The addressee is not available."};
}

StanzaError notStored() {
    return {ErrorType::Wait, Condition::ResourceConstraint,
            "The server could not store this message; send it again later."};
}

}  // namespace

Account::Account(Shard& shard, Host& host, Jid bare, AccountRecord record)
    : shard_{shard},
      host_{host},
      jid_{std::move(bare)},
      id_{record.account},
      roster_{record.roster},
      preferences_{std::move(record.archivePreferences)},
      lastStamp_{toMilliseconds(record.archive.last)},
      savedPosition_{toMilliseconds(record.archive.delivered)},
      pending_{savedPosition_, lastStamp_, record.archive.pending > 0},
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
    const Jid jid = session.jid();
    if (StreamManagement* sm = session.sm()) queue = sm->takeQueue();
    std::erase_if(sessions_, [&session](const auto& entry) { return entry.get() == &session; });
    lastUsed_ = shard_.executor().now();
    returnUnacknowledged(jid, std::move(queue));
    if (sessions_.empty()) savePosition();
}

// ---- what arrives

void Account::receive(const StanzaPtr& stanza, Hold hold) {
    lastUsed_ = shard_.executor().now();
    StanzaEdit edit{stanza};
    const auto& hook = host_.services().incoming;
    if (!hook.empty()) {
        IncomingEvent event{*this, edit};
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
    if (readingPending_) {
        // Older messages are on their way from the log to a client: this one comes after them.
        held_.push_back({message, std::move(hold)});
        return;
    }
    const auto to = targets(*message);
    if (to.empty() && message->type() == StanzaType::Error) return;
    const bool mayWait = message->to().isBare() || message->type() == StanzaType::Chat;
    const Keeping keeping = keepingOf(*message);
    if (to.empty() && (keeping != Keeping::Message || !mayWait)) {
        const bool silent = message->type() == StanzaType::Headline ||
                            (keeping == Keeping::Nothing && message->type() != StanzaType::Groupchat);
        if (!silent) shard_.refuse(*message, nobodyThere());
        return;
    }

    const bool archived = keeping == Keeping::Message && isArchived(*message, false);
    const int unsure = int(std::count_if(to.begin(), to.end(), [](Session* s) { return s->sm() != nullptr; }));
    const bool waits = keeping == Keeping::Message && (to.empty() || unsure > 0);
    std::string insertion;
    std::int64_t stamp = 0;
    if (archived || waits) {
        const ArchiveFlags flags{.isOutgoing = false, .isArchived = archived, .isOffline = waits};
        const Uuid id = append(message, message->from().bare(), flags, hold);
        stamp = toMilliseconds(id.stamp());
        if (archived) insertion = stanzaIdXml(id);
        if (waits)
            pending_.stored(stamp, unsure);
        else
            pending_.done(stamp);
        if (waits) positionChanged();
    }
    for (Session* session : to) session->deliver(message, insertion, session->sm() ? stamp : 0);

    const auto& hook = host_.services().delivered;
    if (!hook.empty()) {
        DeliveredEvent event{*this, message};
        event.insertion = insertion;
        event.outgoing = false;
        event.origin = nullptr;
        event.sessions = to;
        hook.run(event);
    }
}

void Account::sent(Session* origin, const StanzaPtr& message, const Hold& hold) {
    std::string insertion;
    const bool toSelf = message->to().bareText() == jid_.text();
    if (!toSelf && keepingOf(*message) == Keeping::Message && isArchived(*message, true)) {
        const ArchiveFlags flags{.isOutgoing = true};
        const Uuid id = append(message, message->to().bare(), flags, hold);
        pending_.done(toMilliseconds(id.stamp()));
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

// ---- the log

bool Account::isArchived(const Stanza& message, bool outgoing) {
    const auto& hook = host_.services().archive;
    if (hook.empty()) return false;  // no archive plugin: the log serves delivery alone
    ArchiveEvent event{*this, message, outgoing};
    hook.run(event);
    return event.keep.value_or(false);
}

std::string Account::stanzaIdXml(const Uuid& id) const {
    std::string xml;
    xml.reserve(96 + jid_.text().size());
    xml.append("<stanza-id xmlns='urn:xmpp:sid:0' by='");
    escapeAttribute(xml, jid_.text());
    xml.append("' id='").append(id.text()).append("'/>");
    return xml;
}

Uuid Account::append(const StanzaPtr& message, const Jid& peer, ArchiveFlags flags,
                     const Hold& hold) {
    // Strictly increasing, so that clients which sort by the stamp see the order of the archive.
    lastStamp_ = std::max(lastStamp_ + 1, toMilliseconds(shard_.executor().wallNow()));
    const Uuid id = Uuid::at(fromMilliseconds(lastStamp_));
    flags.hasBody = message->child("body", ns::client) != nullptr;
    flags.kind = message->type() == StanzaType::Chat ? MessageKind::Chat : MessageKind::Normal;
    ArchiveEntry entry{.id = id, .flags = flags};
    message->write(entry.stanza, {});
    shard_.server().stores().archive.append(
        shard_.executor(), id_, peer.text(), std::move(entry),
        [&shard = shard_, message, hold, isCopy = flags.isOutgoing](std::exception_ptr failure) {
            if (!failure) return;
            // The addressee has it all the same: an error would make the sender say it again.
            if (isCopy)
                routeLog.warning("a sent message is missing in its sender's archive",
                                 {{"account", message->from().bareText()}});
            else
                shard.refuse(*message, notStored());
        });
    return id;
}

void Account::deliverPendingToAny() {
    const auto sessions = mostAvailable();
    if (!sessions.empty()) deliverPending(*sessions.front());
}

void Account::deliverPending(Session& session) {
    if (!pending_.waitingFrom() || readingPending_) return;
    readingPending_ = true;
    start(readPending(session.jid()), [&shard = shard_, bare = jid_](std::exception_ptr failure) {
        if (failure)
            routeLog.warning("waiting messages could not be read", {{"account", bare.text()}});
        if (Account* account = shard.loaded(bare.text())) account->pendingRead(failure != nullptr);
    });
}

// What came meanwhile goes out after what waited: also when the client has left before it had all.
void Account::pendingRead(bool hasFailed) {
    pending_.stopReading();
    readingPending_ = false;
    if (hasFailed)
        pendingTimer_ = shard_.executor().after(pendingRetry, [this] { deliverPendingToAny(); });
    else
        deliverPendingToAny();
    if (readingPending_) return;
    for (auto& held : std::exchange(held_, {})) receiveMessage(held.message, std::move(held.hold));
}

// Page by page, so that a long absence doesn't fill the memory; after each wait everything is
// looked up again. An account with work of its own (readingPending_) isn't unloaded.
Task<void> Account::readPending(Jid sessionJid) {
    Shard& shard = shard_;
    ArchiveStore& archive = shard.server().stores().archive;
    const AccountId id = id_;
    std::int64_t after = pending_.startReading() - 1;
    // What was appended a moment ago is in the log only when it is committed.
    auto nothing = [](SqlConnection&) { return true; };
    auto flushed = co_await shard.server().database().write(nothing);
    for (bool more = flushed; more;) {
        const auto page = co_await archive.pendingAfter(id, fromMilliseconds(after), pendingPage);
        if (shard.loaded(sessionJid.bareText()) != this) co_return;
        Session* session = this->session(sessionJid.resource());
        if (!session || !session->takesMessages()) co_return;
        for (const auto& entry : page) {
            after = toMilliseconds(entry.stamp());
            if (!pending_.isOut(after) && !pending_.isDelivered(after))
                deliverWaiting(*session, entry);
        }
        more = page.size() == pendingPage;
        pending_.readUntil(after, more);
        positionChanged();
    }
}

// A message from the log, with the time of its arrival (XEP-0203).
void Account::deliverWaiting(Session& session, const ArchiveEntry& entry) {
    const auto message = Stanza::parse(entry.stanza);
    if (!message) return;
    const std::int64_t stamp = toMilliseconds(entry.stamp());
    std::string insertion{"<delay xmlns='urn:xmpp:delay' from='"};
    escapeAttribute(insertion, host_.domain());
    insertion.append("' stamp='").append(formatDateTime(entry.stamp())).append("'/>");
    if (entry.flags.isArchived) insertion.append(stanzaIdXml(entry.id));
    if (session.sm())
        pending_.stored(stamp, 1);
    else
        pending_.delivered(stamp);
    session.deliver(message, insertion, session.sm() ? stamp : 0);
}

void Account::acknowledged(std::int64_t stamp) {
    pending_.acknowledged(stamp);
    positionChanged();
}

void Account::fetched(std::int64_t through) {
    pending_.fetched(through);
    positionChanged();
}

// A session has ended without its client having acknowledged these: messages wait for the next
// client, or go to one that is there; the rest is answered for it.
void Account::returnUnacknowledged(const Jid& session, std::deque<Unacknowledged> queue) {
    bool anyWaits = false;
    for (const auto& entry : queue) {
        if (entry.stamp != 0)
            anyWaits = pending_.returned(entry.stamp) || anyWaits;
        else
            answerFor(session, *entry.stanza);
    }
    if (anyWaits) deliverPendingToAny();
}

// As if it had come after the end of the session (RFC 6121, 8.5.3.2). A message to the account may
// have reached another client.
void Account::answerFor(const Jid& session, const Stanza& undelivered) {
    const bool mustKnow = undelivered.isIq()
                              ? undelivered.isRequest()
                              : undelivered.isMessage() && undelivered.to() == session &&
                                    (undelivered.type() == StanzaType::Groupchat ||
                                     keepingOf(undelivered) == Keeping::Refused);
    if (mustKnow) shard_.refuse(undelivered, nobodyThere());
}

void Account::positionChanged() {
    if (positionTimer_) return;
    positionTimer_ = shard_.executor().after(positionDelay, [this] { savePosition(); });
}

void Account::savePosition() {
    positionTimer_ = {};
    const std::int64_t position = pending_.position();
    if (position == savedPosition_) return;
    savedPosition_ = position;
    shard_.server().stores().archive.setDelivered(shard_.executor(), id_,
                                                  fromMilliseconds(position), {});
}

bool Account::isIdle() const {
    return sessions_.empty() && !readingPending_ && held_.empty() && !positionTimer_ &&
           !isRosterChanging(slots_);
}

}  // namespace epode
