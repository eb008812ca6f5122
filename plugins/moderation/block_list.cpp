#include "block_list.h"

#include "core/base64.h"
#include "core/digest.h"

namespace epode::moderation {

std::string hashOf(std::string_view bareOrDomain) {
    return encodeHex(digest(Hash::Sha256, bareOrDomain));
}

BlockList::BlockList(std::vector<Blocked> entries,
                     std::vector<std::shared_ptr<const Hashes>> published)
    : published_{std::move(published)} {
    for (auto& blocked : entries) entries_.emplace(blocked.target, std::move(blocked));
    std::erase_if(published_, [](const auto& hashes) { return !hashes || hashes->empty(); });
}

const Blocked* BlockList::entry(std::string_view target, WallTime now) const {
    const auto found = entries_.find(std::string{target});
    if (found == entries_.end()) return nullptr;
    const Blocked& blocked = found->second;
    return blocked.until && *blocked.until <= now ? nullptr : &blocked;
}

const Blocked* BlockList::find(const Jid& jid, WallTime now) const {
    if (entries_.empty() || jid.empty()) return nullptr;
    if (jid.hasLocal())
        if (const Blocked* blocked = entry(jid.bareText(), now)) return blocked;
    for (std::string_view domain = jid.domain(); !domain.empty();) {
        if (const Blocked* blocked = entry(domain, now)) return blocked;
        const auto dot = domain.find('.');
        if (dot == std::string_view::npos) break;
        domain.remove_prefix(dot + 1);
    }
    return nullptr;
}

bool BlockList::isPublished(const Jid& jid) const {
    if (published_.empty() || jid.empty()) return false;
    const std::string own = hashOf(jid.bareText());
    const std::string domain = hashOf(jid.domain());
    for (const auto& hashes : published_)
        if (hashes->contains(own) || hashes->contains(domain)) return true;
    return false;
}

}  // namespace epode::moderation
