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

bool Session::hasDirectedTo(const Jid& jid) const {
    return directed_ && (directed_->contains(jid) || directed_->contains(jid.bare()));
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
    if (stanza->isRequest()) dispatchIq(shard(), host(), Addressee::Account, stanza, std::move(hold));
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
    if (sm_) sm_->push({stanza, std::string{insertion}, stamp});
    if (outlet_) {
        stanza->write(outlet_->output(), outlet_->streamNs(), nullptr, insertion);
        outlet_->wantFlush();
        stanzasDelivered.add();
    }
    afterWrite();
}

// Limits, and the request for an acknowledgement. Ends are posted: the caller may stand in a loop over
// the account's sessions.
void Session::afterWrite() {
    if (sm_) {
        if (outlet_ && !sm_->requestPending) {
            if (++sm_->sinceRequest >= host().limits().smRequestEvery) {
                requestAck();
            } else if (!sm_->requestTimer) {
                sm_->requestTimer = shard().executor().after(host().limits().smRequestDelay, [this] {
                    if (outlet_ && sm_->sinceRequest > 0 && !sm_->requestPending) requestAck();
                });
            }
        }
        const bool tooMuch = sm_->queue().size() > host().limits().smQueueMax ||
                             sm_->queueCost() > host().limits().smQueueBytesMax;
        if (!tooMuch) return;
    } else if (!outlet_ || outlet_->unsentBytes() <= host().limits().outputBytesMax) {
        return;
    }
    if (std::exchange(ending_, true)) return;
    shard().executor().post([&shard = shard(), jid = jid_, self = this] {
        if (shard.session(jid) == self)
            self->end({.condition = StreamCondition::ResourceConstraint,
                       .text = "Too much waits for this client to be taken or acknowledged."});
    });
}

// ---- the connection

void Session::detach(bool cleanly) {
    outlet_ = nullptr;
    const auto wait = host().limits().smResumeTimeout;
    if (cleanly || !sm_ || !sm_->isResumable() || wait.count() == 0) {
        end({});
        return;
    }
    if (shard().server().isStopping()) return;  // it was saved for the restart
    account_.logUnacknowledged();  // it may never come back
    sm_->requestPending = false;
    sm_->pendingRequests.clear();
    sm_->requestTimer = {};
    sm_->answerTimer = {};
    sm_->expiry = shard().executor().after(wait, [this] {
        routeLog.debug("a session was not resumed in time", {{"session", jid_.text()}});
        end({});
    });
}

void Session::end(const StreamError& error) {
    ending_ = true;
    if (Outlet* outlet = std::exchange(outlet_, nullptr)) outlet->end(error);
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
    sm_->inbound().setAdvanced([this] { answerRequests(); });
    return *sm_;
}

StreamManagement& Session::restoreSm(std::string id, std::uint32_t handled) {
    StreamManagement& sm = enableSm(std::move(id), true);
    sm.restoreInbound(shard().executor(), handled);
    sm.inbound().setAdvanced([this] { answerRequests(); });
    return sm;
}

void Session::acknowledged(const Unacknowledged& entry) {
    if (entry.stamp != 0) account_.acknowledged(entry.stamp);
}

void Session::requestAck() {
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

void Session::answerRequests() {
    if (!outlet_) return;
    const std::uint32_t safe = sm_->inbound().safe();
    bool any = false;
    auto& requests = sm_->pendingRequests;
    while (!requests.empty() && std::int32_t(safe - requests.front()) >= 0) {
        requests.pop_front();
        any = true;
    }
    if (!any) return;
    outlet_->output().append("<a xmlns='urn:xmpp:sm:3' h='").append(std::to_string(safe)).append("'/>");
    outlet_->wantFlush();
}

void Session::resend() {
    for (const auto& entry : sm_->queue())
        entry.stanza->write(outlet_->output(), outlet_->streamNs(), nullptr, entry.insertion);
    outlet_->wantFlush();
    if (!sm_->queue().empty()) requestAck();
}

}  // namespace epode
