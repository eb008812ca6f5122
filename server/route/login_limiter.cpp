#include "route/login_limiter.h"

#include <algorithm>

namespace epode {

namespace {
// Above this, buckets that have run empty are swept out.
constexpr std::size_t bucketsMax = 10000;
}  // namespace

void LoginLimiter::setLimits(const Limits& limits) {
    std::lock_guard lock{mutex_};
    limits_ = limits;
}

bool LoginLimiter::allows(std::string_view address, std::string_view account, SteadyTime now) {
    std::lock_guard lock{mutex_};
    return level(addresses_, address, now) < limits_.addressBurst &&
           (account.empty() || level(accounts_, account, now) < limits_.accountBurst);
}

void LoginLimiter::failed(std::string_view address, std::string_view account, SteadyTime now) {
    std::lock_guard lock{mutex_};
    add(addresses_, address, now);
    if (!account.empty()) add(accounts_, account, now);
}

double LoginLimiter::level(const Buckets& buckets, std::string_view key, SteadyTime now) const {
    const auto found = buckets.find(key);
    if (found == buckets.end()) return 0;
    const double refilled = double((now - found->second.at).count()) / double(limits_.refill.count());
    return std::max(0.0, found->second.failures - refilled);
}

void LoginLimiter::add(Buckets& buckets, std::string_view key, SteadyTime now) {
    if (buckets.size() > bucketsMax)
        std::erase_if(buckets, [&](const auto& entry) { return level(buckets, entry.first, now) <= 0; });
    const double before = level(buckets, key, now);
    buckets.insert_or_assign(std::string{key}, Bucket{before + 1, now});
}

}  // namespace epode
