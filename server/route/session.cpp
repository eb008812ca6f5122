#include "route/session.h"

#include "core/log.h"
#include "core/metric.h"
#include "core/namespaces.h"
#include "route/account.h"
#include "route/presence_rules.h"
#include "route/server.h"
#include "route/session_options.h"
#include "route/shard.h"

#include <algorithm>
#include <charconv>

namespace epode {

namespace {

const Log routeLog{"route"};
Gauge sessionsBound{"epode_sessions", "Sessions that are bound, connected or waiting for resumption"};
Counter messagesSent{"epode_messages_sent_total", "Messages that own clients have sent"};
Counter stanzasDelivered{"epode_stanzas_delivered_total", "Stanzas written to clients"};

constexpr std::string_view ackRequest = "<r xmlns='urn:xmpp:sm:3'/>";

// A request for acknowledgement waits for the database no longer than this: a client that hears
// nothing takes its connection for dead.
constexpr auto ackPatience = std::chrono::seconds{2};

// How long a client that has not shown itself yet may take to ask for stream management. What comes
// for it until then goes back when its connection is lost.
constexpr auto beginningTime = std::chrono::seconds{10};
// More than that comes to a client which never asks, and only fills the store.
constexpr std::size_t beginningMost = 100;

StreamError tooMuchWaits() {
    return {.condition = StreamCondition::ResourceConstraint,
            .text = "Too much waits for this client to be taken or acknowledged."};
}

}  // namespace

Session::Session(Account& account, Jid full)
    : account_{account}, jid_{std::move(full)}, boundAt_{account.shard().executor().wallNow()} {
    sessionsBound.add();
}

Session::~Session() { sessionsBound.add(-1); }

Host& Session::host() { return account_.host(); }
Shard& Session::shard() { return account_.shard(); }

std::set<Jid>& Session::directed() {
    if (!directed_) directed_ = std::make_unique<std::set<Jid>>();
    return *directed_;
}

const std::set<Jid>& Session::directed() const {
    static const std::set<Jid> nobody;
    return directed_ ? *directed_ : nobody;
}

// Of an address with any resource: who has entered a room has shown himself to all who are in it, and
// they ask under their own nicknames.
bool Session::hasDirectedTo(const Jid& jid) const {
    if (!directed_) return false;
    for (auto at = directed_->lower_bound(jid.bare());
         at != directed_->end() && at->text().starts_with(jid.bareText()); ++at)
        if (at->bareText() == jid.bareText()) return true;
    return false;
}

// ---- from the client

void Session::receive(MutableStanzaPtr stanza) {
    Hold hold = sm_ ? sm_->inbound().receive() : Hold{};
    stanza->setFrom(jid_);
    StanzaEdit edit{std::move(stanza)};

    const auto& hook = host().services().outgoing;
    if (!hook.empty()) {
        OutgoingEvent event{*this, edit};
        if (hook.run(event) == Verdict::Stop) {
            if (event.refusal) shard().refuse(*edit, *event.refusal);
            return;
        }
    }
    switch (edit->kind()) {
        case StanzaKind::Message: receiveMessage(edit, std::move(hold)); break;
        case StanzaKind::Presence:
            PresenceRules{account_}.send(*this, edit.share(), std::move(hold));
            break;
        case StanzaKind::Iq: receiveIq(edit.share(), std::move(hold)); break;
    }
}

void Session::refuse(MutableStanzaPtr stanza, const StanzaError& error) {
    const Hold hold = sm_ ? sm_->inbound().receive() : Hold{};
    stanza->setFrom(jid_);
    shard().refuse(*stanza, error);
}

void Session::receiveMessage(StanzaEdit& stanza, Hold hold) {
    messagesSent.add();
    // RFC 6120, 10.3.1: without an address it goes to the sender's own account.
    if (stanza->to().empty()) stanza.change().setTo(jid_.bare());
    account_.sent(this, stanza.share(), hold);
    shard().server().route(stanza.share(), std::move(hold));
}

void Session::receiveIq(const StanzaPtr& stanza, Hold hold) {
    const bool toOwnAccount = stanza->to().empty() || stanza->to() == account_.jid();
    if (!toOwnAccount) {
        shard().server().route(stanza, std::move(hold));
        return;
    }
    // RFC 6120, 10.3.3: the server answers on behalf of the account.
    if (stanza->isRequest())
        dispatchIq(shard(), host(), Addressee::Account, stanza, std::move(hold));
    else
        Asking::answer(shard(), stanza);
}

// ---- to the client

void Session::restorePresence(StanzaPtr presence) {
    presence_ = std::move(presence);
    wasAvailable_ = true;
    int priority = 0;
    const auto text = presence_->root().childText("priority");
    std::from_chars(text.data(), text.data() + text.size(), priority);
    priority_ = std::int8_t(std::clamp(priority, -128, 127));
}

void Session::deliver(const StanzaPtr& stanza, std::string_view insertion, std::int64_t stamp) {
    const auto& hook = host().services().sessionOutput;
    if (!hook.empty()) {
        SessionOutputEvent event{*this, stanza, insertion, stamp};
        if (hook.run(event) == Verdict::Stop) return;
    }
    write(stanza, insertion, stamp);
}

void Session::write(const StanzaPtr& stanza, std::string_view insertion, std::int64_t stamp) {
    if (sm_)
        sm_->push({stanza, std::string{insertion}, stamp});
    else if (stamp > 0)
        keepBeginning({stanza, {}, stamp});
    if (outlet_) {
        stanza->write(outlet_->output(), outlet_->streamNs(), nullptr, insertion);
        outlet_->wantFlush();
        stanzasDelivered.add();
    }
    afterWrite();
}

bool Session::isInUse() const {
    if (!outlet_ || !isAvailable() || isInactive_) return false;
    const std::string_view show = presence_->root().childText("show");
    return show != "away" && show != "xa";
}

// Clients ask for stream management before they send presence; who doesn't will not ask for it.
bool Session::isBeginning() const {
    return !sm_ && !wasAvailable_ && outlet_ &&
           (!beginning_ || beginning_->messages.size() < beginningMost) &&
           account_.shard().executor().wallNow() < boundAt_ + beginningTime;
}

void Session::keepBeginning(Unacknowledged entry) {
    if (!beginning_) {
        beginning_ = std::make_unique<Beginning>();
        beginning_->end =
            shard().executor().after(beginningTime, [this] { beginningArrived(); });
    }
    beginning_->messages.push_back(std::move(entry));
}

void Session::beginningArrived() {
    if (const auto beginning = std::exchange(beginning_, nullptr))
        for (const auto& entry : beginning->messages) account_.acknowledged(entry.stamp);
}

// Limits, and the request for an acknowledgement.
void Session::afterWrite() {
    const SessionLimits& limits = host().limits();
    if (sm_) {
        ++sm_->sinceRequest;
        if (outlet_) requestSoon();
        if (sm_->queue().size() > limits.smQueueMax || sm_->queueCost() > limits.smQueueBytesMax)
            endSoon();
    }
    if (outlet_ && outlet_->unsentBytes() > limits.outputBytesMax) endOutletSoon();
}

void Session::requestSoon() {
    if (sm_->requestPending || sm_->sinceRequest == 0) return;
    if (sm_->sinceRequest >= host().limits().smRequestEvery) {
        requestAck();
    } else if (!sm_->requestTimer) {
        sm_->requestTimer = shard().executor().after(host().limits().smRequestDelay, [this] {
            if (outlet_ && sm_->sinceRequest > 0 && !sm_->requestPending) requestAck();
        });
    }
}

// Ends are posted: the caller may stand in a loop over the account's sessions.
void Session::endSoon() {
    if (std::exchange(ending_, true)) return;
    shard().executor().post([&shard = shard(), jid = jid_, self = this] {
        if (shard.session(jid) == self && self->ending_) self->end(tooMuchWaits());
    });
}

// The stream of a slow reader ends; whether its session does is decided as for any other end.
void Session::endOutletSoon() {
    if (std::exchange(isOutletEnding_, true)) return;
    shard().executor().post([&shard = shard(), jid = jid_, self = this] {
        if (shard.session(jid) == self && self->isOutletEnding_ && self->outlet_)
            self->outlet_->end(tooMuchWaits());
    });
}

// ---- the connection

void Session::release(ReleaseEvent::Reason reason) {
    const auto& hook = host().services().releaseOutput;
    if (hook.empty()) return;
    ReleaseEvent event{*this, reason};
    hook.run(event);
}

void Session::detach(bool cleanly) {
    outlet_ = nullptr;
    release(ReleaseEvent::Reason::Detached);
    if (sm_) sm_->connectionLost();
    const auto wait = host().limits().smResumeTimeout;
    if (cleanly) beginningArrived();
    if (cleanly || !sm_ || !sm_->isResumable() || wait.count() == 0) {
        end({});
        return;
    }
    if (shard().server().isStopping()) return;  // it was saved for the restart
    account_.logUnacknowledged();  // it may never come back
    sm_->expiry = shard().executor().after(wait, [this] {
        routeLog.debug("a session was not resumed in time", {{"session", jid_.text()}});
        end({});
    });
}

void Session::end(const StreamError& error) {
    ending_ = true;
    if (Outlet* outlet = std::exchange(outlet_, nullptr)) outlet->end(error);
    release(ReleaseEvent::Reason::Detached);
    PresenceRules{account_}.ended(*this);
    const auto& hook = host().services().sessionEnded;
    if (!hook.empty()) {
        SessionEvent event{*this};
        hook.run(event);
    }
    account_.remove(*this);  // destroys this
}

// ---- stream management

StreamManagement& Session::enableSm(std::string id, bool resumable) {
    sm_ = std::make_unique<StreamManagement>(shard().executor(), std::move(id), resumable);
    restartInbound(0);
    if (beginning_) {
        // Who acknowledges anything from here on has got what was before it.
        beginning_->end = {};
        sm_->requestTimer =
            shard().executor().after(host().limits().smRequestDelay, [this] { requestAck(); });
    }
    return *sm_;
}

void Session::restartInbound(std::uint32_t handled) {
    sm_->restartInbound(shard().executor(), handled, [this] { answerRequests(); });
}

bool Session::acknowledge(std::uint32_t h) {
    const bool possible = sm_->acknowledge(h, [this](const Unacknowledged& entry) {
        if (entry.stamp > 0) account_.acknowledged(entry.stamp);
        if (entry.stamp < 0) account_.copyAcknowledged(*this, -entry.stamp);
    });
    if (!possible) return false;
    beginningArrived();
    sm_->requestPending = false;
    sm_->answerTimer = {};
    if (sm_->queue().empty()) {
        sm_->sinceRequest = 0;
        sm_->requestTimer = {};
    } else if (outlet_) {
        requestSoon();  // for what was sent after the request
    }
    return true;
}

void Session::requestAck() {
    if (!outlet_) return;
    outlet_->output().append(ackRequest);
    outlet_->wantFlush();
    sm_->sinceRequest = 0;
    sm_->requestPending = true;
    sm_->requestTimer = {};
    sm_->answerTimer = shard().executor().after(host().limits().smAnswerTimeout, [this] {
        // The stream detaches this session.
        if (outlet_)
            outlet_->end({.condition = StreamCondition::ConnectionTimeout,
                          .text = "A request for acknowledgement was not answered."});
    });
}

void Session::ackRequested() {
    auto& requests = sm_->pendingRequests;
    const std::uint32_t received = sm_->inbound().received();
    if (requests.empty() || requests.back() != received) requests.push_back(received);
    answerRequests();
    if (!requests.empty() && !sm_->lateTimer)
        sm_->lateTimer = shard().executor().after(ackPatience, [this] { sendAck(); });
}

void Session::answerRequests() {
    const std::uint32_t safe = sm_->inbound().safe();
    bool any = false;
    auto& requests = sm_->pendingRequests;
    while (!requests.empty() && std::int32_t(safe - requests.front()) >= 0) {
        requests.pop_front();
        any = true;
    }
    if (any) sendAck();
    if (requests.empty()) sm_->lateTimer = {};
}

void Session::sendAck() {
    if (!outlet_) return;
    const std::uint32_t safe = sm_->inbound().safe();
    outlet_->output()
        .append("<a xmlns='urn:xmpp:sm:3' h='")
        .append(std::to_string(safe))
        .append("'/>");
    outlet_->wantFlush();
}

void Session::resend() {
    for (const auto& entry : sm_->queue())
        entry.stanza->write(outlet_->output(), outlet_->streamNs(), nullptr, entry.insertion);
    outlet_->wantFlush();
    sm_->sinceRequest = 0;
    if (!sm_->queue().empty()) requestAck();
}

}  // namespace epode
