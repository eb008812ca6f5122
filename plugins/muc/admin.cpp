// Roles and affiliations: lists and changes (XEP-0045, 8.2 to 8.5, 9, 10.3 to 10.8).
#include "service.h"

#include "errors.h"
#include "names.h"

#include "core/log.h"
#include "core/rsm.h"

#include <algorithm>
#include <limits>
#include <set>

namespace epode::muc {

namespace {

void addListed(Element& query, const Jid& jid, const Affiliated& entry) {
    Element& item = query.add("item");
    item.set("affiliation", toText(entry.affiliation)).set("jid", jid.text());
    if (!entry.nick.empty() && entry.affiliation != Affiliation::Outcast)
        item.set("nick", entry.nick);
    if (!entry.reason.empty()) item.addWithText("reason", entry.reason);
}

// What a request for one list may ask for (XEP-0059).
struct ListWish {
    PageRequest page;
    Jid after;
    Jid before;
};
std::variant<ListWish, StanzaError> readWish(const Element& query) {
    auto read = readPageRequest(query);
    if (auto* error = std::get_if<StanzaError>(&read)) return std::move(*error);
    ListWish wish{.page = std::move(std::get<PageRequest>(read)), .after = {}, .before = {}};
    if (wish.page.index)
        return StanzaError{Condition::FeatureNotImplemented,
                           "Pages are asked for by addresses, not by index."};
    const auto take = [](const std::optional<std::string>& text, Jid& jid) {
        if (!text || text->empty()) return true;
        const auto parsed = Jid::parse(*text);
        if (parsed) jid = parsed->bare();
        return parsed.has_value();
    };
    if (!take(wish.page.after, wish.after) || !take(wish.page.before, wish.before))
        return StanzaError{Condition::ItemNotFound, "This is no address of the list."};
    return wish;
}

// The list, or as much of it as was asked for and as is allowed; then it says so.
void addList(Element& query, const Affiliations& all, Affiliation wanted, const ListWish& wish,
             std::size_t mostOfAll, bool isAlone) {
    const std::size_t count = all.count(wanted);
    const std::size_t asked =
        wish.page.max ? std::size_t(*wish.page.max) : std::numeric_limits<std::size_t>::max();
    const std::size_t most = std::min(asked, mostOfAll);
    auto items = wish.page.isBackward() ? all.pageBefore(wanted, wish.before, most)
                                        : all.page(wanted, wish.after, most);
    // Other servers take no larger stanzas.
    std::size_t bytes = 0;
    std::size_t fitting = 0;
    const auto sizeOf = [](const Affiliations::Entry& item) {
        return 80 + item.first.text().size() + item.second.nick.size() + item.second.reason.size();
    };
    while (fitting < items.size() && bytes < listBytesMax)
        bytes +=
            sizeOf(wish.page.isBackward() ? items[items.size() - ++fitting] : items[fitting++]);
    if (wish.page.isBackward())
        items.erase(items.begin(), items.end() - std::ptrdiff_t(fitting));
    else
        items.resize(fitting);
    for (const auto& [jid, entry] : items) addListed(query, jid, entry);
    if (!isAlone || (!wish.page.isAsked && items.size() == count)) return;
    Page page;
    if (!items.empty()) {
        page.first = items.front().first.text();
        page.last = items.back().first.text();
    }
    page.count = count;
    addPage(query, page);
}

// What the log calls a change; nothing when it is none.
std::string_view actionOf(const Affiliated& before, const Affiliated& now) {
    const bool isSame = before.reason == now.reason && before.until == now.until;
    if (now.affiliation == Affiliation::Outcast)
        return before.affiliation == Affiliation::Outcast && isSame ? "" : "ban";
    if (before.affiliation != now.affiliation)
        return before.affiliation == Affiliation::Outcast && now.affiliation == Affiliation::None
                   ? "unban"
                   : toText(now.affiliation);
    if (now.voice == Voice::Muted) return before.voice == Voice::Muted && isSame ? "" : "mute";
    if (before.voice == Voice::Muted) return "unmute";
    if (before.voice != now.voice) return now.voice == Voice::Granted ? "voice" : "no voice";
    return before.nick == now.nick ? "" : "nickname";
}

}  // namespace

// 9.5 and 10.5: admins read what they manage; in a room without secrets, those whom the owner has
// chosen read who belongs to it.
bool Service::mayReadList(const Room& room, const Jid& bare, Affiliation wanted) const {
    const Affiliation own = room.affiliationOf(bare);
    if (own == Affiliation::Owner) return true;
    if (own == Affiliation::Admin)
        return wanted <= Affiliation::Member || room.config.isNonAnonymous();
    if (wanted == Affiliation::Outcast || !room.config.isNonAnonymous()) return false;
    if (own >= Affiliation::Member)
        return (room.config.memberListRoles & bitOf(Role::Participant)) != 0;
    for (const Occupant* occupant : room.byBare(bare))
        if (room.config.memberListRoles & bitOf(occupant->role)) return true;
    return false;
}

Task<Reply> Service::readLists(const Iq& iq) {
    const auto room = co_await roomOf(iq);
    if (!room) co_return noSuchRoom();
    const auto items = iq.payload().children();
    const Jid bare = iq.from().bare();
    const auto read = readWish(iq.payload());
    if (const auto* error = std::get_if<StanzaError>(&read)) co_return *error;
    const auto& wish = std::get<ListWish>(read);
    std::size_t lists = 0;
    for (const Element& item : items)
        if (item.is("item", names::admin)) ++lists;
    if (wish.page.isAsked && lists != 1) co_return badRequest("Pages are of one list.");
    Document query{"query", names::admin};
    std::size_t asked = 0;
    for (const Element& item : items) {
        if (!item.is("item", names::admin)) continue;
        if (++asked > 5) co_return badRequest("Ask for fewer lists at once.");
        const auto role = item.find("role");
        const auto affiliation = item.find("affiliation");
        if (role.has_value() == affiliation.has_value())
            co_return badRequest("Ask for a role or for an affiliation.");
        if (role) {
            const auto wanted = parseRole(*role);
            if (!wanted || *wanted == Role::None) co_return badRequest("There is no such role.");
            Occupant* own = room->byClient(iq.from());
            const bool may = (own && own->role == Role::Moderator) ||
                             room->affiliationOf(bare) >= Affiliation::Admin;
            if (!may) co_return forbidden("Only moderators read these lists.");
            for (const auto& occupant : room->occupants()) {
                if (occupant->role != *wanted) continue;
                query->add("item")
                    .set("affiliation", toText(occupant->affiliation))
                    .set("jid", occupant->places.front().jid.text())
                    .set("nick", occupant->nick)
                    .set("role", toText(occupant->role));
            }
            continue;
        }
        const auto wanted = parseAffiliation(*affiliation);
        if (!wanted || *wanted == Affiliation::None)
            co_return badRequest("There is no list of this affiliation.");
        if (!mayReadList(*room, bare, *wanted)) co_return forbidden("You may not read this list.");
        addList(*query, room->affiliations(), *wanted, wish, limits_.listItemsMax, lists == 1);
    }
    if (asked == 0) co_return badRequest("Ask for a list.");
    co_return Reply{std::move(query)};
}

// The one who has asked hears of it before the others do (8.2).
void Service::reply(const Iq& iq) { server_.route(iq.stanza().result()); }

// ---- roles

void Service::changeRole(const At& at, Occupant& occupant, Role role, const Note& note,
                         std::vector<UniqueFunction<void()>>& later) {
    if (occupant.role == role) return;
    if (role == Role::None) {
        Note kicked = note;
        kicked.codes = {307};
        later.push_back(expel(at, occupant, std::move(kicked)));
        return;
    }
    const Role before = std::exchange(occupant.role, role);
    occupant.changed();
    for (const Place& place : occupant.places) save(at, occupant, place);
    later.push_back([this, at, client = occupant.places.front().jid, before, note] {
        Occupant* changed = at.room->byClient(client);
        if (!changed) return;
        const Stanza* content = changed->places.front().presence.get();
        if (isShown(*at.room, changed->role)) {
            tellOthers(at, *changed, StanzaType::None, content, note);
        } else if (isShown(*at.room, before)) {
            tellOthers(at, *changed, StanzaType::Unavailable, nullptr, {});
        }
        tellSelf(at, *changed, StanzaType::None, content, note);
        // A new moderator may see what he could not see before.
        if (changed->role != Role::Moderator || before == Role::Moderator ||
            at.room->config.isNonAnonymous())
            return;
        const Telling telling{*at.room};
        for (const auto& other : at.room->occupants())
            if (other.get() != changed && isShown(*at.room, other->role))
                for (const Place& place : changed->places)
                    send(shownPresence(*at.room, *other, true), place.jid);
    });
}

// Where nobody waits for it: who has asked for voice gets it, if he still has none.
Task<void> Service::giveVoice(At at, Jid client, std::string by) {
    const RoomPtr room = at.room;
    const auto turn = co_await room->turns.take();
    const Occupant* asking = room->byClient(client);
    if (room->isGone || !asking || asking->role != Role::Visitor) co_return;
    if (auto change = voiceChange(*room, asking->bare, Role::Participant)) {
        change->by = std::move(by);
        std::vector<Change> changes{*change};
        const auto refusal = co_await storeAffiliations(room, std::move(changes));
        if (refusal || room->isGone) co_return;
        room->setAffiliation(change->person, change->entry);
    }
    Occupant* heard = room->byClient(client);
    if (!heard || heard->role != Role::Visitor) co_return;
    std::vector<UniqueFunction<void()>> later;
    changeRole(at, *heard, Role::Participant, {}, later);
    for (auto& next : later) next();
}

std::optional<Service::Change> Service::voiceChange(const Room& room, const Jid& bare,
                                                    Role wanted) const {
    const Affiliation affiliation = room.affiliationOf(bare);
    if (wanted != Role::Visitor && wanted != Role::Participant) return std::nullopt;
    if (affiliation >= Affiliation::Admin) return std::nullopt;
    const auto known = room.entryOf(bare);
    Change change{.person = bare, .entry = known.value_or(Affiliated{}), .note = {}};
    const Voice before = change.entry.voice;
    const bool isUsual = roleAtEntry(affiliation, room.config.kind()) == wanted;
    change.entry.voice = isUsual                   ? Voice::Usual
                         : wanted == Role::Visitor ? Voice::Muted
                                                   : Voice::Granted;
    if (change.entry.voice == before) return std::nullopt;
    change.entry.reason.clear();
    change.entry.until.reset();
    // A list that is full keeps no more; then it is for this visit alone.
    if (!known && room.affiliations().size() >= limits_.affiliationsMax) return std::nullopt;
    return change;
}

// ---- affiliations

std::optional<StanzaError> Service::rowsOf(const RoomPtr& room, const std::vector<Change>& changes,
                                           std::vector<Affiliations::Entry>& rows,
                                           std::vector<AuditEntry>& entries) const {
    std::size_t most = room->affiliations().size();
    const WallTime now = Executor::current()->wallNow();
    for (const Change& change : changes) {
        const auto known = room->entryOf(change.person);
        if (!known && !change.entry.isNothing()) ++most;
        rows.emplace_back(change.person, change.entry);
        const auto action = actionOf(known.value_or(Affiliated{}), change.entry);
        if (action.empty()) continue;
        entries.push_back({.room = room->address,
                           .at = now,
                           .actor = change.by,
                           .action = std::string{action},
                           .target = change.person.text(),
                           .reason = change.note.reason,
                           .until = change.entry.until});
    }
    if (most > limits_.affiliationsMax)
        return StanzaError{ErrorType::Wait, Condition::ResourceConstraint,
                           "This room keeps as many people as it may."};
    return std::nullopt;
}

Task<std::optional<StanzaError>> Service::storeAffiliations(RoomPtr room,
                                                            std::vector<Change> changes) {
    std::vector<Affiliations::Entry> rows;
    std::vector<AuditEntry> entries;
    if (auto refusal = rowsOf(room, changes, rows, entries)) co_return refusal;
    const std::int64_t id = room->id;
    co_await store_.saveAffiliations(id, std::move(rows), std::move(entries));
    co_return std::nullopt;
}

void Service::applyAffiliation(const At& at, const Change& change, int expelCode,
                               std::vector<UniqueFunction<void()>>& later) {
    Room& room = *at.room;
    const auto known = room.entryOf(change.person);
    const bool isVoiceChanged = (known ? known->voice : Voice::Usual) != change.entry.voice;
    const bool isMuting = isVoiceChanged && change.entry.voice == Voice::Muted;
    room.setAffiliation(change.person, change.entry);
    const bool isDomain = !change.person.hasLocal();
    std::vector<Jid> clients;
    for (const auto& occupant : room.occupants())
        if (occupant->bare == change.person ||
            (isDomain && occupant->bare.domain() == change.person.domain()))
            clients.push_back(occupant->places.front().jid);
    for (const Jid& client : clients) {
        Occupant& occupant = *room.byClient(client);
        const Affiliation before = occupant.affiliation;
        const Affiliation now = room.affiliationOf(occupant.bare);
        if (before == now && !isVoiceChanged) continue;
        occupant.affiliation = now;
        occupant.changed();
        const bool mayStay = now != Affiliation::Outcast &&
                             (now >= Affiliation::Member || !room.config.isMembersOnly);
        if (!mayStay) {
            Note note = change.note;
            note.codes = {expelCode != 0 ? expelCode : now == Affiliation::Outcast ? 301 : 321};
            later.push_back(expel(at, occupant, std::move(note)));
            continue;
        }
        // Who was made a moderator by hand stays one, until he is muted.
        Role role = roleAfterChange(occupant.role, before, now, room.config.kind());
        if (isMuting && now < Affiliation::Admin) role = Role::Participant;
        role = room.withVoice(occupant.bare, role);
        if (before == now && role == occupant.role) continue;
        if (role != occupant.role) {
            changeRole(at, occupant, role, change.note, later);
            continue;
        }
        later.push_back([this, at, client, note = change.note] {
            Occupant* changed = at.room->byClient(client);
            if (!changed) return;
            const Stanza* content = changed->places.front().presence.get();
            if (isShown(*at.room, changed->role))
                tellOthers(at, *changed, StanzaType::None, content, note);
            tellSelf(at, *changed, StanzaType::None, content, note);
        });
    }
}

Task<Reply> Service::changeLists(const Iq& iq) {
    const auto room = co_await roomOf(iq);
    if (!room) co_return noSuchRoom();
    const auto turn = co_await room->turns.take();
    if (room->isGone) co_return noSuchRoom();
    const Jid bare = iq.from().bare();
    const Affiliation ownAffiliation = room->affiliationOf(bare);
    const Occupant* own = room->byClient(iq.from());
    Standing actor{ownAffiliation, own ? own->role : Role::None};
    // Who manages a room need not be in it.
    if (!own && ownAffiliation >= Affiliation::Admin) actor.role = Role::Moderator;
    const std::string actorNick = own ? own->nick : std::string{};
    const auto isNamed = [](const auto& changes, const Jid& person) {
        return std::any_of(changes.begin(), changes.end(),
                           [&person](const Change& change) { return change.person == person; });
    };

    struct RoleChange {
        Jid client;
        Role role;
        Note note;
    };
    std::vector<RoleChange> roles;
    std::vector<Change> changes;
    std::set<std::string> nicks;
    std::size_t owners = room->ownerCount();
    std::size_t count = 0;
    for (const Element& item : iq.payload().children()) {
        if (!item.is("item", names::admin)) continue;
        if (++count > itemsMax) co_return badRequest("These are too many changes at once.");
        const auto role = item.find("role");
        const auto affiliation = item.find("affiliation");
        if (role.has_value() == affiliation.has_value())
            co_return badRequest("An item has a role or an affiliation.");
        Note note;
        note.actor = actorNick;
        note.reason = item.childText("reason");
        if (note.reason.size() > limits_.reasonBytesMax) co_return tooLong("reason");
        if (role) {
            const auto wanted = parseRole(*role);
            const auto nick = item.find("nick");
            if (!wanted || !nick) co_return badRequest("A role is given to a nickname.");
            if (actor.role != Role::Moderator) co_return forbidden("Only moderators change roles.");
            Occupant* target = room->byNick(*nick);
            if (!target) co_return noSuchOccupant();
            if (auto refusal = whyNotRole(actor, target->standing(), *wanted)) co_return *refusal;
            roles.push_back({target->places.front().jid, *wanted, std::move(note)});
            continue;
        }
        const auto wanted = parseAffiliation(*affiliation);
        if (!wanted) co_return badRequest("There is no such affiliation.");
        auto person = Jid::parse(item.get("jid"));
        if (!person && item.find("jid"))
            co_return StanzaError{ErrorType::Modify, Condition::JidMalformed,
                                  "This is no valid address."};
        if (!person) {
            // Some clients name the occupant instead.
            const Occupant* target = room->byNick(item.get("nick"));
            if (!target) co_return badRequest("An affiliation is given to an address.");
            person = target->bare;
        }
        Change change{
            .person = person->bare(), .entry = {}, .note = std::move(note), .by = bare.text()};
        // What comes of them is looked at one by one: the last owner would slip through.
        if (isNamed(changes, change.person))
            co_return badRequest("One address can't be changed twice at once.");
        const Affiliation before = room->ownAffiliationOf(change.person);
        if (auto refusal = whyNotAffiliation(actor.affiliation, before, *wanted))
            co_return *refusal;
        if (change.person == bare && *wanted == Affiliation::Outcast)
            co_return conflict("You can't ban yourself.");
        if (!change.person.hasLocal() && *wanted >= Affiliation::Admin)
            co_return notAcceptable("Whole domains can be members or banned.");
        change.entry = room->entryOf(change.person).value_or(Affiliated{});
        change.entry.affiliation = *wanted;
        if (*wanted == Affiliation::Outcast) {
            change.entry.reason = change.note.reason;
            change.entry.until.reset();
        }
        change.entry.tidy();
        if (*wanted == Affiliation::Outcast || *wanted == Affiliation::None) {
            change.entry.nick.clear();
        } else if (const auto nick = item.find("nick"); nick && item.find("jid")) {
            const auto wish = nick->empty() ? std::nullopt : readNick(*nick, limits_.nickBytesMax);
            if (!nick->empty() && !wish) co_return notAcceptable("This nickname is not allowed.");
            const Jid other = wish ? room->reserver(wish->key) : Jid{};
            if (!other.empty() && other != change.person)
                co_return conflict("This nickname is reserved by somebody else.");
            if (wish && !nicks.insert(wish->key).second)
                co_return conflict("Two people can't have one nickname.");
            change.entry.nick = wish ? wish->text : std::string{};
        }
        if (before == Affiliation::Owner && *wanted != Affiliation::Owner) --owners;
        if (before != Affiliation::Owner && *wanted == Affiliation::Owner) ++owners;
        changes.push_back(std::move(change));
    }
    if (count == 0) co_return badRequest("There is nothing to change.");
    if (owners == 0) co_return conflict("A room has at least one owner.");

    // Voice lasts: who has it, or has lost it, finds it so when he comes back.
    const std::size_t affiliations = changes.size();
    for (const RoleChange& change : roles) {
        const Occupant* target = room->byClient(change.client);
        if (!target || isNamed(changes, target->bare)) continue;
        auto voice = voiceChange(*room, target->bare, change.role);
        if (!voice) continue;
        voice->note = change.note;
        voice->by = bare.text();
        changes.push_back(std::move(*voice));
    }

    std::vector<Jid> newMembers;
    for (const Change& change : changes)
        if (change.entry.affiliation == Affiliation::Member && change.person.hasLocal() &&
            room->affiliationOf(change.person) == Affiliation::None && room->config.isMembersOnly)
            newMembers.push_back(change.person);
    if (!changes.empty()) {
        const auto refusal = co_await storeAffiliations(room, changes);
        if (refusal) co_return *refusal;
        if (room->isGone) co_return noSuchRoom();
    }
    const At at{iq.shard(), iq.host(), room};
    std::vector<UniqueFunction<void()>> later;
    for (const Change& change : changes) applyAffiliation(at, change, 0, later);
    for (const RoleChange& change : roles) {
        Occupant* target = room->byClient(change.client);
        if (!target) continue;
        const bool isLogged =
            std::any_of(changes.begin() + std::ptrdiff_t(affiliations), changes.end(),
                        [&](const Change& voice) { return voice.person == target->bare; });
        if (!isLogged && target->role != change.role)
            log(at, bare.text(), change.role == Role::None ? "kick" : toText(change.role),
                target->bare.text(), change.note.reason, target->nick);
        changeRole(at, *target, change.role, change.note, later);
    }
    reply(iq);
    for (auto& next : later) next();
    for (const Jid& member : newMembers)
        if (room->byBare(member).empty()) sendInvitation(at, member, bare, {}, nullptr);
    co_return Reply::none();
}

}  // namespace epode::muc
