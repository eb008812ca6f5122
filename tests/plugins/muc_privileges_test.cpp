// The tables of XEP-0045, 5: who enters as what, who may change whom.
#include "plugins/muc/config.h"
#include "plugins/muc/privileges.h"
#include "plugins/muc/room.h"
#include "tests/plugins/answers.h"

using namespace epode;
using namespace epode::muc;

namespace {

constexpr auto outcast = Affiliation::Outcast;
constexpr auto none = Affiliation::None;
constexpr auto member = Affiliation::Member;
constexpr auto admin = Affiliation::Admin;
constexpr auto owner = Affiliation::Owner;

std::string text(const std::optional<StanzaError>& refusal) {
    return refusal ? std::string{toText(refusal->condition)} : "";
}

}  // namespace

TEST_CASE("table 4: the role with which somebody enters") {
    struct Row {
        Affiliation affiliation;
        RoomKind kind;
        Role role;
    };
    const RoomKind open{};
    const RoomKind moderated{.isModerated = true};
    const RoomKind closed{.isMembersOnly = true};
    const RoomKind both{true, true};
    for (const Row& row : {
             Row{outcast, open, Role::None},
             Row{none, open, Role::Participant},
             Row{member, open, Role::Participant},
             Row{admin, open, Role::Moderator},
             Row{owner, open, Role::Moderator},
             Row{outcast, moderated, Role::None},
             Row{none, moderated, Role::Visitor},
             Row{member, moderated, Role::Participant},
             Row{admin, moderated, Role::Moderator},
             Row{owner, moderated, Role::Moderator},
             Row{outcast, closed, Role::None},
             Row{none, closed, Role::None},
             Row{member, closed, Role::Participant},
             Row{admin, closed, Role::Moderator},
             Row{owner, closed, Role::Moderator},
             Row{none, both, Role::None},
             Row{member, both, Role::Participant},
         }) {
        CAPTURE(toText(row.affiliation), row.kind.isModerated, row.kind.isMembersOnly);
        CHECK(toText(roleAtEntry(row.affiliation, row.kind)) == toText(row.role));
    }
}

TEST_CASE("table 5: who changes whose role") {
    struct Row {
        Standing actor;
        Standing target;
        Role wanted;
        std::string refusal;
    };
    const Standing visitor{none, Role::Visitor};
    const Standing participant{none, Role::Participant};
    const Standing aMember{member, Role::Participant};
    const Standing moderator{none, Role::Moderator};
    const Standing memberModerator{member, Role::Moderator};
    const Standing anAdmin{admin, Role::Moderator};
    const Standing anOwner{owner, Role::Moderator};
    for (const Row& row : {
             // Kicks.
             Row{moderator, visitor, Role::None, ""},
             Row{moderator, participant, Role::None, ""},
             Row{memberModerator, aMember, Role::None, ""},
             Row{moderator, aMember, Role::None, "not-allowed"},
             Row{moderator, memberModerator, Role::None, "not-allowed"},
             Row{memberModerator, moderator, Role::None, "not-allowed"},
             Row{memberModerator, anAdmin, Role::None, "not-allowed"},
             Row{moderator, anOwner, Role::None, "not-allowed"},
             Row{anAdmin, moderator, Role::None, ""},
             Row{anAdmin, anOwner, Role::None, "not-allowed"},
             Row{anOwner, anAdmin, Role::None, ""},
             Row{visitor, participant, Role::None, "forbidden"},
             Row{participant, visitor, Role::None, "forbidden"},
             Row{aMember, visitor, Role::None, "forbidden"},
             // Voice.
             Row{moderator, visitor, Role::Participant, ""},
             Row{moderator, participant, Role::Visitor, ""},
             Row{memberModerator, aMember, Role::Visitor, "not-allowed"},
             Row{memberModerator, participant, Role::Visitor, ""},
             Row{anAdmin, aMember, Role::Visitor, ""},
             Row{memberModerator, {member, Role::Visitor}, Role::Participant, ""},
             Row{moderator, aMember, Role::Visitor, "not-allowed"},
             Row{moderator, anAdmin, Role::Visitor, "not-allowed"},
             Row{anAdmin, anAdmin, Role::Visitor, "not-allowed"},
             Row{anOwner, anAdmin, Role::Visitor, "not-allowed"},
             Row{anOwner, anOwner, Role::Participant, "not-allowed"},
             Row{participant, visitor, Role::Participant, "forbidden"},
             Row{visitor, visitor, Role::Participant, "forbidden"},
             // Moderators.
             Row{anAdmin, visitor, Role::Moderator, ""},
             Row{anAdmin, participant, Role::Moderator, ""},
             Row{anOwner, aMember, Role::Moderator, ""},
             Row{moderator, participant, Role::Moderator, "forbidden"},
             Row{memberModerator, visitor, Role::Moderator, "forbidden"},
             Row{anAdmin, moderator, Role::Participant, ""},
             Row{anAdmin, memberModerator, Role::Visitor, ""},
             Row{moderator, moderator, Role::Participant, "not-allowed"},
             Row{memberModerator, moderator, Role::Visitor, "not-allowed"},
             Row{participant, moderator, Role::Participant, "forbidden"},
         }) {
        CAPTURE(toText(row.actor.affiliation), toText(row.actor.role),
                toText(row.target.affiliation), toText(row.target.role), toText(row.wanted));
        CHECK(text(whyNotRole(row.actor, row.target, row.wanted)) == row.refusal);
    }
}

