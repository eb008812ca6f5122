#include "route/roster.h"

#include <algorithm>

namespace epode {

Roster::Roster(const StoredRoster& stored) : version_{stored.version} {
    for (const RosterItem& item : stored.items) {
        const auto jid = Jid::parse(item.jid);
        if (!jid) continue;
        Contact& contact = entry(*jid);
        contact.name = item.name;
        contact.groups = item.groups;
        contact.listed = true;
        contact.state.subscription = item.subscription;
        contact.state.pendingOut = item.isAsking;
        contact.state.approved = item.isApproved;
    }
    for (const auto& asking : stored.asking)
        if (const auto jid = Jid::parse(asking)) entry(*jid).state.pendingIn = true;
}

RosterItem toItem(const Contact& contact) {
    return {.jid = contact.jid.text(),
            .name = contact.name,
            .groups = contact.groups,
            .subscription = contact.state.subscription,
            .isAsking = contact.state.pendingOut,
            .isApproved = contact.state.approved};
}

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
