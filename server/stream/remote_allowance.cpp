#include "stream/remote_allowance.h"

#include <algorithm>
#include <utility>

namespace epode {

namespace {

// One that hasn't been used for so long is as good as new.
constexpr auto rememberedFor = std::chrono::minutes{5};

}  // namespace

RemoteAllowance::RemoteAllowance(const RemoteRate& rate, SteadyTime now)
    : bytes_{rate.bytesBurst, now}, stanzas_{rate.stanzasBurst, now}, lastUsed_{now} {}

Duration RemoteAllowance::take(std::size_t bytes, std::size_t stanzas, const RemoteRate& rate,
                               SteadyTime now) {
    const std::lock_guard lock{mutex_};
    // Shards see slightly different times.
    lastUsed_ = std::max(lastUsed_, now);
    return std::max(bytes_.take(bytes, rate.bytesPerSecond, rate.bytesBurst, lastUsed_),
                    stanzas_.take(stanzas, rate.stanzasPerSecond, rate.stanzasBurst, lastUsed_));
}

RemoteAllowance::Place& RemoteAllowance::Place::operator=(Place&& other) noexcept {
    std::swap(allowance_, other.allowance_);
    return *this;
}

RemoteAllowance::Place::~Place() {
    if (!allowance_) return;
    const std::lock_guard lock{allowance_->mutex_};
    --allowance_->connections_;
}

std::optional<RemoteAllowance::Place> RemoteAllowances::take(const std::string& domain,
                                                             std::size_t most,
                                                             const RemoteRate& rate,
                                                             SteadyTime now) {
    const std::lock_guard lock{mutex_};
    if (domains_.size() >= sweepAt_) {
        std::erase_if(domains_, [now](const auto& entry) {
            const std::lock_guard one{entry.second->mutex_};
            return entry.second->connections_ == 0 && now - entry.second->lastUsed_ > rememberedFor;
        });
        sweepAt_ = std::max<std::size_t>(1000, 2 * domains_.size());
    }
    auto& allowance = domains_[domain];
    if (!allowance) allowance = std::make_shared<RemoteAllowance>(rate, now);
    const std::lock_guard one{allowance->mutex_};
    if (allowance->connections_ >= most) return std::nullopt;
    ++allowance->connections_;
    return RemoteAllowance::Place{allowance};
}

}  // namespace epode
