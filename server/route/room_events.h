// Rooms, as plugins see them that take part in them. The plugin of rooms (plugins/muc) runs these
// hooks and offers these fields to owners; without it they are never used.
#pragma once

#include "core/data_form.h"
#include "core/jid.h"
#include "core/stanza.h"
#include "core/time.h"
#include "route/hooks.h"

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

// What the owners of a room have set in fields of plugins, by the name of the field. A field that
// says what it says anyway is not there, so most rooms have none.
using RoomSettings = std::map<std::string, std::vector<std::string>, std::less<>>;

// One more field of the form by which owners configure a room.
struct RoomField {
    std::string var;  // "urn:epode:moderation#words"
    FieldType type = FieldType::TextSingle;
    std::string label;
    std::vector<std::string> fallback{};  // of a room whose owners have said nothing
    std::vector<FieldOption> options{};   // of a list: nothing else is allowed
    // Beside what the type demands; without it, everything is allowed.
    std::function<bool(const std::vector<std::string>&)> isAllowed{};
};

enum class RoomAct : std::uint8_t { Enters, ChangesNick, Speaks, ChangesSubject, Whispers };

// Somebody wants to do something in a room, may do it by the room's own rules, and nobody has heard
// of it yet. Runs on the room's shard. Who stops it says why in `refusal`.
struct RoomEvent : Event {
    RoomAct act;
    Host& host;
    Shard& shard;
    const Jid& room;
    const std::shared_ptr<const RoomSettings>& settings;  // another object when they have changed
    const Stanza& stanza;
    const Jid& client;      // his full, real address
    std::string_view nick;  // the one that he has, or wants
    bool isMember;          // or more than that
    bool isModerator;
    SteadyTime since;  // when he has come; when he is coming: now

    // What happens to him beside: not now, but soon; in the room's audit log under the name of the
    // rule.
    enum class Penalty : std::uint8_t { None, Mute, Kick, Ban };
    Penalty penalty = Penalty::None;
    Duration term{};  // of a mute or a ban; zero: for good
    std::string rule{};

    RoomEvent(RoomAct a, Host& h, Shard& s, const Jid& r,
              const std::shared_ptr<const RoomSettings>& all, const Stanza& what, const Jid& who,
              std::string_view name, bool member, bool moderator, SteadyTime from)
        : act{a},
          host{h},
          shard{s},
          room{r},
          settings{all},
          stanza{what},
          client{who},
          nick{name},
          isMember{member},
          isModerator{moderator},
          since{from} {}
};

}  // namespace epode
