#include "route/stream_management.h"

namespace epode {

void StreamManagement::push(Unacknowledged entry) {
    queueCost_ += entry.stanza->cost() + entry.insertion.size();
    queue_.push_back(std::move(entry));
}

bool StreamManagement::countCopy(std::int64_t stamp) {
    for (auto& entry : queue_) {
        if (entry.stamp != -stamp) continue;
        entry.stamp = stamp;
        return true;
    }
    return false;
}

void StreamManagement::connectionLost() {
    requestPending = false;
    pendingRequests.clear();
    requestTimer = {};
    lateTimer = {};
    answerTimer = {};
}

}  // namespace epode
