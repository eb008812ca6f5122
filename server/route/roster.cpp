#include "route/roster.h"

#include "route/shared_contacts.h"

#include <algorithm>

namespace epode {

struct Roster::Sharing {
    Jid self;
    std::shared_ptr<const SharedContacts> contacts;
    std::map<Jid, Contact> merged;  // those that are the account's own as well
};

Roster::Roster() = default;
Roster::Roster(Roster&&) noexcept = default;
Roster& Roster::operator=(Roster&&) noexcept = default;
Roster::~Roster() = default;

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

const Contact* Roster::own(const Jid& bare) const {
    const auto found = contacts_.find(bare);
    return found == contacts_.end() ? nullptr : &found->second;
}

const Contact* Roster::find(const Jid& bare) const {
    const Contact* contact = own(bare);
    if (!sharing_) return contact;
    return contact ? shown(*contact) : findShared(bare);
}

void Roster::put(Contact contact) {
    const Jid jid = contact.jid;
    contacts_.insert_or_assign(jid, std::move(contact));
    merge(jid);
}

Contact& Roster::entry(const Jid& bare) {
    const auto [place, isNew] = contacts_.try_emplace(bare);
    if (isNew) place->second.jid = bare;
    return place->second;
}

void Roster::remove(const Jid& bare) {
    contacts_.erase(bare);
    merge(bare);
}

std::size_t Roster::listedCount() const {
    return std::size_t(std::count_if(contacts_.begin(), contacts_.end(),
                                     [](const auto& entry) { return entry.second.listed; }));
}

// ---- what is shared

const std::shared_ptr<const SharedContacts>& Roster::shared() const {
    static const std::shared_ptr<const SharedContacts> nothing;
    return sharing_ ? sharing_->contacts : nothing;
}

void Roster::share(const Jid& self, std::shared_ptr<const SharedContacts> contacts) {
    sharing_.reset();
    if (!contacts) return;
    sharing_ = std::make_unique<Sharing>();
    sharing_->self = self;
    sharing_->contacts = std::move(contacts);
    for (const auto& [jid, contact] : contacts_) merge(jid);
}

const Contact* Roster::findShared(const Jid& bare) const {
    const auto& contacts = sharing_->contacts->contacts;
    const auto found = contacts.find(bare);
    return found == contacts.end() || bare == sharing_->self ? nullptr : &found->second;
}

const Contact* Roster::shown(const Contact& own) const {
    const auto found = sharing_->merged.find(own.jid);
    return found == sharing_->merged.end() ? &own : &found->second;
}

// The account's own name for somebody wins, his groups are those of both.
void Roster::merge(const Jid& bare) {
    if (!sharing_) return;
    sharing_->merged.erase(bare);
    const Contact* mine = own(bare);
    const Contact* shared = mine ? findShared(bare) : nullptr;
    if (!shared) return;
    Contact both = *shared;
    if (!mine->name.empty()) both.name = mine->name;
    for (const auto& group : mine->groups)
        if (std::find(both.groups.begin(), both.groups.end(), group) == both.groups.end())
            both.groups.push_back(group);
    sharing_->merged.emplace(bare, std::move(both));
}

// Two lists in the order of their addresses, as one.
void Roster::eachShared(const std::function<void(const Contact&)>& visit) const {
    const auto& shared = sharing_->contacts->contacts;
    auto other = shared.begin();
    const auto visitOthers = [&](const Jid* before) {
        for (; other != shared.end() && (!before || other->first < *before); ++other)
            if (other->first != sharing_->self) visit(other->second);
    };
    for (const auto& [jid, contact] : contacts_) {
        visitOthers(&jid);
        visit(*shown(contact));
        if (other != shared.end() && other->first == jid) ++other;
    }
    visitOthers(nullptr);
}

}  // namespace epode
