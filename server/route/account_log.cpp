// An account's place in the log: what it appends, what waits there for its clients, and up to where
// they have everything.
#include "core/log.h"
#include "core/namespaces.h"
#include "core/time_format.h"
#include "route/account.h"
#include "route/message_content.h"
#include "route/server.h"
#include "route/session.h"
#include "route/shard.h"
#include "route/waiting_copies.h"

#include <algorithm>

namespace epode {

namespace {

const Log routeLog{"route"};

// The longest time for which a message is known to nobody but a client that has not acknowledged
// it.
constexpr auto loggingDelay = std::chrono::seconds{1};
constexpr std::size_t pendingPage = 100;
constexpr auto positionDelay = std::chrono::seconds{1};
// When a client that takes slowly is looked at again, and a log that could not be read.
constexpr auto slowClientDelay = std::chrono::milliseconds{100};
constexpr auto failedReadDelay = std::chrono::seconds{5};

StanzaError nobodyThere() {
    return {Condition::ServiceUnavailable, "The addressee is not available."};
}

StanzaError notStored() {
    return {ErrorType::Wait, Condition::ResourceConstraint,
            "The server could not store this message; send it again later."};
}

// Whether a client has so much to take already that the rest stays in the log for now. At half of
// its limits, so that what comes in otherwise has room too.
bool isFull(Session& session) {
    const SessionLimits& limits = session.host().limits();
    if (const StreamManagement* sm = session.sm())
        return sm->queue().size() >= limits.smQueueMax / 2 ||
               sm->queueCost() >= limits.smQueueBytesMax / 2;
    return session.outlet()->unsentBytes() >= limits.outputBytesMax / 2;
}

}  // namespace

// ---- appending

std::string Account::stanzaIdXml(const Uuid& id) const {
    std::string xml;
    xml.reserve(96 + jid_.text().size());
    xml.append("<stanza-id xmlns='urn:xmpp:sid:0' by='");
    escapeAttribute(xml, jid_.text());
    xml.append("' id='");
    id.appendTo(xml);
    xml.append("'/>");
    return xml;
}

// Strictly increasing, so that clients which sort by the stamp see the order of the archive.
std::int64_t Account::nextStamp() {
    lastStamp_ = std::max(lastStamp_ + 1, toMilliseconds(shard_.executor().wallNow()));
    return lastStamp_;
}

Uuid Account::append(const StanzaPtr& message, ArchiveFlags flags, const Hold& hold) {
    const Uuid id = Uuid::at(fromMilliseconds(nextStamp()));
    write(id, message, flags, hold);
    return id;
}

void Account::write(const Uuid& id, const StanzaPtr& message, ArchiveFlags flags,
                    const Hold& hold) {
    flags.hasBody = message->child("body", ns::client) != nullptr;
    flags.kind = message->type() == StanzaType::Chat ? MessageKind::Chat : MessageKind::Normal;
    const std::int64_t stamp = toMilliseconds(id.stamp());
    if (flags.isOffline) lastOffline_ = std::max(lastOffline_, stamp);
    ArchiveEntry entry{.id = id, .flags = flags};
    message->write(entry.stanza, {});
    std::string peer{flags.isOutgoing ? message->to().bareText() : message->from().bareText()};
    ++appending_;
    shard_.server().stores().archive.append(
        shard_.executor(), id_, std::move(peer), std::move(entry),
        [&shard = shard_, message, hold, stamp,
         isOutgoing = flags.isOutgoing](std::exception_ptr failure) {
            const Jid& owner = isOutgoing ? message->from() : message->to();
            if (Account* account = shard.loaded(owner.bareText()))
                account->appended(stamp, failure != nullptr);
            if (!failure) return;
            // What was sent is on its way to its addressee, whose side answers for it.
            if (isOutgoing)
                routeLog.warning("a sent message could not be archived",
                                 {{"account", owner.bareText()}});
            else
                shard.refuse(*message, notStored());
        });
}

void Account::appended(std::int64_t stamp, bool failed) {
    if (appending_ > 0) --appending_;
    if (failed) pending_.forget(stamp);
}

// Most clients acknowledge before the sender has asked: until then its stanza is just not safe yet.
void Account::keepUnlogged(std::int64_t stamp, const StanzaPtr& message, Hold hold) {
    unlogged_.insert_or_assign(stamp, Unlogged{shard_.executor().now(), message, std::move(hold)});
    if (!loggingTimer_) logLater(loggingDelay);
}

void Account::logLater(Duration wait) {
    loggingTimer_ = shard_.executor().after(wait, [this] {
        logUnacknowledged(shard_.executor().now() - loggingDelay);
        if (unlogged_.empty()) return;
        logLater(unlogged_.begin()->second.since + loggingDelay - shard_.executor().now());
    });
}

void Account::logUnacknowledged() {
    loggingTimer_ = {};
    logUnacknowledged(SteadyTime::max());
}

// Those that came until then.
void Account::logUnacknowledged(SteadyTime until) {
    while (!unlogged_.empty() && unlogged_.begin()->second.since <= until) {
        const auto entry = unlogged_.extract(unlogged_.begin());
        const Unlogged& unlogged = entry.mapped();
        write(Uuid::at(fromMilliseconds(entry.key())), unlogged.message,
              {.isArchived = false, .isOffline = true}, unlogged.hold);
    }
}

// ---- what waits

// The client that gets what waits: one that is connected and takes messages.
Session* Account::readyForWaiting() const {
    for (Session* session : mostAvailable())
        if (session->outlet()) return session;
    return nullptr;
}

void Account::deliverPending(Session& session) {
    if (reading_ == Reading::No && pending_.firstWaiting() && session.outlet())
        startReading(session.jid());
}

void Account::startReading(const Jid& session) {
    reading_ = Reading::Running;
    readingTimer_ = {};
    start(readPending(session), [&shard = shard_, session](std::exception_ptr failure) {
        if (Account* account = shard.loaded(session.bareText()))
            account->readingEnded(failure != nullptr);
    });
}

// Page by page, so that a long absence doesn't fill the memory, nor the queue of a slow client;
// after each wait everything is looked up again. An account that reads isn't unloaded.
Task<void> Account::readPending(Jid sessionJid) {
    Shard& shard = shard_;
    ArchiveStore& archive = shard.server().stores().archive;
    const AccountId id = id_;
    while (pending_.firstWaiting()) {
        pending_.beginReading();
        const std::int64_t horizon = lastStamp_;
        std::int64_t first = *pending_.firstWaiting();
        if (appending_ > 0) {
            // What was appended a moment ago is in the log only when it is committed.
            auto nothing = [](SqlConnection&) { return true; };
            const auto flushed = co_await shard.server().database().write(nothing);
            if (!flushed || shard.loaded(sessionJid.bareText()) != this) co_return;
        }
        for (bool more = true; more;) {
            const auto page =
                co_await archive.pendingAfter(id, fromMilliseconds(first - 1), pendingPage);
            if (shard.loaded(sessionJid.bareText()) != this) co_return;
            Session* session = this->session(sessionJid.resource());
            if (!session || !session->takesMessages() || !session->outlet()) co_return;
            for (const auto& entry : page)
                if (pending_.isWaiting(toMilliseconds(entry.stamp())))
                    deliverWaiting(*session, entry);
            more = page.size() == pendingPage;
            const std::int64_t last = page.empty() ? 0 : toMilliseconds(page.back().stamp());
            pending_.passed(first, more ? last : std::max(last, horizon));
            first = last + 1;
            positionChanged();
            if (isFull(*session)) co_return;
        }
    }
}

void Account::readingEnded(bool failed) {
    if (failed) routeLog.warning("waiting messages could not be read", {{"account", jid_.text()}});
    if (!pending_.firstWaiting()) {
        reading_ = Reading::No;
        for (auto& held : std::exchange(held_, {}))
            receiveMessage(held.message, std::move(held.hold));
        return;
    }
    // The client is slow, or has gone: what has come meanwhile waits with the rest.
    reading_ = Reading::Paused;
    spillHeld();
    if (failed)
        pauseReading(failedReadDelay);
    else
        goOnReading();
}

void Account::goOnReading() {
    reading_ = Reading::No;
    Session* session = readyForWaiting();
    if (!session || !pending_.firstWaiting()) return;
    if (isFull(*session))
        pauseReading(slowClientDelay);
    else
        startReading(session->jid());
}

void Account::pauseReading(Duration wait) {
    reading_ = Reading::Paused;
    readingTimer_ = shard_.executor().after(wait, [this] { goOnReading(); });
}

// Whether the client has this message as a copy, from when it took none: then it isn't written again.
// A copy that is neither acknowledged nor in the queue is being held back by a plugin.
bool Account::hasAsCopy(Session& session, const ArchiveEntry& entry) {
    auto* copies = session.slots().find<WaitingCopies>();
    if (!copies) return false;
    const std::int64_t stamp = toMilliseconds(entry.stamp());
    const auto state = copies->take(stamp);
    if (state != WaitingCopies::State::Sent) return state == WaitingCopies::State::Arrived;
    if (!session.sm() || !session.sm()->countCopy(stamp)) return false;
    pending_.gave(stamp, 1, entry.flags.isArchived);
    return true;
}

// A message from the log, with the time of its arrival (XEP-0203).
void Account::deliverWaiting(Session& session, const ArchiveEntry& entry) {
    const std::int64_t stamp = toMilliseconds(entry.stamp());
    pending_.take(stamp);
    const auto message = Stanza::parse(entry.stanza);
    if (!message) return;
    std::string insertion{"<delay xmlns='urn:xmpp:delay' from='"};
    escapeAttribute(insertion, host_.domain());
    insertion.append("' stamp='");
    appendDateTime(insertion, entry.stamp());
    insertion.append("'/>");
    if (entry.flags.isArchived) insertion.append(stanzaIdXml(entry.id));
    if (!hasAsCopy(session, entry)) {
        if (session.sm()) pending_.gave(stamp, 1, entry.flags.isArchived);
        session.deliver(message, insertion, session.sm() ? stamp : 0);
    }
    tellDelivered(message, {&session}, insertion, stamp, true);
}

// ---- what clients have

void Account::acknowledged(std::int64_t stamp) {
    pending_.acknowledged(stamp);
    unlogged_.erase(stamp);
    positionChanged();
}

void Account::fetched(std::int64_t first, std::int64_t last) {
    pending_.fetched(first, last);
    positionChanged();
}

// A session has ended without its client having acknowledged these: messages wait for the next
// client, or go to one that is there; requests are answered for it.
void Account::returnUnacknowledged(std::deque<Unacknowledged> queue) {
    for (const auto& entry : queue) {
        if (entry.stamp < 0) continue;  // the message waits anyway
        if (entry.stamp != 0) {
            pending_.returned(entry.stamp);
            continue;
        }
        const bool isRequest = entry.stanza->isIq() && entry.stanza->isRequest();
        // What must not be stored has reached nobody, unless there is another client of this
        // address.
        const bool toIt = !entry.stanza->to().isBare();
        const bool isLost = entry.stanza->isMessage() &&
                            ((toIt && entry.stanza->type() == StanzaType::Groupchat) ||
                             (keepingOf(*entry.stanza) == Keeping::Refused &&
                              (toIt || mostAvailable().empty())));
        if (isRequest || isLost) shard_.refuse(*entry.stanza, nobodyThere());
    }
    if (Session* session = readyForWaiting()) deliverPending(*session);
}

// The position is of use for what is in the log to be delivered, and for nothing else.
void Account::positionChanged() {
    if (positionTimer_ || savedPosition_ >= lastOffline_) return;
    positionTimer_ = shard_.executor().after(positionDelay, [this] { savePosition(); });
}

void Account::savePosition() {
    positionTimer_ = {};
    const std::int64_t position = pending_.position();
    if (position == savedPosition_ || savedPosition_ >= lastOffline_) return;
    savedPosition_ = position;
    shard_.server().stores().archive.setDelivered(shard_.executor(), id_,
                                                  fromMilliseconds(position), {});
}

}  // namespace epode
