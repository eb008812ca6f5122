// What a publish-subscribe service consists of: nodes with their configuration, the people around
// them, and items (XEP-0060, 4).
#pragma once

#include "core/jid.h"
#include "core/time.h"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode::pubsub {

// Numbers are stored: new ones come at the end.
enum class Affiliation : std::uint8_t { None, Member, Publisher, PublishOnly, Owner, Outcast };
std::string_view toText(Affiliation affiliation);  // "publish-only"
std::optional<Affiliation> parseAffiliation(std::string_view text);

enum class SubscriptionState : std::uint8_t { None, Pending, Subscribed };
std::string_view toText(SubscriptionState state);
std::optional<SubscriptionState> parseSubscriptionState(std::string_view text);

enum class AccessModel : std::uint8_t { Authorize, Open, Presence, Roster, Whitelist };
enum class PublishModel : std::uint8_t { Publishers, Subscribers, Open };
enum class SendLast : std::uint8_t { Never, OnSubscription, OnSubscriptionAndPresence };
enum class WhenFull : std::uint8_t { RetractOldest, DiscardOldest, Reject };
enum class NotificationType : std::uint8_t { Normal, Headline };

struct NodeConfig {
    AccessModel access = AccessModel::Open;
    PublishModel publish = PublishModel::Publishers;
    SendLast sendLast = SendLast::OnSubscriptionAndPresence;
    WhenFull whenFull = WhenFull::RetractOldest;
    NotificationType type = NotificationType::Headline;
    bool persistItems = true;
    bool deliverNotifications = true;
    bool deliverPayloads = true;
    bool notifyConfig = false;
    bool notifyDelete = true;
    bool notifyRetract = true;
    bool notifySubscriptions = false;
    bool allowsSubscriptions = true;
    // Nothing: as many, or as long, or as large, as the server allows ("max").
    std::optional<std::int64_t> itemsMax;
    std::optional<std::int64_t> expireSeconds;
    std::optional<std::int64_t> payloadBytesMax;
    std::string title;
    std::string description;
    std::string payloadType;
    std::string language;
    std::vector<std::string> contacts;
    std::vector<std::string> rosterGroups;

    friend bool operator==(const NodeConfig&, const NodeConfig&) = default;
};

struct Subscription {
    SubscriptionState state = SubscriptionState::Subscribed;
    bool delivers = true;             // pubsub#deliver
    std::optional<WallTime> expires;  // pubsub#expire

    bool isActive(WallTime now) const {
        return state == SubscriptionState::Subscribed && (!expires || *expires > now);
    }
    friend bool operator==(const Subscription&, const Subscription&) = default;
};

struct Item {
    std::string id;
    std::string publisher;  // the address that published it, bare
    WallTime published{};
    std::string payload;  // XML; empty when it has none
};

struct Node {
    std::int64_t id = 0;  // in the store
    std::string name;
    std::string creator;  // bare
    WallTime created{};
    NodeConfig config;
    std::map<Jid, Affiliation> affiliations;    // by bare address
    std::map<Jid, Subscription> subscriptions;  // by the address that was subscribed
    // The newest item, for who becomes available. A large one is read when it is needed.
    enum class Last : std::uint8_t { Unknown, None, Known } lastState = Last::Unknown;
    Item last;
    bool isDeleted = false;  // meanwhile: for who has waited

    Affiliation affiliationOf(const Jid& bare) const {
        const auto found = affiliations.find(bare);
        return found == affiliations.end() ? Affiliation::None : found->second;
    }
    // One of the entity's subscriptions, by its bare address, is in force.
    bool isSubscribed(const Jid& bare, WallTime now) const;
    bool hasPending(const Jid& bare) const;
    std::vector<Jid> owners() const;
};

// The subscriptions of an entity: its bare address and all that extend it.
bool belongsTo(const Jid& subscriber, std::string_view bare);

}  // namespace epode::pubsub
