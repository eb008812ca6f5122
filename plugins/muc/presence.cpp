// Who is in the room, as each occupant may see it (XEP-0045, 7.2.2 to 7.2.4, 17.3).
#include "service.h"

#include "names.h"

#include "core/base64.h"
#include "core/digest.h"
#include "core/namespaces.h"

#include <algorithm>

namespace epode::muc {

namespace {

// What a client must not say in a room (17.3, 6; XEP-0421, 4).
bool isRoomsOwn(const Element& child, std::string_view room) {
    // That the room has delayed it (XEP-0203, 5) only the room says.
    if (child.is("delay", ns::delay)) {
        const auto from = Jid::parse(child.get("from"));
        return !from || from->bareText() == room;
    }
    return child.ns() == names::oldDelay || child.ns() == names::muc || child.ns() == names::user ||
           child.ns() == names::occupantId || child.ns() == names::admin ||
           child.ns() == names::owner || child.ns() == names::hats;
}

}  // namespace

bool Service::seesAddresses(const Room& room, const Occupant& who) {
    return room.config.isNonAnonymous() || who.role == Role::Moderator;
}

bool Service::isShown(const Room& room, Role role) const {
    return role == Role::None || (room.config.broadcastRoles & bitOf(role)) != 0;
}

MutableStanzaPtr Service::cleanPresence(const Stanza& presence) const {
    auto clean = presence.copy();
    const std::string room{presence.to().bareText()};
    clean->edit().removeChildren([&room](const Element& child) { return isRoomsOwn(child, room); });
    return clean;
}

StanzaPtr Service::makePresence(const Room& room, const Occupant& about, StanzaType type,
                                const Stanza* content, bool withJid, const Note& note,
                                std::string_view id) const {
    auto presence = Stanza::presence(type, about.address, {}, id);
    if (content && !content->lang().empty()) presence->setLang(content->lang());
    Element& root = presence->edit();
    if (content)
        for (const Element& child : content->root().children())
            if (!isRoomsOwn(child, room.address.text())) root.add(child);
    Element& x = root.add("x", names::user);
    Element& item = x.add("item");
    const bool isGoing = type == StanzaType::Unavailable && note.newNick.empty();
    item.set("affiliation", toText(about.affiliation));
    item.set("role", toText(isGoing ? Role::None : about.role));
    if (withJid && note.client)
        item.set("jid", note.client->text());
    else if (withJid && !about.places.empty())
        item.set("jid", about.places.front().jid.text());
    if (!note.newNick.empty()) item.set("nick", note.newNick);
    if (!note.actor.empty()) item.add("actor").set("nick", note.actor);
    if (!note.reason.empty()) item.addWithText("reason", note.reason);
    for (const int code : note.codes) x.add("status").set("code", std::to_string(code));
    root.add("occupant-id", names::occupantId).set("id", about.id);
    if (!room.hats.wearers.empty()) addHats(root, room, about.bare);
    std::string inner;
    writeInnerXml(inner, root);
    presence->setInner(inner);
    return presence;
}

StanzaPtr Service::shownPresence(const Room& room, Occupant& about, bool withJid) {
    StanzaPtr& shown = withJid ? about.shownWithJid : about.shown;
    if (!shown) {
        const Stanza* content =
            about.places.empty() ? nullptr : about.places.front().presence.get();
        shown = makePresence(room, about, StanzaType::None, content, withJid, {});
    }
    return shown;
}

void Service::send(const StanzaPtr& stanza, const Jid& to, Hold hold) {
    server_.route(Stanza::readdressed(stanza, to), std::move(hold));
}

std::shared_ptr<const Audience> Service::audienceOf(const Room& room) {
    auto made = std::make_shared<Audience>();
    made->shards.resize(server_.shardCount());
    for (const auto& occupant : room.occupants())
        for (const Place& place : occupant->places) {
            const bool isOurs = server_.isLocal(place.jid.domain());
            auto& list = isOurs ? made->shards[server_.shardOf(place.jid.bareText()).number()]
                                : made->others;
            list.push_back(place.jid);
        }
    return made;
}

// One post for each shard, however many occupants live there; who that is was found out before.
void Service::broadcast(const At& at, const StanzaPtr& stanza) {
    const Telling telling{*at.room};
    if (!at.room->audience) at.room->audience = audienceOf(*at.room);
    const std::shared_ptr<const Audience> audience = at.room->audience;
    for (unsigned i = 0; i < audience->shards.size(); ++i) {
        if (audience->shards[i].empty()) continue;
        Shard& shard = server_.shard(i);
        const auto deliver = [&shard, stanza, audience, i] {
            for (const Jid& jid : audience->shards[i])
                shard.receive(Stanza::readdressed(stanza, jid), {});
        };
        if (&shard == &at.shard)
            deliver();
        else
            shard.executor().post(deliver);
    }
    for (const Jid& jid : audience->others) send(stanza, jid);
}

void Service::tellOthers(const At& at, Occupant& about, StanzaType type, const Stanza* content,
                         const Note& note) {
    const Telling telling{*at.room};
    const bool isPlain =
        type == StanzaType::None && note.codes.empty() && note.actor.empty() && note.reason.empty();
    StanzaPtr variants[2];
    for (const auto& occupant : at.room->occupants()) {
        if (occupant.get() == &about) continue;
        const bool withJid = seesAddresses(*at.room, *occupant);
        StanzaPtr& presence = variants[withJid];
        if (!presence)
            presence = isPlain ? shownPresence(*at.room, about, withJid)
                               : makePresence(*at.room, about, type, content, withJid, note);
        for (const Place& place : occupant->places) send(presence, place.jid);
    }
}

void Service::tellSelf(const At& at, Occupant& about, StanzaType type, const Stanza* content,
                       Note note, const Jid& except) {
    const Telling telling{*at.room};
    note.codes.insert(note.codes.begin(), 110);
    const auto presence = makePresence(*at.room, about, type, content, true, note);
    for (const Place& place : about.places)
        if (place.jid != except) send(presence, place.jid);
}

void Service::save(const At& at, const Occupant& occupant, const Place& place) {
    store_.saveOccupant(at.shard.executor(), at.room->id,
                        {place.jid.text(), occupant.nick, occupant.role, place.presence->toXml(),
                         std::int64_t(place.serial)});
}

// A message of the room itself about its configuration (10.2.1).
void Service::announce(const At& at, std::initializer_list<int> codes) {
    if (codes.size() == 0) return;
    auto message = Stanza::message(StanzaType::Groupchat, at.room->address, {},
                                   Uuid::at(at.shard.executor().wallNow()).text());
    Element& x = message->edit().add("x", names::user);
    for (const int code : codes) x.add("status").set("code", std::to_string(code));
    std::string inner;
    writeInnerXml(inner, message->root());
    message->setInner(inner);
    broadcast(at, message);
}

}  // namespace epode::muc
