// Which messages of an account's log nobody has yet: the position up to which its clients have
// everything, and what is out for delivery beyond it. Pure bookkeeping.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>

namespace epode {

class Pending {
public:
    // From the store: everything up to `position` is delivered; `waiting` tells whether there are
    // messages after it.
    Pending(std::int64_t position, bool waiting)
        : position_{position}, last_{position}, waitingFrom_{waiting ? std::optional{position + 1} : std::nullopt} {}

    // A message was stored and given to `clients` clients that will acknowledge it; 0: it waits.
    void stored(std::int64_t stamp, int clients) {
        last_ = std::max(last_, stamp);
        if (clients > 0) out_[stamp] += clients;
        else wait(stamp);
    }
    // A message was stored that needs no delivery any more (its client acknowledges nothing).
    void done(std::int64_t stamp) { last_ = std::max(last_, stamp); }
    // One client has it: enough.
    void acknowledged(std::int64_t stamp) { out_.erase(stamp); }
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
        out_.erase(out_.begin(), out_.upper_bound(stamp));
        if (waitingFrom_ && *waitingFrom_ <= stamp) waitingFrom_ = stamp < last_ ? std::optional{stamp + 1} : std::nullopt;
    }
    // What waited was read from the log up to `stamp` and given out.
    void givenOut(std::int64_t stamp, bool more) {
        last_ = std::max(last_, stamp);
        waitingFrom_ = more ? std::optional{stamp + 1} : std::nullopt;
    }
    bool isOut(std::int64_t stamp) const { return out_.contains(stamp); }

    // The first stamp that may wait for a client, or nothing.
    std::optional<std::int64_t> waitingFrom() const { return waitingFrom_; }
    bool isAnythingOut() const { return !out_.empty(); }

    // The position to store: it never goes back.
    std::int64_t position() {
        std::int64_t until = last_;
        if (!out_.empty()) until = std::min(until, out_.begin()->first - 1);
        if (waitingFrom_) until = std::min(until, *waitingFrom_ - 1);
        position_ = std::max(position_, until);
        return position_;
    }

private:
    void wait(std::int64_t stamp) {
        waitingFrom_ = waitingFrom_ ? std::min(*waitingFrom_, stamp) : stamp;
    }

    std::int64_t position_;
    std::int64_t last_;
    std::map<std::int64_t, int> out_;  // stamp → clients that have it unacknowledged
    std::optional<std::int64_t> waitingFrom_;
};

}  // namespace epode
