// Which messages of an account's log nobody has yet: the position up to which its clients have
// everything, and what is out for delivery or waits beyond it. Pure bookkeeping.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace epode {

class Pending {
public:
    // From the store: everything up to `position` is delivered; `waiting` tells whether there are
    // messages after it, of which the last has the stamp `last`.
    Pending(std::int64_t position, std::int64_t last, bool waiting)
        : position_{position},
          last_{std::max(position, last)},
          fetched_{position},
          waitingFrom_{waiting ? std::optional{position + 1} : std::nullopt} {}

    // A message was stored and given to `clients` clients that will acknowledge it; 0: it waits.
    void stored(std::int64_t stamp, int clients) {
        last_ = std::max(last_, stamp);
        if (clients > 0)
            out_[stamp] += clients;
        else
            wait(stamp);
    }
    // A message was stored that needs no delivery any more (its client acknowledges nothing).
    void done(std::int64_t stamp) { last_ = std::max(last_, stamp); }
    // One client has it: enough.
    void acknowledged(std::int64_t stamp) {
        out_.erase(stamp);
        delivered(stamp);
    }
    // It counts as received by somebody, while others before it may not be.
    void delivered(std::int64_t stamp) {
        if (stamp >= firstMissing()) delivered_.insert(stamp);
    }
    // A client ended without it. True when no other client has it either: it waits again.
    bool returned(std::int64_t stamp) {
        auto found = out_.find(stamp);
        if (found == out_.end()) return false;
        if (--found->second > 0) return false;
        out_.erase(found);
        wait(stamp);
        return true;
    }
    // Everything up to `stamp` was read from the archive.
    void fetched(std::int64_t stamp) {
        fetched_ = std::max(fetched_, stamp);
        out_.erase(out_.begin(), out_.upper_bound(stamp));
        if (readingFrom_) readingFrom_ = std::max(*readingFrom_, stamp + 1);
        if (!waitingFrom_ || *waitingFrom_ > stamp) return;
        waitingFrom_ = stamp < last_ ? std::optional{stamp + 1} : std::nullopt;
    }

    // Giving out what waits, in pages: from the stamp that is returned, until `stopReading`. What
    // begins to wait meanwhile is not taken for read.
    std::int64_t startReading() {
        readingFrom_ = std::exchange(waitingFrom_, std::nullopt).value_or(last_ + 1);
        return *readingFrom_;
    }
    void readUntil(std::int64_t stamp, bool more) {
        last_ = std::max(last_, stamp);
        readingFrom_ = more ? std::optional{stamp + 1} : std::nullopt;
    }
    void stopReading() {
        if (const auto from = std::exchange(readingFrom_, std::nullopt)) wait(*from);
    }
    // Whether a message that is read from the log needs no delivery: a client has it, or has got it
    // and may acknowledge it yet.
    bool isOut(std::int64_t stamp) const { return out_.contains(stamp); }
    bool isDelivered(std::int64_t stamp) const {
        return stamp <= fetched_ || delivered_.contains(stamp);
    }
    const std::set<std::int64_t>& deliveredBeyond() const { return delivered_; }

    // The first stamp that may wait for a client, or nothing.
    std::optional<std::int64_t> waitingFrom() const {
        if (!waitingFrom_ || !readingFrom_) return waitingFrom_ ? waitingFrom_ : readingFrom_;
        return std::min(*waitingFrom_, *readingFrom_);
    }

    // The position to store: it never goes back.
    std::int64_t position() {
        position_ = std::max(position_, std::min(last_, firstMissing() - 1));
        delivered_.erase(delivered_.begin(), delivered_.upper_bound(position_));
        return position_;
    }

private:
    void wait(std::int64_t stamp) {
        waitingFrom_ = waitingFrom_ ? std::min(*waitingFrom_, stamp) : stamp;
    }

    // The first stamp that somebody may still have to get.
    std::int64_t firstMissing() const {
        std::int64_t first = waitingFrom().value_or(last_ + 1);
        if (!out_.empty()) first = std::min(first, out_.begin()->first);
        return first;
    }

    std::int64_t position_;
    std::int64_t last_;
    std::int64_t fetched_;
    std::map<std::int64_t, int> out_;   // stamp → clients that have it unacknowledged
    std::set<std::int64_t> delivered_;  // beyond the first that is missing
    std::optional<std::int64_t> waitingFrom_;
    std::optional<std::int64_t> readingFrom_;
};

}  // namespace epode
