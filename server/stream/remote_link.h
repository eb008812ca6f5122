// The link from one of our domains to one of another server: what waits for it, and the connection
// that it leaves on: one of ours, or one that the other server has made and takes stanzas on
// (XEP-0288). It lives on the shard of the remote domain.
//
// Messages that are worth keeping wait, also over a restart, until the remote server has confirmed
// them or the time is over; everything else is refused as soon as the domain can't be reached.
#pragma once

#include "core/executor.h"
#include "core/hold.h"
#include "core/queue.h"
#include "core/stanza.h"
#include "stream/remote_dial.h"
#include "stream/remote_report.h"
#include "stream/remote_reverse.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace epode {

class AckWindow;
class RemoteCarrier;
class Remotes;

class RemoteLink {
public:
    RemoteLink(Remotes& remotes, std::string local, std::string remote, RemoteTrace trace = {});
    ~RemoteLink();

    const std::string& local() const { return local_; }
    const std::string& remote() const { return remote_; }

    void send(const StanzaPtr& stanza, const Hold& hold);
    struct Stored {
        std::int64_t row = 0;
        WallTime queued{};
        WallTime expires{};
        StanzaPtr stanza;
    };
    void restore(Stored stored);

    // Asks the remote server whether it has made this key for a connection to us (XEP-0220).
    enum class Verdict : std::uint8_t { Valid, Invalid, NotFound, NotReached, NoAnswer };
    using Verified = UniqueFunction<void(Verdict)>;
    void verify(std::string id, std::string key, Verified done);

    // Whether it waits for the next attempt.
    bool isWaiting() const { return state_ == State::Waiting; }
    // The remote server has connected to us.
    void isThere();
    void ponged(const std::string& id);

    // One attempt, with a ping at its end; for explanations.
    void probe(UniqueFunction<void()> done);

    // Now and then.
    void check(SteadyTime now);
    // Whether nothing would be missed without it.
    bool isForgettable(SteadyTime now) const;
    void settingsChanged();

    // For a stop: everything that is worth it is stored, then the connection ends.
    void closeDown(std::shared_ptr<void> kept);

    // ---- for the connection

    bool wantsToSend() const {
        return !items_.empty() || wantsReady_ || wantsBack_ || owesPresence_;
    }
    bool hasVerifications() const { return !verifications_.empty(); }
    const RemoteTrace& trace() const { return trace_; }
    void find(RemoteStep step, bool isGood, std::string text, std::string advice = {}) const;
    // It takes verifications now.
    void mayVerify();
    // Stanzas may be sent.
    struct Session {
        bool isManaged = false;        // the remote server will acknowledge
        bool isBidirectional = false;  // and sends on the connection, too
        std::string id{};              // for the next resumption, "" when there is none
        // How many of an earlier connection have arrived; without it this is a new beginning.
        std::optional<std::uint32_t> resumed{};
        // What comes, when it is counted.
        std::shared_ptr<AckWindow> window{};
    };
    void ready(Session session);
    // Whether there is a session that a connection of ours can resume.
    bool mayResume(bool isBidirectional) const {
        return !smId_.empty() && kind_ == (isBidirectional ? Kind::Bidirectional : Kind::Outgoing);
    }
    const std::string& resumptionId() const { return smId_; }
    // What came on a bidirectional connection.
    const std::shared_ptr<AckWindow>& window() const { return window_; }
    // How many were sent with stream management.
    std::uint32_t sent() const { return smHandled_ + std::uint32_t(written_); }
    // A session that could not be resumed had handled so many.
    void notResumed(std::optional<std::uint32_t> handled);
    // False when it was never sent so much.
    bool acknowledged(std::uint32_t h);
    // False when nobody has asked.
    bool verified(const std::string& id, Verdict verdict);
    // The connection is over: before it was ready, with whether other places may be better; or
    // after.
    void failed(RemoteFailure failure, bool mayTryOthers);
    enum class Loss : std::uint8_t { Idle, Broken };
    void lost(std::string_view reason, Loss loss);
    // The other server has taken most of what was written.
    void drained() { flush(); }
    // Whether the connection may be closed when nothing is said on it.
    bool isIdle() const { return items_.empty() && verifications_.empty(); }

    // ---- the way back on a connection that the other server has made

