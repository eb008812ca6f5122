#include "stream/remote_link.h"

#include "core/log.h"
#include "core/metric.h"
#include "core/namespaces.h"
#include "core/random.h"
#include "core/time_format.h"
#include "route/message_content.h"
#include "route/server.h"
#include "route/shard.h"
#include "store/remote_queue_store.h"
#include "stream/federation.h"
#include "stream/remote_outgoing.h"
#include "stream/remotes.h"

#include <algorithm>
#include <functional>
#include <utility>

namespace epode {

namespace {

const Log remoteLog{"s2s"};
Counter linksFailed{"epode_s2s_failures_total",
                    "Attempts to reach another server that have failed"};
Counter stanzasRefused{"epode_s2s_stanzas_refused_total",
                       "Stanzas that went back to their senders because a domain was not reached"};
Counter stanzasSent{"epode_s2s_stanzas_sent_total", "Stanzas written to other servers"};
Gauge queuedStanzas{"epode_s2s_queued_stanzas",
                    "Stanzas that wait for other servers, or for their confirmation"};

// A message that isn't confirmed so soon is stored.
constexpr auto storeAfter = std::chrono::milliseconds{700};
constexpr auto sweepEvery = std::chrono::milliseconds{500};
constexpr auto pingEvery = std::chrono::seconds{1};
// A server that answers no pings is trusted to read what is written to it.
constexpr auto pongPatience = std::chrono::seconds{30};
constexpr auto probePatience = std::chrono::seconds{15};
constexpr auto verificationPatience = std::chrono::minutes{1};
constexpr std::size_t verificationsMax = 100;
constexpr auto firstRetry = std::chrono::seconds{2};
// A connection that was lost sooner counts as one that has failed.
constexpr auto steadyAfter = std::chrono::seconds{10};
// Messages that have waited longer say since when (XEP-0203).
constexpr auto stampAfter = std::chrono::seconds{10};
// So often is a domain tried anew for the sake of presence alone.
constexpr unsigned owingFailuresMax = 30;
constexpr auto rememberedFor = std::chrono::minutes{10};
constexpr auto closePatience = std::chrono::seconds{1};
// What is written at once; the rest follows when the kernel has taken most of it.
constexpr std::size_t outputMax = 1 << 20;
constexpr auto flushAgain = std::chrono::milliseconds{20};
// How long who had the way back may take to resume it, before we connect ourselves.
constexpr auto wayBackPatience = std::chrono::seconds{3};
// Whoever connects anew has lost what it had: then ours is asked whether it still is.
constexpr auto doubtPatience = std::chrono::seconds{2};
// So long it may then take to resume what we have lost, before we send it a second time.
constexpr auto resumptionPatience = std::chrono::seconds{8};

// Subscriptions are the same on both sides, whatever happens on the way.
bool isDurable(const Stanza& stanza) {
    switch (stanza.type()) {
        case StanzaType::Subscribe:
        case StanzaType::Subscribed:
        case StanzaType::Unsubscribe:
        case StanzaType::Unsubscribed:
            return stanza.isPresence();
        default:
            return stanza.isMessage() && isKept(keepingOf(stanza));
    }
}

// Who has gone is not asked again later.
bool isPatient(const Stanza& stanza) {
    return isDurable(stanza) || (stanza.isPresence() && stanza.type() == StanzaType::Unavailable);
}

// What can be told and asked anew.
bool isPassing(const Stanza& stanza) {
    return stanza.isPresence() &&
           (stanza.type() == StanzaType::None || stanza.type() == StanzaType::Probe);
}

bool wantsError(const Stanza& stanza) {
    switch (stanza.kind()) {
        case StanzaKind::Iq:
            return stanza.isRequest();
        case StanzaKind::Message:
            return !stanza.isError() && (stanza.type() == StanzaType::Groupchat ||
                                         keepingOf(stanza) != Keeping::Nothing);
        case StanzaKind::Presence:
            break;
    }
    switch (stanza.type()) {
        case StanzaType::Subscribe:
            return true;
        // To somebody in particular: who enters a room waits for an answer.
        case StanzaType::None:
            return !stanza.to().isBare();
        default:
            return false;
    }
}

}  // namespace

RemoteLink::RemoteLink(Remotes& remotes, std::string local, std::string remote, RemoteTrace trace)
    : remotes_{remotes},
      local_{std::move(local)},
      remote_{std::move(remote)},
      trace_{std::move(trace)},
      lastUsed_{remotes.shard().executor().now()},
      self_{std::make_shared<RemoteLink*>(this)} {}

RemoteLink::~RemoteLink() {
    *self_ = nullptr;
    if (stream_) stream_->forgetLink();
    for (const Item& item : items_)
        if (item.stanza) remotes_.federation().release(item.stanza->cost());
    queuedStanzas.add(-std::int64_t(items_.size()));
}

SteadyTime RemoteLink::now() const { return remotes_.shard().executor().now(); }

void RemoteLink::find(RemoteStep step, bool isGood, std::string text, std::string advice) const {
    if (trace_) trace_({step, isGood, std::move(text), std::move(advice)});
}

// ---- what is to be sent

void RemoteLink::send(const StanzaPtr& stanza, const Hold& hold) {
    lastUsed_ = now();
    Item item{.number = next_++,
              .stanza = stanza,
              .hold = hold,
              .since = now(),
              .queued = remotes_.shard().executor().wallNow(),
              .expires = now() + remotes_.settings().queueTime,
              .isDurable = isDurable(*stanza),
              .isPatient = isPatient(*stanza)};
    if (state_ == State::Waiting && lastFailure_ &&
        (!item.isPatient || lastFailure_->condition != Condition::RemoteServerTimeout)) {
        if (now() < retryAt_) {
            // Its place in the counts below was not taken yet.
            owesPresence_ = owesPresence_ || isPassing(*stanza);
            if (wantsError(*stanza)) {
                stanzasRefused.add();
                remotes_.shard().refuse(*stanza, lastFailure_->toError());
            }
            return;
        }
    }
    const std::size_t cost = stanza->cost();
    if (bytes_ + cost > remotes_.settings().queueBytesMax || !remotes_.federation().reserve(cost)) {
        stanzasRefused.add();
        if (wantsError(*stanza))
            remotes_.shard().refuse(
                *stanza, {ErrorType::Wait, Condition::ResourceConstraint,
                          "Too much waits for " + remote_ + " already; try again later."});
        return;
    }
    bytes_ += cost;
    queuedStanzas.add();
    const bool durable = item.isDurable;
    items_.push_back(std::move(item));
    if (isClosing_) {
        if (durable) store(items_.back());
        return;
    }
    if (durable) startSweeping();
    switch (state_) {
        case State::Ready:
            flush();
            break;
        case State::Negotiating:
            stream_->goOn();
            break;
        case State::Dialing:
            break;
        case State::Idle:
            if (!retry_) connect();
            break;
        case State::Waiting:
            if (durable) store(items_.back());
            scheduleRetry();
            break;
    }
}

void RemoteLink::restore(Stored stored) {
    auto& shard = remotes_.shard();
    const auto left = stored.expires - shard.executor().wallNow();
    Item item{.number = next_++,
              .stanza = std::move(stored.stanza),
              .hold = {},
              .since = now(),
              .queued = stored.queued,
              .expires = now() + std::chrono::duration_cast<Duration>(left),
              .rowId = stored.row,
              .row = Row::Stored,
              .isDurable = true,
              .isPatient = true};
    const std::size_t cost = item.stanza->cost();
    remotes_.federation().occupy(cost);
    bytes_ += cost;
    queuedStanzas.add();
    items_.push_back(std::move(item));
    startSweeping();
    if (state_ == State::Idle) scheduleRetry();
}

void RemoteLink::flush() {
    if (state_ != State::Ready) return;
    flushing_ = {};
    while (written_ < items_.size() && stream_ && stream_->pendingBytes() < outputMax) {
        Item& item = items_[written_];
        if (!item.stanza) {
            items_.erase(items_.begin() + written_);
            queuedStanzas.add(-1);
            continue;
        }
        writeItem(item);
        if (isManaged_ || item.isDurable) {
            ++written_;
            continue;
        }
        Item sent = std::move(item);
        items_.erase(items_.begin() + written_);
        done(std::move(sent));
    }
    if (isManaged_) askForConfirmation();
    // The connection tells when it has got rid of much, and not of a megabyte in one go.
    if (stream_ && written_ < items_.size())
        flushing_ = remotes_.shard().executor().after(flushAgain, [this] { flush(); });
}

void RemoteLink::write(const Stanza& stanza, std::string_view insertion) {
    hasShownPresence_ = hasShownPresence_ || isPassing(stanza);
    stream_->write(stanza, insertion);
    stanzasSent.add();
    ++remotes_.history(remote_).stanzasOut;
}

void RemoteLink::writeItem(const Item& item) {
    std::string insertion;
    const auto waited = remotes_.shard().executor().wallNow() - item.queued;
    if (item.stanza->isMessage() && item.isDurable && waited >= stampAfter &&
        !item.stanza->child("delay", ns::delay)) {
        insertion.append("<delay xmlns='urn:xmpp:delay' from='");
        escapeAttribute(insertion, local_);
        insertion.append("' stamp='");
        appendDateTime(insertion, item.queued);
        insertion.append("'/>");
    }
    write(*item.stanza, insertion);
}

void RemoteLink::askForConfirmation() {
    if (isAsked_ || written_ == 0 || !stream_) return;
    stream_->ask();
    isAsked_ = true;
    askedAt_ = now();
}

// A server without stream management: what was written before a ping has arrived when that is
// answered, which comes on another connection.
void RemoteLink::ping() {
    if (!pingId_.empty() || written_ == 0 || now() - pingedAt_ < pingEvery) return;
    pingId_ = RemoteOutgoing::pingPrefix + randomId();
    pingUpTo_ = items_[written_ - 1].number + 1;
    pingedAt_ = now();
    const auto request =
        Stanza::iq(StanzaType::Get, *Jid::parse(local_), *Jid::parse(remote_), pingId_);
    request->edit().add("ping", "urn:xmpp:ping");
    write(*request, {});
}

void RemoteLink::ponged(const std::string& id) {
    if (probed_ && id == pingId_) {
        find(RemoteStep::Delivery, true, remote_ + " has answered a ping.");
        finishProbe();
        return;
    }
    if (pingId_.empty() || id != pingId_) return;
    pingId_.clear();
    std::size_t count = 0;
    while (count < written_ && items_[count].number < pingUpTo_) ++count;
    confirm(count);
}

bool RemoteLink::acknowledged(std::uint32_t h) {
    // What is counted was sent on another connection, which may still be resumed.
    if (state_ != State::Ready) return true;
    const std::uint32_t newly = h - smHandled_;        // wraps at 2^32, as h does
    if (newly > written_) return newly > 0x80000000u;  // an old <a/> repeated is no offence
    smHandled_ = h;
    isAsked_ = false;
    waitingForIt_ = {};
    confirm(newly);
    if (written_ > 0) askForConfirmation();
    if (isClosing_ && written_ == 0)
        closing_ = remotes_.shard().executor().after({}, [this] { storeAndEnd(); });
    return true;
}

void RemoteLink::confirm(std::size_t count) {
    for (; count > 0; --count) {
        Item item = std::move(items_.front());
        items_.pop_front();
        --written_;
        done(std::move(item));
    }
    flush();
}

// It has left us for good.
void RemoteLink::done(Item item) {
    queuedStanzas.add(-1);
    if (!item.stanza) return;
    const std::size_t cost = item.stanza->cost();
    bytes_ -= cost;
    remotes_.federation().release(cost);
    removeRow(item);
}

void RemoteLink::removeRow(const Item& item) {
    // One that is being written is removed when it is.
    if (item.row == Row::Stored)
        remotes_.federation().store().remove(remotes_.shard().executor(), item.rowId, {});
}

// An error takes the place of its row: there is never a second one.
void RemoteLink::refuse(Item item, const RemoteFailure& failure) {
    queuedStanzas.add(-1);
    if (!item.stanza) return;
    const std::size_t cost = item.stanza->cost();
    bytes_ -= cost;
    remotes_.federation().release(cost);
    stanzasRefused.add();
    owesPresence_ = owesPresence_ || isPassing(*item.stanza);
    Shard& shard = remotes_.shard();
    if (item.row != Row::Stored) {
        if (wantsError(*item.stanza)) shard.refuse(*item.stanza, failure.toError());
        return;
    }
    remotes_.federation().store().remove(
        shard.executor(), item.rowId,
        [&shard, stanza = item.stanza, error = failure.toError()](std::exception_ptr) {
            if (wantsError(*stanza)) shard.refuse(*stanza, error);
        });
}

// What has been written keeps its place in the counts of stream management.
void RemoteLink::refuseImpatient(const RemoteFailure& failure, bool alsoDurable) {
    Queue<Item> before = std::exchange(items_, {});
    for (std::size_t i = 0; i < before.size(); ++i) {
        Item& item = before[i];
        if (!item.stanza || (item.isPatient && !alsoDurable)) {
            items_.push_back(std::move(item));
            continue;
        }
        const bool keepsPlace = i < written_;
        Item refused = std::move(item);
        if (keepsPlace) {
            items_.push_back({.number = refused.number, .expires = refused.expires});
            queuedStanzas.add();
        }
        refuse(std::move(refused), failure);
    }
}

// ---- the store

RemoteLink::Item* RemoteLink::find(std::uint64_t number) {
    const auto found = std::lower_bound(
        items_.begin(), items_.end(), number,
        [](const Item& item, std::uint64_t wanted) { return item.number < wanted; });
    return found != items_.end() && found->number == number ? &*found : nullptr;
}

void RemoteLink::store(Item& item) {
    if (!item.isDurable || item.row != Row::None || !item.stanza) return;
    auto& executor = remotes_.shard().executor();
    item.row = Row::Writing;
    ++rowsBeingWritten_;
    item.rowId = remotes_.federation().nextRow(executor.wallNow());
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(item.expires - now());
    QueuedStanza row{.id = item.rowId,
                     .local = local_,
                     .remote = remote_,
                     .queued = item.queued,
                     .expires = executor.wallNow() + left,
                     .stanza = item.stanza->toXml()};
    remotes_.federation().store().add(
        executor, std::move(row),
        [self = self_, number = item.number, rowId = item.rowId,
         &store = remotes_.federation().store(), &executor](std::exception_ptr failure) {
            RemoteLink* link = *self;
            if (!link) return;
            --link->rowsBeingWritten_;
            Item* item = link->find(number);
            if (!item || !item->stanza) {
                if (!failure) store.remove(executor, rowId, {});
            } else if (failure) {
                item->row = Row::None;
                item->since = link->now();  // again in a while
            } else {
                // Who has sent it is told that it is safe.
                item->row = Row::Stored;
                item->hold = {};
            }
            link->finishClosing();
        });
}

void RemoteLink::storeLate(Duration patience) {
    const SteadyTime before = now() - patience;
    for (Item& item : items_) {
        if (item.since > before) break;
        store(item);
    }
}

void RemoteLink::startSweeping() {
    if (!sweeping_)
        sweeping_ = remotes_.shard().executor().after(sweepEvery, [this] {
            sweeping_ = {};
            sweep();
        });
}

void RemoteLink::sweep() {
    storeLate(state_ == State::Waiting ? Duration{} : Duration{storeAfter});
    if (state_ == State::Ready && !isManaged_) ping();
    // Those that came first are the first to expire, but for what another server holds already.
    while (!items_.empty() && state_ != State::Ready) {
        Item& first = items_.front();
        if (first.expires > now()) break;
        Item item = std::move(first);
        items_.pop_front();
        if (written_ > 0) {
            // It can't be resumed any more: counts would be wrong.
            --written_;
            smId_.clear();
        }
        RemoteFailure failure;
        failure.text = remote_ + " could not be reached in time";
        if (lastFailure_)
            failure.text += ": " + lastFailure_->text;
        else
            failure.text += ".";
        refuse(std::move(item), failure);
    }
    const bool hasPatient =
        std::any_of(items_.begin(), items_.end(), [](const Item& item) { return item.isPatient; });
    if (hasPatient) startSweeping();
}

// ---- connecting

void RemoteLink::connect() {
    retry_ = {};
    attemptFailure_.reset();
    auto& federation = remotes_.federation();
    if (!remotes_.settings().allows(remote_)) {
        giveUp({.step = RemoteStep::Rules,
                .condition = Condition::NotAllowed,
                .text = "This server has no links with " + remote_ + ".",
                .advice = "s2s.allow and s2s.deny of the configuration say so."});
        return;
    }
    // A session of ours is rather resumed than left.
    const bool maySwitch = smId_.empty() || kind_ == Kind::WayBack;
    if (reverse_ && !trace_ && verifications_.empty() && maySwitch) {
        takeWayBack();
        return;
    }
    find(RemoteStep::Rules, true, "The configuration allows links with " + remote_ + ".");
    dial_ = std::make_shared<RemoteDial>(
        RemoteDial::Parts{.resolver = federation.resolver(),
                          .dialer = federation.dialer(),
                          .executor = remotes_.shard().executor(),
                          .connectTimeout = remotes_.settings().connectTimeout,
                          .usesDane = remotes_.settings().usesDane},
        remote_, trace_);
    dialNext();
}

void RemoteLink::dialNext() {
    state_ = State::Dialing;
    dial_->next([this](RemoteDial::Connection connection) {
        if (!connection.transport) {
            if (!attemptFailure_) {
                attemptFailure_ = dial_->failure();
                find(attemptFailure_->step, false, attemptFailure_->text, attemptFailure_->advice);
            }
            giveUp(*attemptFailure_);
            return;
        }
        state_ = State::Negotiating;
        RemoteOutgoing& opened = remotes_.open(*this, std::move(connection));
        stream_ = &opened;
        opened.begin();
    });
}

void RemoteLink::failed(RemoteFailure failure, bool mayTryOthers) {
    stream_ = nullptr;
    find(failure.step, false, failure.text, failure.advice);
    if (mayTryOthers && dial_) {
        attemptFailure_ = std::move(failure);
        dialNext();
        return;
    }
    giveUp(failure);
}

void RemoteLink::giveUp(const RemoteFailure& failure) {
    const RemoteFailure copy = failure;
    dial_.reset();
    state_ = State::Waiting;
    lastFailure_ = copy;
    failedAt_ = now();
    linksFailed.add();
    // The first failures double the time; a part by the name, so that not all come at once.
    const auto wait = std::min<Duration>(remotes_.settings().retryMost,
                                         firstRetry * (1 << std::min(failures_, 12u)));
    const auto part = std::hash<std::string>{}(local_ + remote_) % 25;
    retryAt_ = now() + wait + wait * int(part) / 100;
    ++failures_;
    if (!trace_) {
        auto& history = remotes_.history(remote_);
        history.lastFailure = copy;
        history.failedAt = remotes_.shard().executor().wallNow();
        ++history.failures;
        remoteLog.notice("a domain can't be reached", {{"domain", remote_},
                                                       {"from", local_},
                                                       {"step", toText(copy.step)},
                                                       {"cause", copy.text}});
    }
    endVerifications(copy.condition == Condition::RemoteServerNotFound ? Verdict::NotFound
                                                                       : Verdict::NotReached);
    if (isClosing_) return;
    if (reverse_) {
        takeWayBack();
        return;
    }
    refuseImpatient(copy, copy.condition != Condition::RemoteServerTimeout);
    storeLate(Duration{});
    const bool mayOwe =
        failures_ < owingFailuresMax && copy.condition == Condition::RemoteServerTimeout && !trace_;
    wantsBack_ = wantsBack_ && mayOwe;
    owesPresence_ = owesPresence_ && mayOwe;
    if (wantsToSend() && !trace_) scheduleRetry();
    finishProbe();
}

void RemoteLink::scheduleRetry() {
    if (retry_ || isClosing_) return;
    retry_ = remotes_.shard().executor().after(std::max(Duration{}, retryAt_ - now()), [this] {
        retry_ = {};
        if (state_ == State::Waiting || state_ == State::Idle) connect();
    });
}

void RemoteLink::isThere() {
    if (state_ != State::Waiting || isClosing_) return;
    failures_ = 0;
    retryAt_ = now();
    retry_ = {};
    if (wantsToSend()) scheduleRetry();
}

// ---- verifications

void RemoteLink::verify(std::string id, std::string key, Verified done) {
    lastUsed_ = now();
    // Who wasn't reached a moment ago isn't tried anew for each stranger; but who didn't believe us
    // may be there, and waits for just this.
    const bool wasNotReached =
        state_ == State::Waiting && lastFailure_ && now() - failedAt_ < firstRetry &&
        (lastFailure_->step == RemoteStep::Dns || lastFailure_->step == RemoteStep::Connection);
    if (verifications_.size() >= verificationsMax || wasNotReached) {
        done(lastFailure_ && lastFailure_->condition == Condition::RemoteServerNotFound
                 ? Verdict::NotFound
                 : Verdict::NotReached);
        return;
    }
    verifications_.push_back({std::move(id), std::move(key), std::move(done), now()});
    if (state_ == State::Idle || state_ == State::Waiting)
        connect();
    else
        mayVerify();
}

void RemoteLink::mayVerify() {
    if (!stream_ || !stream_->takesVerifications()) return;
    for (auto& one : verifications_)
        if (!std::exchange(one.isSent, true)) stream_->verify(one.id, one.key);
}

bool RemoteLink::verified(const std::string& id, Verdict verdict) {
    const auto found = std::find_if(verifications_.begin(), verifications_.end(),
                                    [&id](const auto& one) { return one.isSent && one.id == id; });
    // It is not believed (XEP-0220, 3.1).
    if (found == verifications_.end()) return false;
    auto done = std::move(found->done);
    verifications_.erase(found);
    done(verdict);
    return true;
}

void RemoteLink::endVerifications(Verdict verdict) {
    for (auto& one : std::exchange(verifications_, {})) one.done(verdict);
}

// ---- the connection's news

void RemoteLink::ready(Session session) {
    if (mayBeResumedBack() && !isOnWayBack() && written_ > 0) {
        awaitWayBack(std::move(session));
        return;
    }
    state_ = State::Ready;
    dial_.reset();
    waitingForIt_ = {};
    lastFailure_.reset();
    wantsBack_ = false;
    auto& history = remotes_.history(remote_);
    if (!trace_) history.connectedAt = remotes_.shard().executor().wallNow();
    isManaged_ = session.isManaged;
    isAsked_ = false;
    pingId_.clear();
    if (session.resumed) {
        confirmEarlier(*session.resumed);
        smHandled_ = *session.resumed;
        written_ = 0;
    } else {
        notResumed(std::nullopt);
        smHandled_ = 0;
        hasShownPresence_ = false;
    }
    smId_ = std::move(session.id);
    window_ = std::move(session.window);
    kind_ = isOnWayBack()             ? Kind::WayBack
            : session.isBidirectional ? Kind::Bidirectional
                                      : Kind::Outgoing;
    remoteLog.info("a link is ready", {{"domain", remote_}, {"from", local_}});
    flush();
    mayVerify();
    if (std::exchange(owesPresence_, false) && !trace_) remotes_.federation().meetAgain(remote_);
    if (!probed_) return;
    const auto request = Stanza::iq(StanzaType::Get, *Jid::parse(local_), *Jid::parse(remote_),
                                    RemoteOutgoing::pingPrefix + randomId());
    request->edit().add("ping", "urn:xmpp:ping");
    send(request, {});
    pingId_ = request->id();
    closing_ = remotes_.shard().executor().after(probePatience, [this] {
        RemoteFailure failure;
        failure.step = RemoteStep::Delivery;
        failure.text = remote_ + " doesn't answer a ping.";
        failure.advice =
            "Its answers come over a connection of its own: can it reach this server? "
            "Look for its attempts in the log, and check the DNS records of " +
            local_ + ".";
        find(failure.step, false, failure.text, failure.advice);
        finishProbe();
    });
}

// Of what was written on a connection that is lost; a count that can't be is none.
void RemoteLink::confirmEarlier(std::uint32_t handled) {
    const std::uint32_t newly = handled - smHandled_;
    if (newly > written_) return;
    for (std::uint32_t i = 0; i < newly; ++i) {
        Item item = std::move(items_.front());
        items_.pop_front();
        --written_;
        done(std::move(item));
    }
}

// Requests that may have arrived are not made twice; messages rather come twice than never.
void RemoteLink::notResumed(std::optional<std::uint32_t> handled) {
    // The other server knows nothing of it: it was down, maybe.
    owesPresence_ = owesPresence_ || (!smId_.empty() && hasShownPresence_);
    smId_.clear();
    kind_ = Kind::Outgoing;
    window_.reset();
    if (handled) confirmEarlier(*handled);
    RemoteFailure failure;
    failure.text = "The connection to " + remote_ + " was lost; this may not have arrived.";
    std::size_t kept = 0;
    for (std::size_t i = 0; i < written_; ++i) {
        Item item = std::move(items_[kept]);
        const bool isGone = !item.stanza || item.stanza->isIq();
        if (!isGone) {
            items_[kept++] = std::move(item);
            continue;
        }
        items_.erase(items_.begin() + kept);
        refuse(std::move(item), failure);
    }
    written_ = 0;
}

void RemoteLink::lost(std::string_view reason, Loss loss) {
    stream_ = nullptr;
    flushing_ = {};
    waitingForIt_ = {};
    dial_.reset();
    state_ = State::Idle;
    isAsked_ = false;
    pingId_.clear();
    if (!isManaged_ || smId_.empty()) {
        owesPresence_ = owesPresence_ || (loss == Loss::Broken && hasShownPresence_);
        notResumed(std::nullopt);
    }
    endVerifications(Verdict::NoAnswer);
    if (isClosing_) return;
    if (trace_) {
        RemoteFailure failure;
        failure.step = RemoteStep::Delivery;
        failure.text = "The connection was lost: " + std::string{reason} + ".";
        find(failure.step, false, failure.text);
        finishProbe();
        return;
    }
    const auto& connected = remotes_.history(remote_).connectedAt;
    const bool wasSteady =
        connected && remotes_.shard().executor().wallNow() - *connected >= steadyAfter;
    failures_ = wasSteady ? 0 : failures_;
    // What the other server has sent on a bidirectional connection waits there for us.
    // And whether it still knows what it was shown, is seen there as well.
    wantsBack_ = loss == Loss::Broken && (mayResume(true) || hasShownPresence_);
    if (!wantsToSend()) return;
    remoteLog.info("a link was lost", {{"domain", remote_}, {"from", local_}, {"reason", reason}});
    retryAt_ = now();
    // Who is expected to resume the session in both directions doesn't let the other one wait.
    if (wantsBack_)
        retryAt_ += wasSteady ? Duration{} : Duration{wayBackPatience / 10};
    else if (!wasSteady)
        retryAt_ += firstRetry * (1 << std::min(failures_++, 4u)) / 4;
    if (mayBeResumedBack()) retryAt_ += wayBackPatience;
    scheduleRetry();
}

// ---- the way back

bool RemoteLink::isOnWayBack() const { return stream_ && stream_ == reverse_.get(); }

void RemoteLink::takeWayBack() {
    stream_ = reverse_.get();
    dial_.reset();
    retry_ = {};
    failures_ = 0;
    const auto& offer = reverse_->offer();
    ready({.isManaged = offer.isManaged,
           .isBidirectional = true,
           .id = offer.id,
           .resumed = offer.resumed});
}

void RemoteLink::offered(RemoteReverse::Offer offer) {
    if (isClosing_ || !remotes_.settings().allows(remote_)) return;
    // Who connects anew has lost what it had.
    if (reverse_) {
        const auto before = reverse_->offer();
        // What it has sent there and we have not read comes again, and would be too late then.
        reverse_->endWith(
            {.condition = StreamCondition::Conflict, .text = "You have connected anew."});
        withdrawn(before.shard, before.stream, "the other server has connected anew", Loss::Broken);
    }
    lastUsed_ = now();
    reverse_ = std::make_unique<RemoteReverse>(remotes_, std::move(offer));
    switch (state_) {
        case State::Ready:
            doubt();
            return;
        case State::Negotiating:
            // It was there to verify a key, or to wait for a resumption that doesn't come any more.
            if ((wantsToSend() && !waitingForIt_) || hasVerifications()) return;
            waitingForIt_ = {};
            std::exchange(stream_, nullptr)->dismiss();
            break;
        case State::Dialing:
            if (hasVerifications()) return;
            break;
        case State::Idle:
        case State::Waiting:
            break;
    }
    takeWayBack();
}

// Only who has made a connection can resume it (XEP-0198, 5). When the network hangs, the other
// server may not know yet that it is lost, and hears it from a new one: what was on its way back
// would come twice if that were used at once.
void RemoteLink::awaitWayBack(Session session) {
    waitingForIt_ = remotes_.shard().executor().after(
        resumptionPatience, [this, session = std::move(session)]() mutable {
            notResumed(std::nullopt);
            ready(std::move(session));
        });
}

void RemoteLink::doubt() {
    if (isOnWayBack() || !mayResume(true) || waitingForIt_) return;
    stream_->ask();
    waitingForIt_ = remotes_.shard().executor().after(doubtPatience, [this] {
        stream_->endWith({.condition = StreamCondition::ConnectionTimeout,
                          .text = "You have connected anew, and nothing is heard of you here."});
    });
}

bool RemoteLink::resumedBack(RemoteReverse::Offer offer) {
    if (isClosing_ || !mayBeResumedBack() || smId_ != offer.id || isOnWayBack() ||
        hasVerifications() || *offer.resumed - smHandled_ > written_)
        return false;
    // Our own may have been tried, or wait for this.
    waitingForIt_ = {};
    if (stream_) std::exchange(stream_, nullptr)->dismiss();
    reverse_ = std::make_unique<RemoteReverse>(remotes_, std::move(offer));
    takeWayBack();
    return true;
}

void RemoteLink::withdrawn(unsigned shard, std::uint64_t stream, std::string_view reason,
                           Loss loss) {
    if (!reverse_ || !reverse_->isOf(shard, stream)) return;
    const bool wasUsed = isOnWayBack();
    const auto gone = std::move(reverse_);
    if (wasUsed) lost(reason, loss);
}

void RemoteLink::acknowledgedBack(unsigned shard, std::uint64_t stream, std::uint32_t h) {
    if (!isOnWayBack() || !isManaged_ || !reverse_->isOf(shard, stream) || acknowledged(h)) return;
    stream_->endWith(countTooHigh(h, sent()));
}

// ---- upkeep

void RemoteLink::check(SteadyTime now) {
    if (isAsked_ && stream_ && now - askedAt_ >= remotes_.settings().answerTimeout) {
        stream_->endWith({.condition = StreamCondition::ConnectionTimeout,
                          .text = "What was sent was not acknowledged in time."});
        return;
    }
    if (!pingId_.empty() && !probed_ && now - pingedAt_ >= pongPatience) {
        const std::string id = pingId_;
        ponged(id);
    }
    for (auto it = verifications_.begin(); it != verifications_.end();) {
        if (now - it->since < verificationPatience) {
            ++it;
            continue;
        }
        auto done = std::move(it->done);
        it = verifications_.erase(it);
        done(Verdict::NoAnswer);
        if (stream_) stream_->goOn();
    }
}

bool RemoteLink::isForgettable(SteadyTime now) const {
    return !stream_ && !dial_ && !reverse_ && !retry_ && items_.empty() && verifications_.empty() &&
           !isClosing_ && now - lastUsed_ >= rememberedFor;
}

void RemoteLink::settingsChanged() {
    if (!remotes_.settings().allows(remote_) && stream_)
        stream_->endWith({.condition = StreamCondition::PolicyViolation,
                          .text = "This server has no links with " + remote_ + " any more."});
}

void RemoteLink::closeDown(std::shared_ptr<void> kept) {
    kept_ = std::move(kept);
    isClosing_ = true;
    retry_ = {};
    dial_.reset();
    if (stream_ && state_ == State::Ready && isManaged_ && written_ > 0)
        closing_ = remotes_.shard().executor().after(closePatience, [this] { storeAndEnd(); });
    else
        storeAndEnd();
}

void RemoteLink::storeAndEnd() {
    closing_ = {};
    if (std::exchange(isStoring_, true)) return;
    for (Item& item : items_) store(item);
    const StreamError goodbye{.condition = StreamCondition::SystemShutdown,
                              .text = "The server is going down and will be back."};
    if (stream_) stream_->endWith(goodbye);
    if (reverse_ && !isOnWayBack()) reverse_->endWith(goodbye);
    finishClosing();
}

void RemoteLink::finishClosing() {
    // Also those of what has been confirmed meanwhile: they are removed when they are there.
    if (isStoring_ && rowsBeingWritten_ == 0) kept_.reset();
}

void RemoteLink::probe(UniqueFunction<void()> done) {
    probed_ = std::move(done);
    wantsReady_ = true;
    connect();
}

void RemoteLink::finishProbe() {
    if (!probed_) return;
    auto done = std::exchange(probed_, {});
    closing_ = {};
    pingId_.clear();
    if (auto* stream = std::exchange(stream_, nullptr)) stream->dismiss();
    done();
}

std::string_view RemoteLink::stateText() const {
    switch (state_) {
        case State::Idle:
            return "idle";
        case State::Dialing:
            return "connecting";
        case State::Negotiating:
            return "negotiating";
        case State::Ready:
            return "ready";
        case State::Waiting:
            break;
    }
    return "waiting";
}

}  // namespace epode
