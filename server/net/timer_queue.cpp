#include "net/timer_queue.h"

namespace epode {

std::uint64_t TimerQueue::add(SteadyTime when, UniqueFunction<void()> work) {
    auto index = freeSlot_;
    if (index == noSlot) {
        index = static_cast<std::uint32_t>(slots_.size());
        slots_.emplace_back();
    } else {
        freeSlot_ = slots_[index].position;
    }
    auto& slot = slots_[index];
    slot.work = std::move(work);
    slot.isSet = true;
    heap_.emplace_back();
    siftUp(static_cast<std::uint32_t>(heap_.size() - 1), {when, sequence_++, index});
    return std::uint64_t{slot.generation} << 32 | index;
}

bool TimerQueue::isSet(std::uint64_t id) const {
    const auto index = static_cast<std::uint32_t>(id);
    return index < slots_.size() && slots_[index].isSet && slots_[index].generation == id >> 32;
}

void TimerQueue::cancel(std::uint64_t id) {
    // The work is destroyed last, when the queue is in order again: its end may cancel other
    // timers.
    if (isSet(id)) take(slots_[static_cast<std::uint32_t>(id)].position);
}

void TimerQueue::runDue(SteadyTime now) {
    const auto newcomers = sequence_;
    while (!heap_.empty() && heap_.front().when <= now && heap_.front().sequence < newcomers) {
        take(0)();
    }
}

UniqueFunction<void()> TimerQueue::take(std::uint32_t position) {
    const auto index = heap_[position].slot;
    const auto last = heap_.back();
    heap_.pop_back();
    if (position < heap_.size()) {
        if (position > 0 && last < heap_[(position - 1) / 2]) {
            siftUp(position, last);
        } else {
            siftDown(position, last);
        }
    }
    auto& slot = slots_[index];
    auto work = std::move(slot.work);
    slot.isSet = false;
    if (++slot.generation == 0) slot.generation = 1;
    slot.position = freeSlot_;
    freeSlot_ = index;
    return work;
}

void TimerQueue::put(std::uint32_t position, const Entry& entry) {
    heap_[position] = entry;
    slots_[entry.slot].position = position;
}

void TimerQueue::siftUp(std::uint32_t position, const Entry& entry) {
    while (position > 0) {
        const auto parent = (position - 1) / 2;
        if (!(entry < heap_[parent])) break;
        put(position, heap_[parent]);
        position = parent;
    }
    put(position, entry);
}

void TimerQueue::siftDown(std::uint32_t position, const Entry& entry) {
    const auto size = static_cast<std::uint32_t>(heap_.size());
    for (auto child = 2 * position + 1; child < size; child = 2 * position + 1) {
        if (child + 1 < size && heap_[child + 1] < heap_[child]) ++child;
        if (!(heap_[child] < entry)) break;
        put(position, heap_[child]);
        position = child;
    }
    put(position, entry);
}

}  // namespace epode
