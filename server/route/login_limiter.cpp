#include "route/login_limiter.h"

#include <algorithm>

namespace epode {

namespace {

const Option<std::int64_t> addressBurst{
    .key = "login.address_burst",
    .fallback = 20,
    .range = {1, 1000000},
    .help = "How many logins from one address (with IPv6: from one /64 network) may fail at once.",
    .scope = Scope::Server,
};
const Option<std::int64_t> accountBurst{
    .key = "login.account_burst",
    .fallback = 10,
    .range = {1, 1000000},
    .help = "How many logins to one account may fail at once.",
    .scope = Scope::Server,
};
const Option<Duration> refill{
    .key = "login.refill",
    .fallback = std::chrono::seconds{30},
    .range = {std::chrono::seconds{1}, std::chrono::hours{24}},
    .help = "After so many failures one more is allowed each time that this has passed.",
    .scope = Scope::Server,
};

}  // namespace

std::vector<OptionRef> loginOptions() { return {&addressBurst, &accountBurst, &refill}; }

LoginLimiter::LoginLimiter(const Settings& settings) { settingsChanged(settings); }

void LoginLimiter::settingsChanged(const Settings& settings) {
    const std::lock_guard lock{mutex_};
    addressBurst_ = double(settings.get(addressBurst));
    accountBurst_ = double(settings.get(accountBurst));
    refill_ = settings.get(refill);
}

bool LoginLimiter::allows(std::string_view address, std::string_view account,
                          SteadyTime now) const {
    const std::lock_guard lock{mutex_};
    return level(addresses_, address, now) + 1 <= addressBurst_ &&
           level(accounts_, account, now) + 1 <= accountBurst_;
}

void LoginLimiter::failed(std::string_view address, std::string_view account, SteadyTime now) {
    const std::lock_guard lock{mutex_};
    add(addresses_, address, now);
    if (!account.empty()) add(accounts_, account, now);
}

double LoginLimiter::level(const Buckets& buckets, std::string_view key, SteadyTime now) const {
    const auto found = buckets.levels.find(key);
    if (found == buckets.levels.end()) return 0;
    const double refilled = double((now - found->second.at).count()) / double(refill_.count());
    return std::max(0.0, found->second.failures - refilled);
}

void LoginLimiter::add(Buckets& buckets, std::string_view key, SteadyTime now) {
    auto& levels = buckets.levels;
    if (levels.size() >= buckets.sweepAt) {
        std::erase_if(levels,
                      [&](const auto& entry) { return level(buckets, entry.first, now) <= 0; });
        // So that sweeping costs little for each failure, also when nothing can be thrown away.
        buckets.sweepAt = std::max<std::size_t>(10000, levels.size() * 2);
    }
    const double before = level(buckets, key, now);
    levels.insert_or_assign(std::string{key}, Bucket{before + 1, now});
}

}  // namespace epode
