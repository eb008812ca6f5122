#include "access.h"

#include "errors.h"

namespace epode::pubsub {

namespace {

// Why the access model closes the node to one without an affiliation; what "authorize" asks for is
// up to the caller.
std::optional<StanzaError> whyClosed(const Node& node, const Relation& relation) {
    switch (node.config.access) {
        case AccessModel::Open:
        case AccessModel::Authorize:
            return std::nullopt;
        case AccessModel::Presence:
            if (relation.seesOwner) return std::nullopt;
            return refusal(ErrorType::Auth, Condition::NotAuthorized,
                           "presence-subscription-required",
                           "This is for those who see the owner's presence.");
        case AccessModel::Roster:
            if (relation.seesOwner && relation.isInGroup) return std::nullopt;
            return refusal(ErrorType::Auth, Condition::NotAuthorized, "not-in-roster-group",
                           "This is for certain groups of the owner's contacts.");
        case AccessModel::Whitelist:
            return refusal(ErrorType::Cancel, Condition::NotAllowed, "closed-node",
                           "This is for members only.");
    }
    return std::nullopt;
}

bool isExcluded(Affiliation affiliation) {
    return affiliation == Affiliation::Outcast || affiliation == Affiliation::PublishOnly;
}

bool isInvited(Affiliation affiliation) {
    return affiliation == Affiliation::Member || affiliation == Affiliation::Publisher ||
           affiliation == Affiliation::Owner;
}

}  // namespace

std::optional<StanzaError> whyNotRead(const Realm& realm, const Node& node, const Jid& bare,
                                      const Relation& relation, WallTime now) {
    if (realm.isOwner(node, bare)) return std::nullopt;
    const Affiliation affiliation = node.affiliationOf(bare);
    if (isExcluded(affiliation)) return forbidden("You may not read this.");
    if (isInvited(affiliation)) return std::nullopt;
    if (auto closed = whyClosed(node, relation)) return closed;
    if (node.config.access == AccessModel::Authorize && !node.isSubscribed(bare, now))
        return refusal(ErrorType::Auth, Condition::NotAuthorized, "not-subscribed",
                       "This is for subscribers only.");
    return std::nullopt;
}

MaySubscribe maySubscribe(const Realm& realm, const Node& node, const Jid& bare,
                          const Relation& relation) {
    if (realm.isOwner(node, bare)) return {};
    const Affiliation affiliation = node.affiliationOf(bare);
    if (isExcluded(affiliation)) return {.refusal = forbidden("You may not subscribe to this.")};
    if (!node.config.allowsSubscriptions)
        return {.refusal = unsupported("subscribe", "Nobody can subscribe to this node.")};
    if (isInvited(affiliation)) return {};
    if (auto closed = whyClosed(node, relation)) return {.refusal = std::move(closed)};
    return {.refusal = {}, .needsApproval = node.config.access == AccessModel::Authorize};
}

std::optional<StanzaError> whyNotPublish(const Realm& realm, const Node& node, const Jid& bare,
                                         WallTime now) {
    if (realm.isOwner(node, bare)) return std::nullopt;
    switch (node.affiliationOf(bare)) {
        case Affiliation::Outcast:
            return forbidden("You may not publish here.");
        case Affiliation::Owner:
        case Affiliation::Publisher:
        case Affiliation::PublishOnly:
            return std::nullopt;
        case Affiliation::None:
        case Affiliation::Member:
            break;
    }
    const bool may =
        node.config.publish == PublishModel::Open ||
        (node.config.publish == PublishModel::Subscribers && node.isSubscribed(bare, now));
    if (may) return std::nullopt;
    return forbidden("You may not publish here.");
}

bool isTrusted(const Realm& realm, const Node& node, const Jid& bare) {
    return realm.isOwner(node, bare) || node.affiliationOf(bare) == Affiliation::Publisher;
}

bool isNotified(const Realm& realm, const Node& node, const Jid& bare, const Relation& relation,
                bool hasSubscribed) {
    if (realm.isOwner(node, bare)) return true;
    const Affiliation affiliation = node.affiliationOf(bare);
    if (isExcluded(affiliation)) return false;
    if (isInvited(affiliation)) return true;
    if (node.config.access == AccessModel::Authorize) return hasSubscribed;
    return !whyClosed(node, relation);
}

}  // namespace epode::pubsub
