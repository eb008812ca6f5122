#include "service.h"

#include "errors.h"
#include "names.h"

#include "core/log.h"

#include <stdexcept>

namespace epode::muc {

Service::Service(Server& server, std::string host, std::string domain, Limits limits)
    : server_{server},
      host_{std::move(host)},
      domain_{std::move(domain)},
      address_{Jid::parse(domain_).value_or(Jid{})},
      limits_{std::move(limits)},
      store_{server.database()} {
    for (unsigned i = 0; i < server.shardCount(); ++i) rooms_.push_back(std::make_unique<Rooms>());
}

// Who was in it before a restart is in it again: those whose clients did not come back leave when
// that is known (care.cpp), or when something can't be delivered to them.
Task<RoomPtr> Service::load(Shard& shard, Jid address) {
    auto stored = co_await store_.load(address);
    if (!stored) co_return RoomPtr{};
    // After a crash that came before anybody's place was stored, nobody is in it, and it would stay
    // for good.
    const bool isToLast = stored->config.isPersistent && stored->lockedBy.empty();
    if (!isToLast && stored->occupants.empty()) {
        const std::int64_t id = stored->id;
        co_await forget(id);
        co_return RoomPtr{};
    }
    auto room = std::make_shared<Room>(address, stored->id);
    room->configure(std::move(stored->config));
    room->subject = std::move(stored->subject);
    if (const auto kept = Stanza::parse("<message>" + room->subject.xml + "</message>"))
        room->subject.text = kept->root().childText("subject");
    room->secret = std::move(stored->secret);
    room->vcard = std::move(stored->vcard);
    room->creator = std::move(stored->creator);
    room->created = stored->created;
    room->isLocked = !stored->lockedBy.empty();
    if (room->isLocked) room->lockedBy = Jid::parse(stored->lockedBy).value_or(Jid{});
    room->setAffiliations(std::move(stored->affiliations));
    room->hats = std::move(stored->hats);
    for (const StoredOccupant& entry : stored->occupants) {
        const auto client = Jid::parse(entry.jid);
        const auto nick = readNick(entry.nick, entry.nick.size());
        const auto at = nick ? address.withResource(nick->text) : std::nullopt;
        auto presence = Stanza::parse(entry.presence);
        if (!client || !at || !presence) continue;
        presence->setFrom(*client);
        Occupant* occupant = room->byKey(nick->key);
        if (!occupant) {
            Occupant made;
            made.nick = nick->text;
            made.key = nick->key;
            made.address = *at;
            made.bare = client->bare();
            made.id = room->occupantId(made.bare);
            made.affiliation = room->affiliationOf(made.bare);
            made.role = entry.role;
            occupant = &room->enter(std::move(made));
        }
        room->addPlace(*occupant, *client, presence).isRestored = true;
    }
    co_await recall(room);
    room->lastUsed = shard.executor().now();
    co_return room;
}

Task<RoomPtr> Service::find(Shard& shard, Host& host, Jid address) {
    if (RoomPtr room = rooms(shard).find(address.bareText())) {
        room->lastUsed = shard.executor().now();
        if (const At at{shard, host, room}; hasOverdue(at) && !room->isBusy) endTerms(at);
        co_return room;
    }
    struct Found {
        RoomPtr room;
        bool isFailure = false;
    };
    Callback<Found> found{[this, &shard, &host, &address](Callback<Found>::Resolve resolve) {
        auto shared = std::make_shared<Callback<Found>::Resolve>(std::move(resolve));
        rooms(shard).with(
            address, [this, &shard](Jid jid) { return load(shard, std::move(jid)); },
            host.sharedServices(), [shared](const RoomPtr& room) { (*shared)({room, false}); },
            [shared] { (*shared)({nullptr, true}); });
    }};
    const Found result = co_await found;
    if (result.isFailure) throw std::runtime_error{"the room could not be loaded"};
    if (result.room) result.room->lastUsed = shard.executor().now();
    co_return result.room;
}

Task<RoomPtr> Service::roomOf(const Iq& iq) {
    Jid address = iq.to().bare();
    auto room = co_await find(iq.shard(), iq.host(), address);
    if (room && room->isLocked && room->affiliationOf(iq.from().bare()) != Affiliation::Owner)
        room = nullptr;
    co_return room;
}

void Service::receive(ServedStanza served) {
    const StanzaPtr stanza = served.stanza;
    Shard& shard = served.shard;
    Host& host = served.host;
    const Jid& to = stanza->to();
    if (!to.hasLocal()) {
        if (receiveListener(shard, host, *stanza)) return;
        if (stanza->isIq() || stanza->isMessage())
            shard.refuse(*stanza, {Condition::ServiceUnavailable, "Nobody here serves this."});
        return;
    }
    rooms(shard).with(
        to.bare(), [this, &shard](Jid jid) { return load(shard, std::move(jid)); },
        host.sharedServices(),
        [this, &shard, &host, stanza, hold = served.hold](const RoomPtr& room) {
            if (room) {
                room->lastUsed = shard.executor().now();
                receiveIn({shard, host, room}, stanza, hold);
                return;
            }
            if (stanza->isPresence()) {
                const bool isEntry = stanza->type() == StanzaType::None;
                if (isEntry) create(shard, host, stanza, hold);
                return;
            }
            if (stanza->isError() || stanza->type() == StanzaType::Result) return;
            // XEP-0410: who asks whether he is still in has to hear that he is not.
            const bool isPing =
                stanza->isIq() && stanza->payload() && stanza->payload()->ns() == names::ping;
            shard.refuse(*stanza, isPing ? notInRoom() : noSuchRoom());
        },
        [&shard, stanza] {
            if (!stanza->isPresence() || stanza->type() == StanzaType::None)
                shard.refuse(*stanza, notNow());
        });
}

void Service::receiveIn(const At& at, const StanzaPtr& stanza, Hold hold) {
    Room& room = *at.room;
    if (room.isBusy) {
        at.shard.executor().post(
            [&shard = at.shard, stanza, hold = std::move(hold)] { shard.receive(stanza, hold); });
        return;
    }
    if (hasOverdue(at)) endTerms(at);
    // What was said before somebody came, went or was renamed is heard before it.
    const bool isOrdered = stanza->isPresence() || stanza->isMessage();
    if (isOrdered && !room.outgoing.empty() && (stanza->isPresence() || !room.waiting.empty())) {
        room.waiting.push_back({stanza, std::move(hold)});
        return;
    }
    switch (stanza->kind()) {
        case StanzaKind::Presence:
            receivePresence(at, stanza);
            break;
        case StanzaKind::Message:
            receiveMessage(at, stanza, std::move(hold));
            break;
        case StanzaKind::Iq:
            if (stanza->isRequest())
                forward(at, stanza);
            else
                forwardAnswer(at, stanza);
            break;
    }
}

}  // namespace epode::muc
