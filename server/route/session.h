// A connected resource (RFC 6120, 7): what one client of an account is to the rest of the server. It
// outlives its connection when stream management allows (XEP-0198).
#pragma once

#include "core/stanza.h"
#include "route/hooks.h"
#include "route/outlet.h"
#include "route/state_slots.h"
#include "route/stream_management.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <set>
#include <string>
#include <string_view>

namespace epode {

class Account;
class Host;
class Shard;

class Session {
public:
    Session(Account& account, Jid full);
    ~Session();

    Account& account() { return account_; }
    const Account& account() const { return account_; }
    const Jid& jid() const { return jid_; }
    Host& host();
    Shard& shard();

    // What the client has sent: stamped with its address, checked, and sent on its way.
    void receive(MutableStanzaPtr stanza);
    // What it sent can't be sent on: counted, and answered.
    void refuse(MutableStanzaPtr stanza, const StanzaError& error);

    // Writes to the client (or to its queue while it is away). `insertion` is XML that goes before the
    // end tag; `stamp` is the place in the account's log.
    void deliver(const StanzaPtr& stanza, std::string_view insertion = {}, std::int64_t stamp = 0);
    // The same past the sessionOutput hooks: for who held a stanza back there.
    void write(const StanzaPtr& stanza, std::string_view insertion, std::int64_t stamp = 0);

    // Presence. Available: has sent presence without a type and not taken it back.
    bool isAvailable() const { return presence_ != nullptr; }
    int priority() const { return priority_; }
    bool takesMessages() const { return isAvailable() && priority_ >= 0; }
    const StanzaPtr& presence() const { return presence_; }  // null when unavailable
    bool isInterested() const { return interested_; }        // has asked for the roster
    void setInterested() { interested_ = true; }
    void restorePresence(StanzaPtr presence);
    // Those who got directed presence and have to hear of the end (RFC 6121, 4.6).
    std::set<Jid>& directed();
    const std::set<Jid>& directed() const;
    bool hasDirectedTo(const Jid& jid) const;

    // Nobody looks at the client, as it has said (XEP-0352).
    bool isInactive() const { return isInactive_; }
    void setInactive(bool isInactive) { isInactive_ = isInactive; }
    // Somebody uses it: it is connected, nobody has said that he is away, and it is looked at.
    bool isInUse() const;

    // The connection. Null while the session waits to be resumed.
    Outlet* outlet() const { return outlet_; }
    void attach(Outlet& outlet) {
        outlet_ = &outlet;
        isOutletEnding_ = false;
    }
    // What plugins hold back for it is written, to the client or into the queue.
    void release(ReleaseEvent::Reason reason);
    // The connection is gone. A resumable session waits for its client, any other ends.
    void detach(bool cleanly);
    // Ends the session for good: unavailable presence, hooks, unacknowledged messages go back.
    // The stream, when there is one, is ended with `error`. Destroys this session.
    void end(const StreamError& error);

    // Stream management.
    StreamManagement* sm() const { return sm_.get(); }
    bool isResumable() const { return sm_ && sm_->isResumable(); }
    StreamManagement& enableSm(std::string id, bool resumable);
    // Counts what the client sends from `handled` on: what came beyond it will come again.
    void restartInbound(std::uint32_t handled);
    // The client has handled everything up to `h`. False when it was never sent so much.
    bool acknowledge(std::uint32_t h);
    void requestAck();       // our <r/>
    void ackRequested();     // the client's <r/>: answered when all that it has sent is safe
    void sendAck();          // our <a/>, with what is safe at the moment
    void resend();           // what is not acknowledged, after a resumption

    StateSlots& slots() { return slots_; }
    template <typename T>
    T& state() {
        return slots_.get<T>();
    }

    WallTime boundAt() const { return boundAt_; }

    // Whether what is written to it with a stamp is known to have arrived some day: by stream
    // management, or while the client may be about to ask for that.
    bool confirms() const { return sm_ || isBeginning(); }

private:
    friend class Account;
    friend class PresenceRules;
    // Messages from before stream management is on, which no number acknowledges.
    struct Beginning {
        std::deque<Unacknowledged> messages;
        Timer end;
    };
    void receiveMessage(StanzaEdit& stanza, Hold hold);
    void receiveIq(const StanzaPtr& stanza, Hold hold);
    bool isBeginning() const;
    void keepBeginning(Unacknowledged entry);
    void beginningArrived();
    void afterWrite();
    void requestSoon();
    void answerRequests();
    void endSoon();
    void endOutletSoon();

    Account& account_;
    Jid jid_;
    Outlet* outlet_ = nullptr;
    StanzaPtr presence_;
    std::unique_ptr<std::set<Jid>> directed_;
    std::unique_ptr<StreamManagement> sm_;
    std::unique_ptr<Beginning> beginning_;
    StateSlots slots_;
    WallTime boundAt_;
    std::int8_t priority_ = 0;
    bool interested_ = false;
    bool wasAvailable_ = false;
    bool ending_ = false;
    bool isOutletEnding_ = false;
    bool isInactive_ = false;
};

}  // namespace epode
