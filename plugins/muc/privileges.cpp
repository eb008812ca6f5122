#include "privileges.h"

#include <array>
#include <cstddef>
#include <string>

namespace epode::muc {

namespace {

constexpr std::array<std::string_view, 5> affiliationNames{"outcast", "none", "member", "admin",
                                                           "owner"};
constexpr std::array<std::string_view, 4> roleNames{"none", "visitor", "participant", "moderator"};

StanzaError forbidden(std::string text) { return {Condition::Forbidden, std::move(text)}; }
StanzaError notAllowed(std::string text) { return {Condition::NotAllowed, std::move(text)}; }

}  // namespace

std::string_view toText(Affiliation affiliation) {
    return affiliationNames[std::size_t(affiliation)];
}
std::string_view toText(Role role) { return roleNames[std::size_t(role)]; }

std::optional<Affiliation> parseAffiliation(std::string_view text) {
    for (std::size_t i = 0; i < affiliationNames.size(); ++i)
        if (affiliationNames[i] == text) return Affiliation(i);
    return std::nullopt;
}
std::optional<Role> parseRole(std::string_view text) {
    for (std::size_t i = 0; i < roleNames.size(); ++i)
        if (roleNames[i] == text) return Role(i);
    return std::nullopt;
}

Role roleAtEntry(Affiliation affiliation, RoomKind kind) {
    switch (affiliation) {
        case Affiliation::Outcast:
            return Role::None;
        case Affiliation::None:
            if (kind.isMembersOnly) return Role::None;
            return kind.isModerated ? Role::Visitor : Role::Participant;
        case Affiliation::Member:
            return Role::Participant;
        case Affiliation::Admin:
        case Affiliation::Owner:
            return Role::Moderator;
    }
    return Role::None;
}

// Who was made a moderator by hand stays one; who was one by his affiliation does not (5.1.3).
Role roleAfterChange(Role role, Affiliation before, Affiliation now, RoomKind kind) {
    const bool isOwnModerator = role == Role::Moderator && before < Affiliation::Admin;
    const Role usual = roleAtEntry(now, kind);
    return isOwnModerator && usual != Role::None ? Role::Moderator : usual;
}

std::optional<StanzaError> whyNotRole(Standing actor, Standing target, Role wanted) {
    if (actor.role != Role::Moderator) return forbidden("Only moderators change roles.");
    if (wanted == target.role) return std::nullopt;
    const bool isAdmin = actor.affiliation >= Affiliation::Admin;
    if (wanted == Role::Moderator) {
        if (!isAdmin) return forbidden("Only admins and owners make moderators.");
        return std::nullopt;
    }
    if (target.affiliation > actor.affiliation)
        return notAllowed("This occupant's affiliation is higher than yours.");
    if (wanted == Role::None) {
        if (target.role == Role::Moderator && !isAdmin)
            return notAllowed("Only admins and owners kick a moderator.");
        return std::nullopt;
    }
    // What an affiliation gives is taken by changing the affiliation.
    if (target.affiliation >= Affiliation::Admin)
        return notAllowed("Admins and owners are moderators.");
    if (target.role == Role::Moderator && !isAdmin)
        return notAllowed("Only admins and owners take the role of a moderator away.");
    // 8.4: not from those who have the same affiliation; to have none is not one.
    if (wanted == Role::Visitor && target.affiliation >= Affiliation::Member &&
        target.affiliation == actor.affiliation)
        return notAllowed("This occupant's affiliation is as high as yours.");
    return std::nullopt;
}

std::optional<StanzaError> whyNotAffiliation(Affiliation actor, Affiliation before,
                                             Affiliation wanted) {
    if (actor == Affiliation::Owner) return std::nullopt;
    if (actor != Affiliation::Admin)
        return forbidden("Only admins and owners change affiliations.");
    if (before >= Affiliation::Admin && wanted == Affiliation::Outcast)
        return notAllowed("An admin bans neither admins nor owners.");
    if (before >= Affiliation::Admin || wanted >= Affiliation::Admin)
        return forbidden("Only owners change the lists of admins and owners.");
    return std::nullopt;
}

}  // namespace epode::muc
