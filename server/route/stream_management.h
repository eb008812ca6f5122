// Stream management of one session (XEP-0198): what was received and is safe, what was sent and is
// not acknowledged yet. It belongs to the session, so it outlives a connection.
#pragma once

#include "core/hold.h"
#include "core/queue.h"
#include "core/stanza.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace epode {

struct Unacknowledged {
    StanzaPtr stanza;
    std::string insertion;   // XML written before its end tag (stanza-id, delay)
    // Its place in the account's log, 0 when it is not there. Below zero: the copy of a message that
    // waits at that place for a client which takes messages.
    std::int64_t stamp = 0;
};

class StreamManagement {
public:
    StreamManagement(Executor& executor, std::string id, bool resumable)
        : id_{std::move(id)}, resumable_{resumable}, inbound_{std::make_shared<AckWindow>(executor)} {}
    // Holds outlive the session: none of them tells it any more.
    ~StreamManagement() { inbound_->setAdvanced({}); }

    const std::string& id() const { return id_; }
    bool isResumable() const { return resumable_; }
    AckWindow& inbound() { return *inbound_; }
    const AckWindow& inbound() const { return *inbound_; }
    // Counts from `handled` on. What was received beyond it is not counted any more: the client
    // sends it again.
    void restartInbound(Executor& executor, std::uint32_t handled, UniqueFunction<void()> advanced) {
        inbound_->setAdvanced({});
        inbound_ = std::make_shared<AckWindow>(executor, handled);
        inbound_->setAdvanced(std::move(advanced));
    }

    // Sent to the client, or meant to be while it is away.
    void push(Unacknowledged entry);
    // The client has handled everything up to `h`. False when it was never sent (handled-count-too-high).
    // What it acknowledges is handed to `acknowledged`, in order.
    template <typename Acknowledged>
    bool acknowledge(std::uint32_t h, Acknowledged acknowledged);

    const Queue<Unacknowledged>& queue() const { return queue_; }
    // A copy that was sent counts as the message from now on. False when it is not in the queue.
    bool countCopy(std::int64_t stamp);
    Queue<Unacknowledged> takeQueue() { return std::exchange(queue_, {}); }
    std::size_t queueCost() const { return queueCost_; }
    std::uint32_t sent() const { return acknowledged_ + std::uint32_t(queue_.size()); }
    std::uint32_t acknowledged() const { return acknowledged_; }
    void setAcknowledged(std::uint32_t h) { acknowledged_ = h; }

    // Nobody is there to be asked or answered.
    void connectionLost();

    // When the client asked (<r/>), how many stanzas it had sent: the answer waits until these are safe.
    Queue<std::uint32_t> pendingRequests;
    std::uint32_t sinceRequest = 0;   // stanzas sent since our last <r/>
    bool requestPending = false;      // an <r/> of ours waits for its <a/>
    Timer requestTimer;               // asks when nothing else does
    Timer lateTimer;                  // the client must not wait for its answer any longer
    Timer answerTimer;                // the client owes an <a/>, or the connection is dead
    Timer expiry;                     // runs while no connection is attached

private:
    std::string id_;
    bool resumable_;
    std::shared_ptr<AckWindow> inbound_;
    Queue<Unacknowledged> queue_;
    std::size_t queueCost_ = 0;
    std::uint32_t acknowledged_ = 0;
};

template <typename Acknowledged>
bool StreamManagement::acknowledge(std::uint32_t h, Acknowledged acknowledged) {
    const std::uint32_t newly = h - acknowledged_;  // wraps at 2^32, as h does
    if (newly > queue_.size()) return newly > 0x80000000u;  // an old <a/> repeated is no offence
    for (std::uint32_t i = 0; i < newly; ++i) {
        Unacknowledged entry = std::move(queue_.front());
        queue_.pop_front();
        queueCost_ -= entry.stanza->cost() + entry.insertion.size();
        acknowledged(entry);
    }
    acknowledged_ = h;
    return true;
}

}  // namespace epode