TEST_CASE("tables 6 and 7: who changes whose affiliation") {
    // Of each actor: for each affiliation before, what he may make of it.
    const Affiliation all[] = {outcast, none, member, admin, owner};
    for (const Affiliation before : all)
        for (const Affiliation wanted : all) {
            CAPTURE(toText(before), toText(wanted));
            CHECK(text(whyNotAffiliation(owner, before, wanted)).empty());
            for (const Affiliation nobody : {outcast, none, member})
                CHECK(text(whyNotAffiliation(nobody, before, wanted)) == "forbidden");
            const std::string asAdmin = text(whyNotAffiliation(admin, before, wanted));
            if (before <= member && wanted <= member)
                CHECK(asAdmin.empty());
            else if (before >= admin && wanted == outcast)
                CHECK(asAdmin == "not-allowed");
            else
                CHECK(asAdmin == "forbidden");
        }
}

TEST_CASE("a role follows the affiliation") {
    const RoomKind open{};
    const RoomKind moderated{.isModerated = true};
    CHECK(roleAfterChange(Role::Participant, none, admin, open) == Role::Moderator);
    CHECK(roleAfterChange(Role::Moderator, admin, none, open) == Role::Participant);
    CHECK(roleAfterChange(Role::Moderator, owner, none, moderated) == Role::Visitor);
    CHECK(roleAfterChange(Role::Moderator, none, member, moderated) == Role::Moderator);
    CHECK(roleAfterChange(Role::Visitor, none, member, moderated) == Role::Participant);
    CHECK(roleAfterChange(Role::Participant, member, none, moderated) == Role::Visitor);
    CHECK(roleAfterChange(Role::Participant, member, outcast, open) == Role::None);
}

TEST_CASE("names of roles and affiliations are read exactly") {
    for (const char* name : {"outcast", "none", "member", "admin", "owner"})
        CHECK(toText(*parseAffiliation(name)) == name);
    for (const char* name : {"none", "visitor", "participant", "moderator"})
        CHECK(toText(*parseRole(name)) == name);
    for (const char* name : {"", "Owner", "owners", "moderator ", " none", "god"}) {
        CHECK(!parseAffiliation(name));
        CHECK(!parseRole(name));
    }
}

TEST_CASE("a configuration is read as it was written") {
    for (const char* preset : {"team", "public", "announcement", "plain"}) {
        RoomConfig config = presetConfig(preset);
        CHECK(readConfig(writeConfig(config)) == config);
        config.name = "two\nlines \\ and a backslash";
        config.password = "cauldron burn";
        config.isPasswordProtected = true;
        config.broadcastRoles = 0;
        config.historyMax = 7;
        config.allowPm = AllowPm::Nobody;
        CHECK(readConfig(writeConfig(config)) == config);
    }
    CHECK(readConfig("nonsense\n\nmuc#roomconfig_whois nobody\nfield") == RoomConfig{});
}

TEST_CASE("nicknames that people take for one conflict") {
    struct Row {
        std::string text;
        std::string shown;  // empty: none
    };
    for (const Row& row : {
             Row{"Romeo", "Romeo"},
             Row{" Romeo ", "Romeo"},
             Row{"Romeo   Montague", "Romeo Montague"},
             Row{"\xE2\x99\x9A", "\xE2\x99\x9A"},
             Row{"", ""},
             Row{"   ", ""},
             Row{"\xC2\xA0", ""},
             Row{"Rom\neo", ""},
             Row{std::string("\xFF"), ""},
             Row{std::string(300, 'r'), ""},
         }) {
        const auto nick = readNick(row.text, 256);
        CHECK((nick ? nick->text : "") == row.shown);
    }
    CHECK(readNick("ROMEO", 256)->key == readNick("romeo", 256)->key);
    CHECK(readNick("romeo", 256)->key != readNick("romea", 256)->key);
}
