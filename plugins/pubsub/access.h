// Who may do what at a node (XEP-0060, 4.1 and 4.5).
#pragma once

#include "core/stanza_error.h"
#include "realm.h"

#include <optional>

namespace epode::pubsub {

// What an entity is to the owner of a node, for the access models "presence" and "roster".
struct Relation {
    bool seesOwner = false;  // is subscribed to the owner's presence
    bool isInGroup = false;  // and in one of the groups that are allowed
};

// Looked up only for the models that ask for it.
inline bool needsRelation(const Node& node) {
    return node.config.access == AccessModel::Presence || node.config.access == AccessModel::Roster;
}

// Nothing: it may retrieve items.
std::optional<StanzaError> whyNotRead(const Realm& realm, const Node& node, const Jid& bare,
                                      const Relation& relation, WallTime now);

struct MaySubscribe {
    std::optional<StanzaError> refusal;
    bool needsApproval = false;
};
MaySubscribe maySubscribe(const Realm& realm, const Node& node, const Jid& bare,
                          const Relation& relation);

std::optional<StanzaError> whyNotPublish(const Realm& realm, const Node& node, const Jid& bare,
                                         WallTime now);

// May it remove and replace what others have published?
bool isTrusted(const Realm& realm, const Node& node, const Jid& bare);

// Is a subscriber, or a contact without a subscription (XEP-0060, 9.1.2), notified?
bool isNotified(const Realm& realm, const Node& node, const Jid& bare, const Relation& relation,
                bool hasSubscribed);

}  // namespace epode::pubsub
