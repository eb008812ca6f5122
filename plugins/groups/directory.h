// Who is in which group of a host, as all shards see it: immutable, replaced as a whole.
#pragma once

#include "group_store.h"

#include "route/shared_contacts.h"

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

namespace epode {

class Directory {
public:
    // What has not changed since `before` (may be null) is shared with it.
    Directory(const std::vector<Group>& groups, const Directory* before);

    // Null for who is in no group.
    std::shared_ptr<const SharedContacts> contactsOf(const Jid& bare) const;
    bool hasEverybody() const { return hasEverybody_; }

private:
    // Accounts that are in the same groups have the same contacts: one object for all of them.
    std::unordered_map<Jid, std::shared_ptr<const SharedContacts>> byMember_;
    std::map<std::string, std::shared_ptr<const SharedContacts>, std::less<>> byVersion_;
    bool hasEverybody_ = false;
};

// What clients have to hear of when one replaces the other; each may be null.
struct SharedDifference {
    std::vector<Jid> added, removed, changed;
};
SharedDifference differenceOf(const SharedContacts* before, const SharedContacts* now);

}  // namespace epode
