#include "route/stream_management.h"

namespace epode {

void StreamManagement::push(Unacknowledged entry) {
    queueCost_ += entry.stanza->cost() + entry.insertion.size();
    queue_.push_back(std::move(entry));
}

void StreamManagement::connectionLost() {
    requestPending = false;
    pendingRequests.clear();
    requestTimer = {};
    lateTimer = {};
    answerTimer = {};
}

}  // namespace epode
