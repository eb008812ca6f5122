// How a room is configured (XEP-0045, 10.2): what its owners decide, as a value and as a form.
#pragma once

#include "core/data_form.h"
#include "core/stanza_error.h"
#include "limits.h"
#include "privileges.h"
#include "route/room_events.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode::muc {

enum class Whois : std::uint8_t { Moderators, Anyone };  // who sees real addresses
enum class AllowPm : std::uint8_t { Anyone, Participants, Moderators, Nobody };

// Roles as bits: 1 << Role.
using Roles = std::uint8_t;
constexpr Roles bitOf(Role role) { return Roles(1u << unsigned(role)); }
inline constexpr Roles allRoles =
    bitOf(Role::Visitor) | bitOf(Role::Participant) | bitOf(Role::Moderator);

struct RoomConfig {
    std::string name;
    std::string description;
    std::string lang;
    std::string pubsub;
    std::string password;  // while isPasswordProtected
    bool isPersistent = false;
    bool isPublic = false;
    bool isMembersOnly = false;
    bool isModerated = false;
    bool isPasswordProtected = false;
    bool mayChangeSubject = false;  // everybody who may speak; else moderators
    bool mayInvite = false;         // members; else admins, in a members-only room
    bool mayRequestVoice = true;
    bool mayRegister = true;
    bool isArchived = true;
    bool forwardsMentions = false;  // to members who are not here (XEP-0452)
    bool mayKnock = true;           // who may not enter asks by registering, and admins answer
    bool locksNicks = false;        // who has registered a nickname uses that one
    bool isLockedDown = false;      // for the moment nobody but members comes in or speaks
    Whois whois = Whois::Moderators;
    AllowPm allowPm = AllowPm::Anyone;
    Roles broadcastRoles = allRoles;
    Roles memberListRoles = bitOf(Role::Participant) | bitOf(Role::Moderator);
    std::int64_t occupantsMax = 0;  // 0: as many as the service allows
    std::int64_t historyMax = 20;
    std::int64_t slowSeconds = 0;    // between two messages of one occupant
    std::int64_t retentionDays = 0;  // of the archive; 0: for good
    RoomSettings settings;           // in fields of plugins

    // Who is no member asks to become one.
    bool takesKnocks() const { return isMembersOnly && mayRegister && mayKnock; }
    bool isNonAnonymous() const { return whois == Whois::Anyone; }
    RoomKind kind() const { return {isModerated, isMembersOnly}; }
    bool operator==(const RoomConfig&) const = default;
};

// Of a new room: "team", "public", "announcement", or anything else for a plain one.
RoomConfig presetConfig(std::string_view preset);

// Adds the fields with their values; `more` are those of plugins.
void addFields(DataForm& form, const RoomConfig& config, const Limits& limits,
               const std::vector<RoomField>& more);
// Takes what an owner has sent in; fields that he left out stay as they are. What is wrong is
// not-acceptable, and `config` is then as it was.
std::optional<StanzaError> takeFields(RoomConfig& config, const DataForm& answer,
                                      const Limits& limits, const std::vector<RoomField>& more);
// The fields in which they differ.
std::vector<std::string> changedFields(const RoomConfig& before, const RoomConfig& now);

// For the store.
std::string writeConfig(const RoomConfig& config);
RoomConfig readConfig(std::string_view text);

}  // namespace epode::muc
