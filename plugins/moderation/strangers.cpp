#include "strangers.h"

#include "route/server.h"
#include "route/session.h"

namespace epode::moderation {

namespace {

constexpr Duration hour = std::chrono::hours{1};
constexpr std::size_t namesMax = 50'000;

}  // namespace

bool HourlyCount::take(const std::string& name, std::int64_t most, SteadyTime now) {
    if (most == 0) return true;
    const std::lock_guard lock{mutex_};
    if (counts_.size() >= namesMax) {
        std::erase_if(counts_,
                      [now](const auto& entry) { return now - entry.second.since > hour; });
        // So many at once are a flood of made-up names; those who are counted begin anew.
        if (counts_.size() >= namesMax) counts_.clear();
    }
    const auto [entry, isNew] = counts_.try_emplace(name);
    Count& count = entry->second;
    if (isNew || now - count.since > hour) count = {0, now};
    return ++count.taken <= most;
}

bool HourlyCount::isUsedUp(const std::string& name, std::int64_t most, SteadyTime now) {
    if (most == 0) return false;
    const std::lock_guard lock{mutex_};
    const auto found = counts_.find(name);
    return found != counts_.end() && now - found->second.since <= hour &&
           found->second.taken >= most;
}

bool isStranger(Account& account, const Jid& jid) {
    const Jid bare = jid.bare();
    if (const Contact* contact = account.roster().find(bare)) {
        const ContactState& state = contact->state;
        if (contact->listed || state.seesContact() || state.isSeenByContact() || state.pendingOut)
            return false;
    }
    auto& slots = account.slots();
    if (const auto* known = slots.find<Known>(); known && known->peers.contains(bare.text()))
        return false;
    for (const auto& session : account.sessions())
        if (session->hasDirectedTo(bare)) return false;
    return true;
}

bool isOfThisServer(Server& server, Account& account, const Jid& jid) {
    if (server.isLocal(jid.domain()) || account.shard().served(jid.domain())) return true;
    for (const Elsewhere* elsewhere : server.elsewhere())
        if (elsewhere->owns(jid.domain())) return true;
    return false;
}

}  // namespace epode::moderation
