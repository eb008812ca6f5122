// Coming, going, and everything that is said by presence (XEP-0045, 7.2, 7.6, 7.7, 7.14, 10.1).
#include "service.h"

#include "errors.h"
#include "names.h"

#include "core/confusable.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/random.h"
#include "core/time_format.h"

#include <algorithm>

namespace epode::muc {

namespace {

Counter entered{"epode_muc_joins_total", "Times that a client has entered a room"};
Counter made{"epode_muc_rooms_created_total", "Rooms that were created"};

// RFC 6120, 8.3.3: the client is not there any more (XEP-0045, 18.1.2). The last is what a server
// says of a client that it does not know.
bool tellsOfAbsence(Condition condition) {
    switch (condition) {
        case Condition::Gone:
        case Condition::ItemNotFound:
        case Condition::RecipientUnavailable:
        case Condition::Redirect:
        case Condition::RemoteServerNotFound:
        case Condition::RemoteServerTimeout:
        case Condition::ServiceUnavailable:
            return true;
        default:
            return false;
    }
}

// With what its moderators have said about it.
StanzaError banned(const Room& room, const Jid& bare) {
    auto entry = room.entryOf(bare);
    if (!entry || entry->affiliation != Affiliation::Outcast) entry = room.entryOf(bare.host());
    std::string text = "You are banned from this room";
    if (entry && entry->until) text += " until " + formatDateTime(*entry->until);
    if (entry && !entry->reason.empty()) return forbidden(text + ": " + entry->reason);
    return forbidden(text + ".");
}

}  // namespace

void Service::receivePresence(const At& at, const StanzaPtr& presence) {
    Room& room = *at.room;
    Occupant* occupant = room.byClient(presence->from());
    switch (presence->type()) {
        case StanzaType::None:
            break;
        case StanzaType::Unavailable:
            if (occupant) leave(at, *occupant, presence->from(), presence.get(), {});
            return;
        case StanzaType::Error:
            bounced(at, *presence);
            return;
        default:
            return;  // 17.3: subscriptions and probes are no business of rooms
    }
    if (presence->to().isBare()) {
        refuse(at, *presence,
               {ErrorType::Modify, Condition::JidMalformed,
                "Choose a nickname: room@service/nickname."});
        return;
    }
    // Each is sent to all, and coming costs as much as all of them.
    const bool isWatched = room.affiliationOf(presence->from().bare()) < Affiliation::Admin;
    const bool isHere = occupant || presence->root().child("x", names::muc);
    if (isWatched && isHere &&
        !room.mayAct(presence->from().bare(), limits_.actionsPerMinute,
                     at.shard.executor().now())) {
        refuse(at, *presence,
               {ErrorType::Wait, Condition::PolicyViolation,
                "You come, go or change too often in this room; try again in a minute."});
        return;
    }
    if (presence->root().child("x", names::muc)) {
        auto nick = readNick(presence->to().resource(), limits_.nickBytesMax);
        if (auto own = lockedNick(room, presence->from().bare())) nick = std::move(own);
        // Who is in already has lost his idea of the room: he gets everything again (17.3, 3).
        if (occupant && (!nick || nick->key == occupant->key)) {
            if (isTooLarge(at, *presence)) return;
            auto clean = cleanPresence(*presence);
            Place& place = *occupant->place(presence->from());
            const bool isChanged = place.presence->toXml() != clean->toXml();
            place.presence = clean;
            place.isRestored = false;
            occupant->changed();
            welcome(at, *occupant, place, *presence, false,
                    occupant->nick != presence->to().resource());
            if (isChanged && isShown(room, occupant->role))
                tellOthers(at, *occupant, StanzaType::None, nullptr, {});
            return;
        }
        if (!occupant) {
            enter(at, presence, false);
            return;
        }
        if (!isTooLarge(at, *presence)) changeNick(at, *occupant, presence, true);
        return;
    }
    if (!occupant) {
        // A client that believes to be in, and is not (7.2.18).
        auto gone = Stanza::presence(StanzaType::Unavailable, presence->to(), presence->from());
        Element& x = gone->edit().add("x", names::user);
        x.add("item").set("affiliation", "none").set("role", "none");
        for (const char* code : {"110", "307", "333"}) x.add("status").set("code", code);
        server_.route(gone);
        return;
    }
    if (isTooLarge(at, *presence)) return;
    const auto nick = readNick(presence->to().resource(), limits_.nickBytesMax);
    if (nick && nick->text == occupant->nick)
        changePresence(at, *occupant, presence);
    else
        changeNick(at, *occupant, presence, false);
}

bool Service::isTooLarge(const At& at, const Stanza& presence) {
    if (presence.toXml().size() <= limits_.presenceBytesMax) return false;
    refuse(at, presence, tooLong("presence"));
    return true;
}

// ---- entering

std::optional<StanzaError> Service::whyNotEnter(const Room& room, const Jid& bare,
                                                const Stanza& presence) const {
    const Affiliation affiliation = room.affiliationOf(bare);
    if (room.isLocked && affiliation != Affiliation::Owner) return noSuchRoom();
    if (affiliation == Affiliation::Outcast) return banned(room, bare);
    if (room.config.isMembersOnly && affiliation < Affiliation::Member)
        return StanzaError{ErrorType::Auth, Condition::RegistrationRequired,
                           room.config.takesKnocks()
                               ? "Only members may enter this room; register with it to ask."
                               : "Only members may enter this room."};
    if (isShutOut(room, bare, Role::None))
        return StanzaError{ErrorType::Auth, Condition::RegistrationRequired,
                           "For the moment only members may enter this room."};
    if (room.config.isPasswordProtected) {
        const Element* x = presence.root().child("x", names::muc);
        const Element* password = x ? x->child("password") : nullptr;
        std::string given;
        if (password)
            for (const Element& node : password->nodes()) given.append(node.text());
        if (!password || given != room.config.password)
            return StanzaError{ErrorType::Auth, Condition::NotAuthorized,
                               "This room needs a password."};
    }
    std::size_t most = limits_.occupantsMax;
    if (room.config.occupantsMax > 0) most = std::min(most, std::size_t(room.config.occupantsMax));
    if (affiliation >= Affiliation::Admin) most += ownersBeyondMax;
    if (room.clientCount() >= most)
        return StanzaError{ErrorType::Wait, Condition::ServiceUnavailable, "This room is full."};
    return std::nullopt;
}

bool Service::isShutOut(const Room& room, const Jid& bare, Role role) const {
    return room.config.isLockedDown && role < Role::Moderator &&
           room.affiliationOf(bare) < Affiliation::Member;
}

std::optional<StanzaError> Service::whyNotNick(const Room& room, const Jid& bare,
                                               const Nick& nick) const {
    const Jid owner = room.reserver(nick.key);
    if (!owner.empty() && owner != bare)
        return conflict("This nickname is reserved by somebody else.");
    const Occupant* other = room.byKey(nick.key);
    if (other && other->bare != bare) return conflict("Somebody else has this nickname.");
    if (!limits_.refusesConfusable || other) return std::nullopt;
    const std::string looks = skeletonOf(nick.text);
    const std::string keyLooks = skeletonOf(nick.key);
    for (const auto& occupant : room.occupants()) {
        if (occupant->bare == bare) continue;
        if (occupant->looks.empty()) {
            occupant->looks = skeletonOf(occupant->nick);
            occupant->keyLooks = skeletonOf(occupant->key);
        }
        if ((occupant->looks == looks && !looks.empty()) ||
            (occupant->keyLooks == keyLooks && !keyLooks.empty()))
            return conflict("This nickname looks like that of somebody else.");
    }
    return std::nullopt;
}

void Service::enter(const At& at, const StanzaPtr& presence, bool isNew) {
    Room& room = *at.room;
    const Jid& client = presence->from();
    const Jid bare = client.bare();
    if (client.isBare()) {
        refuse(at, *presence, badRequest("A client enters a room with its full address."));
        return;
    }
    if (auto error = whyNotEnter(room, bare, *presence)) {
        refuse(at, *presence, *error);
        return;
    }
    auto nick = readNick(presence->to().resource(), limits_.nickBytesMax);
    // Who has a nickname that is his gets that one (7.10).
    if (auto own = lockedNick(room, bare)) nick = std::move(own);
    const auto address = nick ? room.address.withResource(nick->text) : std::nullopt;
    if (!nick || !address) {
        refuse(at, *presence, notAcceptable("This nickname is not allowed."));
        return;
    }
    if (auto error = whyNotNick(room, bare, *nick)) {
        refuse(at, *presence, *error);
        return;
    }
    auto clean = cleanPresence(*presence);
    if (clean->toXml().size() > limits_.presenceBytesMax) {
        refuse(at, *presence, tooLong("presence"));
        return;
    }
    const SteadyTime now = at.shard.executor().now();
    const Affiliation affiliation = room.affiliationOf(bare);
    const Role role = room.usualRole(bare, affiliation);
    if (!isNew && !isAllowed(at, RoomAct::Enters, *presence, nick->text, {affiliation, role}, now))
        return;
    entered.add();
    const bool isNickChanged = nick->text != presence->to().resource();
    if (Occupant* other = room.byKey(nick->key)) {
        // One more client of somebody who is in.
        if (other->places.size() >= sessionsMax) {
            refuse(at, *presence, conflict("Too many clients have this nickname."));
            return;
        }
        Place& place = room.addPlace(*other, client, clean);
        save(at, *other, place);
        welcome(at, *other, place, *presence, false, other->nick != presence->to().resource());
        return;
    }
    Occupant occupant;
    occupant.nick = nick->text;
    occupant.key = nick->key;
    occupant.address = *address;
    occupant.bare = bare;
    occupant.id = room.occupantId(bare);
    occupant.affiliation = affiliation;
    occupant.role = role;
    occupant.since = now;
    Occupant& one = room.enter(std::move(occupant));
    Place& place = room.addPlace(one, client, clean);
    save(at, one, place);
    if (isShown(room, one.role)) tellOthers(at, one, StanzaType::None, nullptr, {});
    welcome(at, one, place, *presence, isNew, isNickChanged);
}

// Others, himself, history, subject: in this order (7.1).
void Service::welcome(const At& at, Occupant& occupant, const Place& place, const Stanza& presence,
                      bool isNew, bool isNickChanged) {
    const Telling telling{*at.room};
    Room& room = *at.room;
    const bool withJid = seesAddresses(room, occupant);
    for (const auto& other : room.occupants())
        if (other.get() != &occupant && isShown(room, other->role))
            send(shownPresence(room, *other, withJid), place.jid);
    Note note;
    note.client = &place.jid;
    if (room.config.isNonAnonymous()) note.codes.push_back(100);
    note.codes.push_back(110);
    if (room.config.isArchived && !room.config.isMembersOnly) note.codes.push_back(170);
    if (isNew) note.codes.push_back(201);
    if (isNickChanged) note.codes.push_back(210);
    send(makePresence(room, occupant, StanzaType::None, place.presence.get(), true, note,
                      presence.id()),
         place.jid);
    const Element* x = presence.root().child("x", names::muc);
    sendHistory(at, room, place.jid, x ? x->child("history") : nullptr);
    sendSubject(at, room, place.jid);
}

// ---- making a room by entering it

void Service::create(Shard& shard, Host& host, const StanzaPtr& presence, const Hold& hold) {
    const Jid& client = presence->from();
    if (!presence->root().child("x", names::muc)) {
        auto gone = Stanza::presence(StanzaType::Unavailable, presence->to(), client);
        Element& x = gone->edit().add("x", names::user);
        x.add("item").set("affiliation", "none").set("role", "none");
        for (const char* code : {"110", "307", "333"}) x.add("status").set("code", code);
        if (!presence->to().isBare()) server_.route(gone);
        return;
    }
    if (presence->to().isBare()) {
        shard.refuse(*presence, {ErrorType::Modify, Condition::JidMalformed,
                                 "Choose a nickname: room@service/nickname."});
        return;
    }
    const bool isAllowed =
        limits_.creators == "everybody" ||
        (limits_.creators == "accounts" && server_.isLocal(client.domain()) && client.hasLocal());
    if (!isAllowed) {
        shard.refuse(*presence, {Condition::NotAllowed, "You may not create rooms here."});
        return;
    }
    if (!readNick(presence->to().resource(), limits_.nickBytesMax) || client.isBare()) {
        shard.refuse(*presence, notAcceptable("This nickname is not allowed."));
        return;
    }
    const Jid address = presence->to().bare();
    const Jid creator = client.bare();
    auto room = std::make_shared<Room>(address, -std::int64_t((randomNumber() >> 2) | 1));
    RoomConfig config = presetConfig(limits_.preset);
    config.isArchived = limits_.archivesNew;
    config.historyMax = std::min(config.historyMax, std::int64_t(limits_.historyMax));
    room->configure(std::move(config));
    room->secret = randomBytes(32);
    room->creator = creator.text();
    room->created = shard.executor().wallNow();
    room->isLocked = true;
    room->lockedBy = client;
    room->lastUsed = shard.executor().now();
    room->setAffiliation(creator, {Affiliation::Owner});
    StoredRoom stored;
    stored.id = room->id;
    stored.creator = room->creator;
    stored.created = room->created;
    stored.config = room->config;
    stored.secret = room->secret;
    stored.lockedBy = client.text();
    stored.affiliations.set(creator, {Affiliation::Owner});
    rooms(shard).reserve(address);
    start(store_.create(address, std::move(stored), limits_.roomsMax),
          [this, &shard, &host, address, room, presence, hold, keep = host.sharedServices()](
              std::optional<Store::Created> outcome, std::exception_ptr failure) {
              if (!failure && *outcome == Store::Created::Yes) {
                  made.add();
                  enter({shard, host, room}, presence, true);
                  // Who makes a room and does not get in has made none.
                  const bool isEmpty = room->occupants().empty();
                  if (isEmpty) destroy({shard, host, room}, {}, {}, {});
                  rooms(shard).release(address, isEmpty ? nullptr : room);
                  return;
              }
              rooms(shard).release(address, nullptr);
              if (failure)
                  shard.refuse(*presence, notNow());
              else if (*outcome == Store::Created::TooMany)
                  shard.refuse(*presence, {ErrorType::Wait, Condition::ResourceConstraint,
                                           "You have created as many rooms as you may."});
              else
                  shard.receive(presence, hold);  // somebody else was faster
          });
}

// ---- being there

void Service::changePresence(const At& at, Occupant& occupant, const StanzaPtr& presence) {
    Room& room = *at.room;
    Place& place = *occupant.place(presence->from());
    place.presence = cleanPresence(*presence);
    save(at, occupant, place);
    // Of several clients the first one speaks for the occupant; the one that was used last is the
    // best guess where he is.
    if (&place != &occupant.places.front())
        std::rotate(occupant.places.begin(),
                    occupant.places.begin() + (&place - occupant.places.data()),
                    occupant.places.begin() + (&place - occupant.places.data()) + 1);
    occupant.changed();
    if (isShown(room, occupant.role)) tellOthers(at, occupant, StanzaType::None, nullptr, {});
    tellSelf(at, occupant, StanzaType::None, occupant.places.front().presence.get(), {});
}

void Service::changeNick(const At& at, Occupant& occupant, const StanzaPtr& presence,
                         bool isEntry) {
    Room& room = *at.room;
    const auto nick = readNick(presence->to().resource(), limits_.nickBytesMax);
    const auto address = nick ? room.address.withResource(nick->text) : std::nullopt;
    if (!nick || !address) {
        refuse(at, *presence, notAcceptable("This nickname is not allowed."));
        return;
    }
    const Occupant* other = room.byKey(nick->key);
    if (other && other != &occupant) {
        refuse(at, *presence, conflict("Somebody has this nickname."));
        return;
    }
    if (auto error = whyNotNick(room, occupant.bare, *nick)) {
        refuse(at, *presence, *error);
        return;
    }
    if (nick->text == occupant.nick) {
        changePresence(at, occupant, presence);
        return;
    }
    if (lockedNick(room, occupant.bare).value_or(*nick).text != nick->text) {
        refuse(at, *presence, notAcceptable("In this room you have the nickname that is yours."));
        return;
    }
    if (isShutOut(room, occupant.bare, occupant.role)) {
        refuse(at, *presence, forbidden("The room is locked down for the moment."));
        return;
    }
    if (!isAllowed(at, RoomAct::ChangesNick, *presence, nick->text, occupant.standing(),
                   occupant.since))
        return;
    Place& place = *occupant.place(presence->from());
    place.presence = cleanPresence(*presence);
    const bool isSeen = isShown(room, occupant.role);
    const Note renamed{.codes = {303}, .newNick = nick->text};
    if (isSeen) tellOthers(at, occupant, StanzaType::Unavailable, nullptr, renamed);
    tellSelf(at, occupant, StanzaType::Unavailable, nullptr, renamed);
    room.rename(occupant, nick->text, nick->key, *address);
    for (const Place& each : occupant.places) save(at, occupant, each);
    if (isSeen) tellOthers(at, occupant, StanzaType::None, nullptr, {});
    const bool isNickChanged = nick->text != presence->to().resource();
    Note note;
    if (isNickChanged) note.codes.push_back(210);
    // A client that enters under another name than it has knows nothing of the room any more.
    tellSelf(at, occupant, StanzaType::None, occupant.places.front().presence.get(), note,
             isEntry ? presence->from() : Jid{});
    if (isEntry)
        welcome(at, occupant, *occupant.place(presence->from()), *presence, false, isNickChanged);
}

std::optional<Nick> Service::lockedNick(const Room& room, const Jid& bare) const {
    if (!room.config.locksNicks) return std::nullopt;
    const auto entry = room.entryOf(bare);
    if (!entry || entry->nick.empty()) return std::nullopt;
    return readNick(entry->nick, entry->nick.size());
}

// ---- going

void Service::leave(const At& at, Occupant& occupant, const Jid& client, const Stanza* content,
                    Note note) {
    Room& room = *at.room;
    // An owner who goes before he has configured the room has given it up (10.1.3).
    if (room.isLocked && client == room.lockedBy) {
        destroy(at, {}, {}, {});
        return;
    }
    store_.removeOccupant(at.shard.executor(), room.id, client.text());
    noteGoing(at, occupant, occupant.places.size() == 1);
    Note own = note;
    own.client = &client;
    own.codes.insert(own.codes.begin(), 110);
    {
        const Telling telling{room};
        send(makePresence(room, occupant, StanzaType::Unavailable, content, true, own), client);
    }
    if (occupant.places.size() > 1) {
        const bool wasFirst = occupant.places.front().jid == client;
        room.removePlace(occupant, client);
        occupant.changed();
        if (wasFirst && isShown(room, occupant.role))
            tellOthers(at, occupant, StanzaType::None, nullptr, {});
    } else {
        if (isShown(room, occupant.role))
            tellOthers(at, occupant, StanzaType::Unavailable, content, note);
        room.leave(occupant);
    }
    abandonIfEmpty(at);
}

// What is said from now on he has not heard.
void Service::noteGoing(const At& at, const Occupant& occupant, bool isLastClient) {
    Room& room = *at.room;
    room.toldListeners = 0;
    listeners_.forget(occupant.bare, room.address);
    if (isLastClient && occupant.affiliation >= Affiliation::Member)
        store_.noteLeft(at.shard.executor(), room.id, occupant.bare.text(),
                        at.shard.executor().wallNow());
}

void Service::abandonIfEmpty(const At& at) {
    Room& room = *at.room;
    if (room.isGone) return;
    // An owner who has gone before he configured the room has given it up (10.1.3).
    const bool isGivenUp = room.isLocked && !room.byClient(room.lockedBy);
    if (isGivenUp || (room.occupants().empty() && !room.config.isPersistent))
        destroy(at, {}, {}, {});
}

UniqueFunction<void()> Service::expel(const At& at, Occupant& occupant, Note note) {
    Room& room = *at.room;
    tellSelf(at, occupant, StanzaType::Unavailable, nullptr, note);
    auto gone = std::make_shared<Occupant>(occupant);
    for (const Place& place : occupant.places)
        store_.removeOccupant(at.shard.executor(), room.id, place.jid.text());
    noteGoing(at, occupant, true);
    room.leave(occupant);
    return [this, at, gone, note = std::move(note)] {
        if (isShown(*at.room, gone->role))
            tellOthers(at, *gone, StanzaType::Unavailable, nullptr, note);
        abandonIfEmpty(at);
    };
}

void Service::bounced(const At& at, const Stanza& stanza) {
    Occupant* occupant = at.room->byClient(stanza.from());
    const auto error = StanzaError::read(stanza.root());
    if (!occupant || !error || !tellsOfAbsence(error->condition)) return;
    leave(at, *occupant, stanza.from(), nullptr, {.codes = {333}});
}

// ---- the end of a room (10.9)

void Service::destroy(const At& at, std::string_view reason, std::string_view venue,
                      std::string_view password) {
    Room& room = *at.room;
    room.isGone = true;
    rooms(at.shard).remove(room);
    start(forget(room.id), [room = room.address.text(),
                            keep = at.host.sharedServices()](std::exception_ptr failure) {
        if (failure) Log{"muc"}.error("a room could not be deleted", {{"room", room}});
    });
    const Telling telling{room};
    for (const auto& occupant : room.occupants()) {
        auto presence = Stanza::presence(StanzaType::Unavailable, occupant->address, {});
        Element& root = presence->edit();
        Element& x = root.add("x", names::user);
        x.add("item").set("affiliation", "none").set("role", "none");
        Element& end = x.add("destroy");
        if (!venue.empty()) end.set("jid", venue);
        if (!password.empty()) end.addWithText("password", password);
        if (!reason.empty()) end.addWithText("reason", reason);
        x.add("status").set("code", "110");
        root.add("occupant-id", names::occupantId).set("id", occupant->id);
        for (const Place& place : occupant->places) send(presence, place.jid);
    }
    while (!room.occupants().empty()) room.leave(*room.occupants().back());
}

}  // namespace epode::muc
