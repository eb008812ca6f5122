// Who may do what in a room (XEP-0045, 5): affiliations last across visits, roles for one visit.
#pragma once

#include "core/stanza_error.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace epode::muc {

// Each includes the privileges of those before it.
enum class Affiliation : std::uint8_t { Outcast, None, Member, Admin, Owner };
enum class Role : std::uint8_t { None, Visitor, Participant, Moderator };

std::string_view toText(Affiliation affiliation);
std::string_view toText(Role role);
std::optional<Affiliation> parseAffiliation(std::string_view text);
std::optional<Role> parseRole(std::string_view text);

struct RoomKind {
    bool isModerated = false;
    bool isMembersOnly = false;
};

// Table 4: with which role somebody enters; `None` when he may not.
Role roleAtEntry(Affiliation affiliation, RoomKind kind);

// The role of an occupant whose affiliation has changed while he is in the room.
Role roleAfterChange(Role role, Affiliation before, Affiliation now, RoomKind kind);

struct Standing {
    Affiliation affiliation = Affiliation::None;
    Role role = Role::None;
};

// Tables 3 and 5: why `actor` may not give `target` this role; nothing when he may.
std::optional<StanzaError> whyNotRole(Standing actor, Standing target, Role wanted);

// Tables 6 and 7: why somebody may not give another person, who is `before`, this affiliation.
std::optional<StanzaError> whyNotAffiliation(Affiliation actor, Affiliation before,
                                             Affiliation wanted);

}  // namespace epode::muc
