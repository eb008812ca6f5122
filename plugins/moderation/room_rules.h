// What the owners of a room allow: words, links, how often, how soon. Pure: read once from the
// room's settings, then asked for each message.
#pragma once

#include "route/room_events.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode::moderation {

// What a room has whose owners have said nothing; the operator's choice.
struct RoomDefaults {
    std::int64_t messagesPerMinute = 0;  // of one occupant; 0: any number, as everywhere here
    std::int64_t joinsPerMinute = 0;     // of strangers, all together
    std::int64_t nickChangesPerMinute = 0;
    std::int64_t newcomerSeconds = 0;  // from entering to the first word

    bool operator==(const RoomDefaults&) const = default;
};

// The fields by which owners change it.
std::vector<RoomField> roomFields(const RoomDefaults& defaults);

struct RoomRules {
    enum class Links : std::uint8_t { Everybody, Members, Moderators };

    std::vector<std::string> words;  // as `normalized` makes them
    Links links = Links::Everybody;
    RoomDefaults limits;
    RoomEvent::Penalty penalty = RoomEvent::Penalty::None;
    Duration penaltyTerm{};

    RoomRules(const RoomSettings& settings, const RoomDefaults& defaults);

    // The word of the list that stands in a text, by itself or in a phrase; nothing when none does.
    std::optional<std::string_view> wordIn(std::string_view text) const;
};

// One spelling of what people take for the same: case, width and spaces; everything that is neither
// letter nor digit separates words. Words are between single spaces, with one at both ends.
std::string normalized(std::string_view text);

// Whether there is an address of the web in it, or of anything else that opens with a touch.
bool hasLink(std::string_view text);

}  // namespace epode::moderation
