// Which messages of an account's log no client has yet. Pure bookkeeping: the log itself is in the
// store, and what waits there from before the account was loaded is known as a span alone.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>

namespace epode {

class Pending {
public:
    // What the store knows of an account when it is loaded. Everything up to `position` is
    // delivered; `count` messages wait between `first` and `last`, of which some are perhaps not in
    // the archive.
    struct Stored {
        std::int64_t position = 0;
        std::int64_t first = 0;
        std::int64_t last = 0;
        std::int64_t count = 0;
        bool isAllArchived = true;
    };
    explicit Pending(const Stored& stored);

    // A message was given to `clients` clients that will acknowledge it, in addition to those that
    // have it already.
    void gave(std::int64_t stamp, int clients, bool isArchived);
    // The same for one client more. False when none of those to whom it was given can acknowledge it,
    // or one has done so: then this client is not asked either.
    bool gaveToo(std::int64_t stamp);
    // A message is in the log for a client to come.
    void keep(std::int64_t stamp, bool isArchived);
    // A message has got its place in the log and needs no delivery any more.
    void skip(std::int64_t stamp) { last_ = std::max(last_, stamp); }
    // A message could not be stored.
    void forget(std::int64_t stamp);

    // One client has it: enough.
    void acknowledged(std::int64_t stamp);
    // Stamps behind the first message that is not delivered: for a restart, which knows a position.
    const std::set<std::int64_t>& deliveredBeyond() const { return beyond_; }
    void noteDelivered(std::int64_t stamp);
    // A client ended without it. True when no other client has it either: it waits again.
    bool returned(std::int64_t stamp);
    // A client has read its archive from the first to the last of these stamps.
    void fetched(std::int64_t first, std::int64_t last);

    // What waits is read from the log in its order: `beginReading` before anything is asked of the
    // store, `take` for each message that is given out, and `passed` when all has been read between
    // two stamps (both included). Only what waited at the begin is known to have been there to be
    // read.
    void beginReading() { ++readings_; }
    // Of a message that has come since the account is in memory.
    bool hasComeToWait(std::int64_t stamp) const { return waiting_.contains(stamp); }
    bool isWaiting(std::int64_t stamp) const;
    void take(std::int64_t stamp);
    void passed(std::int64_t first, std::int64_t last);

    // Where to begin reading: the stamp of the first message that may wait for a client, or
    // nothing.
    std::optional<std::int64_t> firstWaiting() const;
    std::size_t waiting() const {
        return waiting_.size() + std::size_t(stored_ ? stored_->count : 0);
    }

    // Everything up to here is delivered. It never goes back.
    std::int64_t position();

private:
    // The first that no client is known to have, waiting or given out.
    std::optional<std::int64_t> firstUndelivered() const;

    struct Out {
        int clients = 0;
        bool isArchived = true;
    };
    struct Waiting {
        bool isArchived;
        std::uint32_t reading;  // the last that had begun when it came to wait
    };
    // What waits from before the account was loaded: the messages between, but for those in `out_`.
    struct Span {
        std::int64_t first;
        std::int64_t last;
        std::int64_t count;
        bool isAllArchived;
    };

    std::int64_t position_;
    std::int64_t last_;
    std::optional<Span> stored_;
    // By stamp.
    std::map<std::int64_t, Waiting> waiting_;
    std::map<std::int64_t, Out> out_;
    std::set<std::int64_t> beyond_;
    std::uint32_t readings_ = 0;
};

}  // namespace epode
