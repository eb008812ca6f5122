#include "directory.h"

#include "core/digest.h"

#include <algorithm>

namespace epode {

namespace {

constexpr std::size_t versionBytes = 8;

std::string versionOf(std::string_view content) {
    return encodeHex(digest(Hash::Sha256, content).substr(0, versionBytes));
}

std::string versionOf(const Group& group) {
    std::string content = group.title;
    for (const Jid& member : group.members) content.append(1, '\0').append(member.text());
    return versionOf(content);
}

void addMembers(SharedContacts& contacts, const Group& group) {
    for (const Jid& member : group.members) {
        Contact& contact = contacts.contacts[member];
        if (contact.jid.empty()) {
            contact.jid = member;
            contact.name = unescapeLocal(member.local());
            contact.state.subscription = Subscription::Both;
            contact.listed = true;
        }
        auto& titles = contact.groups;
        if (std::find(titles.begin(), titles.end(), group.title) == titles.end())
            titles.push_back(group.title);
    }
}

bool looksEqual(const Contact& a, const Contact& b) {
    return a.name == b.name && a.groups == b.groups;
}

}  // namespace

Directory::Directory(const std::vector<Group>& groups, const Directory* before) {
    std::vector<std::string> versions;
    std::unordered_map<Jid, std::vector<std::size_t>> memberships;
    for (std::size_t i = 0; i < groups.size(); ++i) {
        versions.push_back(versionOf(groups[i]));
        hasEverybody_ = hasEverybody_ || groups[i].isEverybody;
        for (const Jid& member : groups[i].members) memberships[member].push_back(i);
    }
    std::map<std::vector<std::size_t>, std::shared_ptr<const SharedContacts>> known;
    for (const auto& [member, indices] : memberships) {
        auto& shared = known[indices];
        if (!shared) {
            std::string content;
            for (const std::size_t i : indices) content.append(versions[i]);
            const std::string version = versionOf(content);
            if (before) {
                const auto same = before->byVersion_.find(version);
                if (same != before->byVersion_.end()) shared = same->second;
            }
            if (!shared) {
                auto made = std::make_shared<SharedContacts>();
                made->version = version;
                for (const std::size_t i : indices) addMembers(*made, groups[i]);
                shared = std::move(made);
            }
            byVersion_.emplace(version, shared);
        }
        byMember_.emplace(member, shared);
    }
}

std::shared_ptr<const SharedContacts> Directory::contactsOf(const Jid& bare) const {
    const auto found = byMember_.find(bare);
    return found == byMember_.end() ? nullptr : found->second;
}

SharedDifference differenceOf(const SharedContacts* before, const SharedContacts* now) {
    static const SharedContacts nobody;
    const auto& old = (before ? before : &nobody)->contacts;
    const auto& fresh = (now ? now : &nobody)->contacts;
    SharedDifference difference;
    for (const auto& [jid, contact] : old)
        if (!fresh.contains(jid)) difference.removed.push_back(jid);
    for (const auto& [jid, contact] : fresh) {
        const auto known = old.find(jid);
        if (known == old.end())
            difference.added.push_back(jid);
        else if (!looksEqual(known->second, contact))
            difference.changed.push_back(jid);
    }
    return difference;
}

}  // namespace epode
