#include "block_list.h"

#include <algorithm>

namespace epode {

bool BlockList::contains(std::string_view entry) const {
    return std::binary_search(entries_.begin(), entries_.end(), entry, std::less<>{});
}

bool BlockList::add(std::string entry) {
    const auto place = std::lower_bound(entries_.begin(), entries_.end(), entry);
    if (place != entries_.end() && *place == entry) return false;
    entries_.insert(place, std::move(entry));
    return true;
}

bool BlockList::remove(std::string_view entry) {
    const auto place = std::lower_bound(entries_.begin(), entries_.end(), entry, std::less<>{});
    if (place == entries_.end() || *place != entry) return false;
    entries_.erase(place);
    return true;
}

bool BlockList::blocks(const Jid& jid) const {
    if (entries_.empty() || jid.empty()) return false;
    if (contains(jid.text()) || contains(jid.domain())) return true;
    if (jid.isBare()) return false;
    if (contains(jid.bareText())) return true;
    if (!jid.hasLocal()) return false;
    std::string resourceOfDomain{jid.domain()};
    resourceOfDomain.append("/").append(jid.resource());
    return contains(resourceOfDomain);
}

}  // namespace epode
