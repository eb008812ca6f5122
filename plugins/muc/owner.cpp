// What owners do with their rooms: configure and destroy them (XEP-0045, 10.1, 10.2, 10.9).
#include "service.h"

#include "errors.h"
#include "names.h"

#include "core/data_form.h"
#include "core/namespaces.h"

#include <algorithm>

namespace epode::muc {

namespace {

constexpr std::string_view adminsField = "muc#roomconfig_roomadmins";
constexpr std::string_view ownersField = "muc#roomconfig_roomowners";

FormField people(std::string_view var, std::string_view label, const Room& room,
                 Affiliation affiliation) {
    FormField field{.var = std::string{var}, .type = FieldType::JidMulti};
    field.label = label;
    for (const auto& [jid, entry] : room.affiliations().page(affiliation, {}, itemsMax))
        field.values.push_back(jid.text());
    return field;
}

}  // namespace

Task<Reply> Service::tellConfig(const Iq& iq) {
    const auto room = co_await roomOf(iq);
    if (!room) co_return noSuchRoom();
    if (room->affiliationOf(iq.from().bare()) != Affiliation::Owner)
        co_return forbidden("Only owners configure a room.");
    Document query{"query", names::owner};
    DataForm form{FormKind::Form, names::roomConfig};
    form.setTitle("Configuration of " + room->address.text());
    addFields(form, room->config, limits_, iq.host().services().roomFields);
    // Whole or not at all, since what is missing in the answer is taken away.
    if (room->affiliations().count(Affiliation::Admin) <= itemsMax)
        form.add(people(adminsField, "Admins", *room, Affiliation::Admin));
    if (room->affiliations().count(Affiliation::Owner) <= itemsMax)
        form.add(people(ownersField, "Owners", *room, Affiliation::Owner));
    form.addTo(*query);
    co_return Reply{std::move(query)};
}

Task<Reply> Service::destroyBy(const Iq& iq, RoomPtr room, const Element& request) {
    const std::string_view reason = request.childText("reason");
    const std::string_view password = request.childText("password");
    const auto venue = request.find("jid");
    if (reason.size() > limits_.reasonBytesMax || password.size() > limits_.nameBytesMax)
        co_return tooLong("reason");
    const auto elsewhere = venue ? Jid::parse(*venue) : std::nullopt;
    if (venue && !venue->empty() && !elsewhere)
        co_return StanzaError{ErrorType::Modify, Condition::JidMalformed,
                              "The alternate venue is no valid address."};
    const At at{iq.shard(), iq.host(), room};
    log(at, iq.from().bare().text(), "destroy", {}, std::string{reason});
    destroy(at, reason, elsewhere ? elsewhere->text() : "", password);
    co_return Reply{};
}

Task<Reply> Service::changeConfig(const Iq& iq) {
    const auto room = co_await roomOf(iq);
    if (!room) co_return noSuchRoom();
    const auto turn = co_await room->turns.take();
    if (room->isGone) co_return noSuchRoom();
    if (room->affiliationOf(iq.from().bare()) != Affiliation::Owner)
        co_return forbidden("Only owners configure a room.");
    const At at{iq.shard(), iq.host(), room};
    if (const Element* end = iq.payload().child("destroy", names::owner)) {
        auto destroyed = co_await destroyBy(iq, room, *end);
        co_return std::move(destroyed);
    }
    const Element* x = iq.payload().child("x", ns::dataForms);
    const auto form = x ? DataForm::read(*x) : std::nullopt;
    if (!form || (form->kind() != FormKind::Submit && form->kind() != FormKind::Cancel))
        co_return badRequest("A room is configured by a form.");
    if (form->kind() == FormKind::Cancel) {
        if (room->isLocked) destroy(at, {}, {}, {});
        co_return Reply{};
    }
    if (!form->formType().empty() && form->formType() != names::roomConfig)
        co_return badRequest("This is no configuration of a room.");

    const RoomConfig before = room->config;
    RoomConfig wanted = before;
    if (auto refusal = takeFields(wanted, *form, limits_, iq.host().services().roomFields))
        co_return *refusal;

    // The lists of people, when they are there, are whole.
    std::vector<Change> changes;
    std::size_t owners = room->ownerCount();
    const std::pair<std::string_view, Affiliation> lists[] = {{adminsField, Affiliation::Admin},
                                                              {ownersField, Affiliation::Owner}};
    const auto findChange = [&changes](const Jid& person) {
        return std::find_if(changes.begin(), changes.end(),
                            [&person](const Change& change) { return change.person == person; });
    };
    for (const auto& [var, affiliation] : lists) {
        const FormField* field = form->find(var);
        if (!field) continue;
        const bool isEmptyText = field->values.size() == 1 && field->values.front().empty();
        std::vector<Jid> people;
        for (const auto& value : field->values) {
            if (isEmptyText) break;
            const auto jid = Jid::parse(value);
            if (!jid || !jid->hasLocal())
                co_return notAcceptable("One of the addresses is not valid.");
            people.push_back(jid->bare());
        }
        if (people.size() > itemsMax) co_return notAcceptable("These are too many addresses.");
        if (room->affiliations().count(affiliation) > itemsMax)
            co_return notAcceptable("This list is too long to be changed by a form.");
        for (const auto& [jid, entry] : room->affiliations().page(affiliation, {}, itemsMax)) {
            if (std::find(people.begin(), people.end(), jid) != people.end()) continue;
            if (findChange(jid) != changes.end()) continue;  // an owner who becomes an admin
            Change change{
                .person = jid, .entry = entry, .note = {}, .by = std::string{iq.from().bareText()}};
            change.entry.affiliation = Affiliation::None;
            change.entry.nick.clear();
            changes.push_back(std::move(change));
        }
        for (const Jid& person : people) {
            if (room->ownAffiliationOf(person) == affiliation) continue;
            Change change{
                .person = person, .entry = {}, .note = {}, .by = std::string{iq.from().bareText()}};
            change.entry = room->entryOf(person).value_or(Affiliated{});
            change.entry.affiliation = affiliation;
            change.entry.tidy();
            const auto earlier = findChange(person);
            if (earlier == changes.end())
                changes.push_back(std::move(change));
            else
                *earlier = std::move(change);
        }
    }
    for (const Change& change : changes) {
        const bool was = room->ownAffiliationOf(change.person) == Affiliation::Owner;
        const bool is = change.entry.affiliation == Affiliation::Owner;
        if (was && !is) --owners;
        if (is && !was) ++owners;
    }
    if (owners == 0) co_return conflict("A room has at least one owner.");

    std::vector<Affiliations::Entry> rows;
    std::vector<AuditEntry> entries;
    if (auto refusal = rowsOf(room, changes, rows, entries)) co_return *refusal;
    const std::int64_t id = room->id;
    std::string unlocked;
    RoomConfig stored = wanted;
    co_await store_.saveConfig(id, std::move(stored), std::move(unlocked), std::move(rows),
                               std::move(entries));
    if (room->isGone) co_return noSuchRoom();
    room->configure(std::move(wanted));
    if (const auto changed = changedFields(before, room->config); !changed.empty()) {
        std::string details;
        for (const auto& var : changed) details += (details.empty() ? "" : " ") + var;
        log(at, iq.from().bare().text(), "configure", {}, {}, std::move(details));
    }
    const bool wasLocked = std::exchange(room->isLocked, false);
    room->lockedBy = {};
    reply(iq);
    std::vector<UniqueFunction<void()>> later;
    for (const Change& change : changes) applyAffiliation(at, change, 0, later);
    for (auto& next : later) next();
    if (!wasLocked || !(room->config == before)) configChanged(at, before);
    abandonIfEmpty(at);
    co_return Reply::none();
}

// 10.2.1, and what follows for those who are in the room.
void Service::configChanged(const At& at, const RoomConfig& before) {
    Room& room = *at.room;
    const RoomConfig& now = room.config;
    std::vector<UniqueFunction<void()>> later;
    std::vector<Jid> strangers;
    if (now.isMembersOnly && !before.isMembersOnly)
        for (const auto& occupant : room.occupants())
            if (occupant->affiliation < Affiliation::Member)
                strangers.push_back(occupant->places.front().jid);
    for (const Jid& client : strangers)
        later.push_back(expel(at, *room.byClient(client), {.codes = {322}}));
    if (now.isModerated != before.isModerated) {
        std::vector<Jid> others;
        for (const auto& occupant : room.occupants())
            if (occupant->affiliation == Affiliation::None && occupant->role != Role::Moderator)
                others.push_back(occupant->places.front().jid);
        for (const Jid& client : others)
            changeRole(at, *room.byClient(client),
                       room.usualRole(room.byClient(client)->bare, Affiliation::None), {}, later);
    }
    for (auto& next : later) next();
    // Everybody sees more now, or less from now on.
    if (now.whois != before.whois || now.broadcastRoles != before.broadcastRoles)
        for (const auto& occupant : room.occupants()) occupant->changed();
    if (now.isArchived != before.isArchived) announce(at, {now.isArchived ? 170 : 171});
    if (now.whois != before.whois) announce(at, {now.isNonAnonymous() ? 172 : 173});
    RoomConfig rest = now;
    rest.isArchived = before.isArchived;
    rest.whois = before.whois;
    if (!(rest == before)) announce(at, {104});
}

}  // namespace epode::muc
