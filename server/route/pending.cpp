#include "route/pending.h"

#include <iterator>

namespace epode {

Pending::Pending(const Stored& stored)
    : position_{stored.position}, last_{std::max(stored.position, stored.last)} {
    if (stored.count > 0)
        stored_ = Span{stored.first, stored.last, stored.count, stored.isAllArchived};
}

void Pending::gave(std::int64_t stamp, int clients, bool isArchived) {
    last_ = std::max(last_, stamp);
    Out& out = out_[stamp];
    out.clients += clients;
    out.isArchived = isArchived;
}

bool Pending::gaveToo(std::int64_t stamp) {
    const auto found = out_.find(stamp);
    if (found == out_.end()) return false;
    ++found->second.clients;
    return true;
}

void Pending::keep(std::int64_t stamp, bool isArchived) {
    last_ = std::max(last_, stamp);
    waiting_[stamp] = {isArchived, readings_};
}

void Pending::forget(std::int64_t stamp) {
    out_.erase(stamp);
    waiting_.erase(stamp);
}

void Pending::acknowledged(std::int64_t stamp) {
    out_.erase(stamp);
    noteDelivered(stamp);
}

bool Pending::returned(std::int64_t stamp) {
    const auto found = out_.find(stamp);
    if (found == out_.end()) return false;  // another client has acknowledged it
    if (--found->second.clients > 0) return false;
    waiting_[stamp] = {found->second.isArchived, readings_};
    out_.erase(found);
    return true;
}

void Pending::fetched(std::int64_t first, std::int64_t last) {
    for (auto at = waiting_.lower_bound(first); at != waiting_.end() && at->first <= last;)
        at = at->second.isArchived ? waiting_.erase(at) : std::next(at);
    for (auto at = out_.lower_bound(first); at != out_.end() && at->first <= last;)
        at = at->second.isArchived ? out_.erase(at) : std::next(at);
    if (!stored_ || !stored_->isAllArchived) return;
    // Only an end of the span can be cut off; what is read in its midst may come once more.
    if (first <= stored_->first)
        stored_->first = std::max(stored_->first, last + 1);
    else if (last >= stored_->last)
        stored_->last = std::min(stored_->last, first - 1);
    if (stored_->first > stored_->last) stored_.reset();
}

// What a restored session had must not be found in the log as one that waits. Bounded: what is
// forgotten here comes once more after a restart.
void Pending::noteDelivered(std::int64_t stamp) {
    if (stored_ && stored_->first == stamp && ++stored_->first > stored_->last) stored_.reset();
    constexpr std::size_t beyondMax = 10000;
    const auto first = firstUndelivered();
    if (first && stamp > *first && beyond_.size() < beyondMax) beyond_.insert(stamp);
}

bool Pending::isWaiting(std::int64_t stamp) const {
    if (waiting_.contains(stamp)) return true;
    if (beyond_.contains(stamp)) return false;
    return stored_ && stamp >= stored_->first && stamp <= stored_->last && !out_.contains(stamp);
}

void Pending::take(std::int64_t stamp) {
    if (waiting_.erase(stamp) == 0 && stored_ && stored_->count > 1) --stored_->count;
    last_ = std::max(last_, stamp);
}

void Pending::passed(std::int64_t first, std::int64_t last) {
    // Normally they have been taken; what the log does not have must not wait for ever.
    for (auto at = waiting_.lower_bound(first); at != waiting_.end() && at->first <= last;)
        at = at->second.reading < readings_ ? waiting_.erase(at) : std::next(at);
    if (!stored_ || first > stored_->first) return;
    stored_->first = std::max(stored_->first, last + 1);
    if (stored_->first > stored_->last) stored_.reset();
}

std::optional<std::int64_t> Pending::firstWaiting() const {
    std::optional<std::int64_t> first;
    if (stored_) first = stored_->first;
    if (!waiting_.empty())
        first = std::min(first.value_or(waiting_.begin()->first), waiting_.begin()->first);
    return first;
}

std::optional<std::int64_t> Pending::firstUndelivered() const {
    auto first = firstWaiting();
    if (!out_.empty()) first = std::min(first.value_or(out_.begin()->first), out_.begin()->first);
    return first;
}

std::int64_t Pending::position() {
    const auto first = firstUndelivered();
    position_ = std::max(position_, first ? std::min(last_, *first - 1) : last_);
    beyond_.erase(beyond_.begin(), beyond_.upper_bound(position_));
    return position_;
}

}  // namespace epode
