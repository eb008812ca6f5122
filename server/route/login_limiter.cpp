#include "route/login_limiter.h"

#include "core/digest.h"
#include "core/random.h"

#include <algorithm>
#include <cstring>

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
    .help = "How many logins to one account may fail at once from one address.",
    .scope = Scope::Server,
};
const Option<std::int64_t> totalBurst{
    .key = "login.account_total_burst",
    .fallback = 100,
    .range = {1, 1000000},
    .help =
        "How many logins to one account may fail at once from all addresses together. Above it, "
        "only "
        "addresses from which somebody has logged in to it before may try, and tokens (FAST).",
    .scope = Scope::Server,
};
const Option<Duration> refill{
    .key = "login.refill",
    .fallback = std::chrono::seconds{30},
    .range = {std::chrono::seconds{1}, std::chrono::hours{24}},
    .help = "After so many failures one more is allowed each time that this has passed.",
    .scope = Scope::Server,
};

constexpr Duration knownFor = std::chrono::hours{24 * 30};
// A few megabytes. Above it, the half that was away longest is strange again.
constexpr std::size_t knownMax = 200000;

}  // namespace

std::vector<OptionRef> loginOptions() {
    return {&addressBurst, &accountBurst, &totalBurst, &refill};
}

LoginLimiter::LoginLimiter(const Settings& settings) : secret_{randomBytes(32)} {
    settingsChanged(settings);
}

void LoginLimiter::settingsChanged(const Settings& settings) {
    const std::lock_guard lock{mutex_};
    addressBurst_ = double(settings.get(addressBurst));
    accountBurst_ = double(settings.get(accountBurst));
    totalBurst_ = double(settings.get(totalBurst));
    refill_ = settings.get(refill);
}

bool LoginLimiter::allows(std::string_view address, std::string_view account,
                          SteadyTime now) const {
    const std::lock_guard lock{mutex_};
    return level(addresses_, address, now) + 1 <= addressBurst_ &&
           level(pairs_, pairOf(address, account), now) + 1 <= accountBurst_ &&
           (level(accounts_, account, now) + 1 <= totalBurst_ || isKnown(address, account, now));
}

bool LoginLimiter::allows(std::string_view address, SteadyTime now) const {
    const std::lock_guard lock{mutex_};
    return level(addresses_, address, now) + 1 <= addressBurst_;
}

void LoginLimiter::failed(std::string_view address, std::string_view account, SteadyTime now) {
    const std::lock_guard lock{mutex_};
    add(addresses_, address, now);
    if (account.empty()) return;
    add(pairs_, pairOf(address, account), now);
    // Who mistypes at home is no attack from everywhere.
    if (!isKnown(address, account, now)) add(accounts_, account, now);
}

void LoginLimiter::succeeded(std::string_view address, std::string_view account, SteadyTime now) {
    const auto key = knownKey(address, account);
    const std::lock_guard lock{mutex_};
    known_[key] = now;
    if (known_.size() <= knownMax) return;
    std::vector<SteadyTime> times;
    times.reserve(known_.size());
    for (const auto& [one, time] : known_) times.push_back(time);
    const auto middle = times.begin() + std::ptrdiff_t(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    std::erase_if(known_, [limit = *middle](const auto& entry) { return entry.second < limit; });
    // All at the same time: then any.
    while (known_.size() > knownMax) known_.erase(known_.begin());
}

std::string LoginLimiter::pairOf(std::string_view address, std::string_view account) {
    std::string pair{account};
    pair.append(1, '\0').append(address);
    return pair;
}

std::uint64_t LoginLimiter::knownKey(std::string_view address, std::string_view account) const {
    const auto hash = hmac(Hash::Sha256, secret_, pairOf(address, account));
    std::uint64_t key = 0;
    std::memcpy(&key, hash.data(), sizeof key);
    return key;
}

bool LoginLimiter::isKnown(std::string_view address, std::string_view account,
                           SteadyTime now) const {
    const auto found = known_.find(knownKey(address, account));
    return found != known_.end() && now - found->second < knownFor;
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
