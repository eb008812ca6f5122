#include "block_request.h"

#include <algorithm>

namespace epode {

std::variant<std::vector<Jid>, StanzaError> readBlockItems(const Element& request, const Jid& own) {
    std::vector<Jid> jids;
    for (const Element& item : request.children()) {
        if (item.ns() != blockingNs) continue;  // what goes along (XEP-0377)
        if (item.name() != "item")
            return StanzaError{Condition::BadRequest, "There are items here, and nothing else."};
        const auto text = item.find("jid");
        if (!text) return StanzaError{Condition::BadRequest, "An item names an address."};
        auto jid = Jid::parse(*text);
        if (!jid)
            return StanzaError{Condition::JidMalformed, "The 'jid' of an item is no address."};
        if (jid->bareText() == own.text())
            return StanzaError{Condition::NotAllowed, "Nobody blocks himself."};
        if (std::find(jids.begin(), jids.end(), *jid) == jids.end())
            jids.push_back(std::move(*jid));
    }
    return jids;
}

}  // namespace epode