    void offered(RemoteReverse::Offer offer);
    // Goes on where an earlier one has stopped; false when that isn't possible any more.
    bool resumedBack(RemoteReverse::Offer offer);
    void withdrawn(unsigned shard, std::uint64_t stream, std::string_view reason, Loss loss);
    void acknowledgedBack(unsigned shard, std::uint64_t stream, std::uint32_t h);
    // Whether there is one, or one that was lost may be resumed.
    bool hasWayBack() const { return reverse_ || mayBeResumedBack(); }

    // ---- for operators

    std::string_view stateText() const;
    const RemoteCarrier* stream() const { return stream_; }
    std::size_t queued() const { return items_.size(); }
    std::size_t queuedBytes() const { return bytes_; }
    const std::optional<RemoteFailure>& lastFailure() const { return lastFailure_; }

private:
    enum class State : std::uint8_t { Idle, Dialing, Negotiating, Ready, Waiting };
    enum class Row : std::uint8_t { None, Writing, Stored };
    // Of the session that can be resumed.
    enum class Kind : std::uint8_t { Outgoing, Bidirectional, WayBack };
    struct Item {
        std::uint64_t number;
        StanzaPtr stanza;
        Hold hold;
        SteadyTime since;
        WallTime queued;
        SteadyTime expires;
        std::int64_t rowId = 0;
        Row row = Row::None;
        bool isDurable = false;  // kept over a restart
        bool isPatient = false;  // waits when the domain can't be reached
    };
    struct Verification {
        std::string id;
        std::string key;
        Verified done;
        SteadyTime since;
        bool isSent = false;
    };

    void connect();
    void dialNext();
    void giveUp(const RemoteFailure& failure);
    void scheduleRetry();
    void endVerifications(Verdict verdict);
    void flush();
    void write(const Stanza& stanza, std::string_view insertion);
    void writeItem(const Item& item);
    void takeWayBack();
    bool isOnWayBack() const;
    bool mayBeResumedBack() const { return kind_ == Kind::WayBack && !smId_.empty(); }
    void awaitWayBack(Session session);
    void doubt();
    void askForConfirmation();
    void confirm(std::size_t count);
    void confirmEarlier(std::uint32_t handled);
    void done(Item item);
    void refuse(Item item, const RemoteFailure& failure);
    void refuseImpatient(const RemoteFailure& failure, bool alsoDurable);
    void store(Item& item);
    void storeLate(Duration patience);
    void startSweeping();
    void sweep();
    void removeRow(const Item& item);
    void storeAndEnd();
    void finishClosing();
    Item* find(std::uint64_t number);
    void ping();
    void finishProbe();
    SteadyTime now() const;

    Remotes& remotes_;
    const std::string local_;
    const std::string remote_;
    const RemoteTrace trace_;
    State state_ = State::Idle;
    std::shared_ptr<RemoteDial> dial_;
    std::unique_ptr<RemoteReverse> reverse_;  // may be there without being used
    RemoteCarrier* stream_ = nullptr;
    std::optional<RemoteFailure> attemptFailure_;  // of this round, by a server that was reached
    std::optional<RemoteFailure> lastFailure_;
    SteadyTime failedAt_{};
    SteadyTime retryAt_{};
    unsigned failures_ = 0;  // in a row
    Timer retry_;

    Queue<Item> items_;  // the first `written_` are on their way
    std::size_t written_ = 0;
    std::size_t bytes_ = 0;
    std::size_t rowsBeingWritten_ = 0;
    std::uint64_t next_ = 1;
    Timer sweeping_;
    Timer flushing_;  // what did not fit
    // Until the other server must have resumed the way back, or answered on our connection.
    Timer waitingForIt_;

    bool isManaged_ = false;
    std::string smId_;
    Kind kind_ = Kind::Outgoing;
    std::shared_ptr<AckWindow> window_;
    std::uint32_t smHandled_ = 0;
    bool isAsked_ = false;
    SteadyTime askedAt_{};
    std::string pingId_;
    std::uint64_t pingUpTo_ = 0;  // items below this number were written before the ping
    SteadyTime pingedAt_{};

    std::vector<Verification> verifications_;
    SteadyTime lastUsed_;
    bool wantsReady_ = false;
    bool wantsBack_ = false;         // the other server may have something for us
    bool hasShownPresence_ = false;  // on this connection
    bool owesPresence_ = false;      // what was shown or asked may not have arrived
    bool isClosing_ = false;         // the server stops
    bool isStoring_ = false;         // and nothing is waited for any more but the store
    std::shared_ptr<void> kept_;
    Timer closing_;
    UniqueFunction<void()> probed_;
    // Completions of the store look whether the link is still there.
    std::shared_ptr<RemoteLink*> self_;
};

}  // namespace epode
