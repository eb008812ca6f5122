#include "route/roster.h"

#include <algorithm>

namespace epode {

const Contact* Roster::find(const Jid& bare) const {
    const auto found = contacts_.find(bare);
    return found == contacts_.end() ? nullptr : &found->second;
}

Contact& Roster::entry(const Jid& bare) {
    const auto [place, isNew] = contacts_.try_emplace(bare);
    if (isNew) place->second.jid = bare;
    return place->second;
}

void Roster::remove(const Jid& bare) { contacts_.erase(bare); }

std::size_t Roster::listedCount() const {
    return std::size_t(std::count_if(contacts_.begin(), contacts_.end(),
                                     [](const auto& entry) { return entry.second.listed; }));
}

}  // namespace epode
