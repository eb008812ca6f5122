#include "core/quota.h"

#include <algorithm>

namespace epode {

namespace {
constexpr std::size_t sweepFrom = 4096;
}

Quota::Quota(std::int64_t most, Duration period)
    : most_{double(most)},
      perNanosecond_{double(most) / double(std::max<Duration::rep>(period.count(), 1))},
      sweepAt_{sweepFrom} {}

bool Quota::take(std::string_view who, SteadyTime now) {
    if (most_ <= 0) return true;
    const std::lock_guard lock{mutex_};
    if (used_.size() >= sweepAt_) sweep(now);
    Used& used = used_[std::string{who}];
    const double times = left(used, now);
    if (times + 1 > most_) return false;
    used = {times + 1, now};
    return true;
}

double Quota::left(const Used& used, SteadyTime now) const {
    return std::max(0.0, used.times - double((now - used.at).count()) * perNanosecond_);
}

// Those who have all back are forgotten. The next time is when the rest has doubled, so that a
// crowd does not make every call a sweep.
void Quota::sweep(SteadyTime now) {
    std::erase_if(used_, [&](const auto& entry) { return left(entry.second, now) <= 0; });
    sweepAt_ = std::max(sweepFrom, used_.size() * 2);
}

}  // namespace epode
