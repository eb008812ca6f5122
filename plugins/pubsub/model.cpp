#include "model.h"

#include <algorithm>

namespace epode::pubsub {

namespace {

constexpr std::array<std::string_view, 6> affiliations{"none",         "member", "publisher",
                                                       "publish-only", "owner",  "outcast"};
constexpr std::array<std::string_view, 3> states{"none", "pending", "subscribed"};

template <typename Value, std::size_t Size>
std::optional<Value> find(const std::array<std::string_view, Size>& names, std::string_view text) {
    const auto found = std::find(names.begin(), names.end(), text);
    if (found == names.end()) return std::nullopt;
    return Value(found - names.begin());
}

}  // namespace

std::string_view toText(Affiliation affiliation) { return affiliations[std::size_t(affiliation)]; }
std::optional<Affiliation> parseAffiliation(std::string_view text) {
    return find<Affiliation>(affiliations, text);
}

std::string_view toText(SubscriptionState state) { return states[std::size_t(state)]; }
std::optional<SubscriptionState> parseSubscriptionState(std::string_view text) {
    return find<SubscriptionState>(states, text);
}

bool belongsTo(const Jid& subscriber, std::string_view bare) {
    return subscriber.bareText() == bare;
}

// Addresses are sorted by their text: those of one entity stand together, or nearly so.
bool Node::isSubscribed(const Jid& bare, WallTime now) const {
    for (auto place = subscriptions.lower_bound(bare);
         place != subscriptions.end() && place->first.text().starts_with(bare.text()); ++place)
        if (belongsTo(place->first, bare.text()) && place->second.isActive(now)) return true;
    return false;
}

bool Node::hasPending(const Jid& bare) const {
    for (auto place = subscriptions.lower_bound(bare);
         place != subscriptions.end() && place->first.text().starts_with(bare.text()); ++place)
        if (belongsTo(place->first, bare.text()) &&
            place->second.state == SubscriptionState::Pending)
            return true;
    return false;
}

std::vector<Jid> Node::owners() const {
    std::vector<Jid> found;
    for (const auto& [jid, affiliation] : affiliations)
        if (affiliation == Affiliation::Owner) found.push_back(jid);
    return found;
}

}  // namespace epode::pubsub
