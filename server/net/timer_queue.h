// The timers of one executor: a heap by time, with a slot for each timer so that cancelling is
// cheap. Many thousands are normal; a set timer costs about a hundred bytes.
#pragma once

#include "core/time.h"
#include "core/unique_function.h"

#include <cstdint>
#include <vector>

namespace epode {

class TimerQueue {
public:
    // The id is never 0 and not used again for a long time.
    std::uint64_t add(SteadyTime when, UniqueFunction<void()> work);
    // Does nothing when the timer has fired or was cancelled.
    void cancel(std::uint64_t id);
    bool isSet(std::uint64_t id) const;

    bool empty() const { return heap_.empty(); }
    std::size_t size() const { return heap_.size(); }
    SteadyTime next() const { return heap_.front().when; }  // not when empty

    // Runs what is due at `now`, by time and then by age. A timer that is set meanwhile waits for
    // the next call, so that one which sets itself again cannot hold up the loop.
    void runDue(SteadyTime now);

    // Destroys all without running any.
    void clear() {
        while (!heap_.empty()) take(0);
    }

private:
    struct Entry {
        SteadyTime when;
        std::uint64_t sequence;
        std::uint32_t slot;
        bool operator<(const Entry& other) const {
            return when != other.when ? when < other.when : sequence < other.sequence;
        }
    };
    struct Slot {
        UniqueFunction<void()> work;
        std::uint32_t generation = 1;
        std::uint32_t position = 0;  // in the heap, or the next free slot
        bool isSet = false;
    };

    UniqueFunction<void()> take(std::uint32_t position);
    void put(std::uint32_t position, const Entry& entry);
    void siftUp(std::uint32_t position, const Entry& entry);
    void siftDown(std::uint32_t position, const Entry& entry);

    std::vector<Entry> heap_;
    std::vector<Slot> slots_;
    std::uint32_t freeSlot_ = noSlot;
    std::uint64_t sequence_ = 0;
    static constexpr std::uint32_t noSlot = 0xffffffff;
};

}  // namespace epode
