// What moderators do to people, with a reason and for a term: by commands, by the operator's tool,
// or because a rule says so; and what is written down of it.
#include "service.h"

#include "errors.h"
#include "names.h"

#include "core/log.h"
#include "route/every_shard.h"

#include <algorithm>

namespace epode::muc {

namespace {

constexpr Duration termMax = std::chrono::hours{24 * 3650};
constexpr Duration lookEvery = std::chrono::seconds{15};
// At once, so that other rooms are served in between.
constexpr std::size_t endedAtOnce = 500;

// The terms of the specification for what an order does to somebody.
std::optional<StanzaError> whyNot(const Order& order, Affiliation before, Role role) {
    if (!order.actor) return std::nullopt;
    switch (order.what) {
        case Order::What::Ban:
            return whyNotAffiliation(order.actor->affiliation, before, Affiliation::Outcast);
        case Order::What::Unban:
            return whyNotAffiliation(order.actor->affiliation, before, Affiliation::None);
        case Order::What::Kick:
            return whyNotRole(*order.actor, {before, role}, Role::None);
        case Order::What::Mute:
            if (before >= Affiliation::Admin) break;  // for everybody: below
            return whyNotRole(*order.actor, {before, role == Role::None ? Role::Participant : role},
                              Role::Visitor);
        case Order::What::Unmute:
            return whyNotRole(*order.actor, {before, Role::Visitor}, Role::Participant);
    }
    return std::nullopt;
}

}  // namespace

Task<std::optional<StanzaError>> Service::carryOut(At at, Order order) {
    const RoomPtr room = at.room;
    const auto turn = co_await room->turns.take();
    if (room->isGone) co_return noSuchRoom();
    if (order.reason.size() > limits_.reasonBytesMax) co_return tooLong("reason");
    if (order.term && (*order.term <= Duration{} || *order.term > termMax))
        co_return notAcceptable("A term is between a second and ten years.");
    if (order.person.empty()) {
        const Occupant* named = room->byNick(order.nick);
        if (!named) co_return noSuchOccupant();
        order.person = named->bare;
    }
    order.person = order.person.bare();
    Role role = Role::None;
    for (const Occupant* present : room->byBare(order.person)) role = std::max(role, present->role);
    const Affiliation before = room->affiliationOf(order.person);
    if (auto refusal = whyNot(order, before, role)) co_return *refusal;
    if (order.what == Order::What::Ban && order.actor && order.person.text() == order.by)
        co_return conflict("You can't ban yourself.");

    const Note note{.codes = {}, .actor = order.byNick, .reason = order.reason};
    std::vector<UniqueFunction<void()>> later;
    if (order.what == Order::What::Kick) {
        const auto present = room->byBare(order.person);
        if (present.empty()) co_return noSuchOccupant();
        log(at, order.by, "kick", order.person.text(), order.reason);
        for (Occupant* occupant : present) changeRole(at, *occupant, Role::None, note, later);
        for (auto& next : later) next();
        co_return std::nullopt;
    }

    Change change{.person = order.person,
                  .entry = room->entryOf(order.person).value_or(Affiliated{}),
                  .note = note,
                  .by = order.by};
    Affiliated& entry = change.entry;
    const WallTime now = at.shard.executor().wallNow();
    const auto until = [&]() -> std::optional<WallTime> {
        if (!order.term) return std::nullopt;
        return now + std::chrono::duration_cast<std::chrono::milliseconds>(*order.term);
    };
    switch (order.what) {
        case Order::What::Ban:
            if (entry.affiliation == Affiliation::Owner && room->ownerCount() == 1)
                co_return conflict("A room has at least one owner.");
            entry = {Affiliation::Outcast, {}, order.reason, Voice::Usual, until()};
            break;
        case Order::What::Unban:
            if (entry.affiliation != Affiliation::Outcast)
                co_return StanzaError{Condition::ItemNotFound, "This address is not banned."};
            entry.affiliation = Affiliation::None;
            break;
        case Order::What::Mute:
            if (before >= Affiliation::Admin)
                co_return StanzaError{Condition::NotAllowed, "Admins and owners are moderators."};
            if (before == Affiliation::Outcast)
                co_return conflict("Who is banned can't speak anyway.");
            entry.voice = Voice::Muted;
            entry.reason = order.reason;
            entry.until = until();
            break;
        case Order::What::Unmute:
            if (entry.voice != Voice::Muted)
                co_return StanzaError{Condition::ItemNotFound, "This address is not muted."};
            entry.voice = Voice::Usual;
            break;
        case Order::What::Kick:
            break;
    }
    entry.tidy();
    std::vector<Change> changes{change};
    const auto refusal = co_await storeAffiliations(room, std::move(changes));
    if (refusal) co_return *refusal;
    if (room->isGone) co_return noSuchRoom();
    applyAffiliation(at, change, 0, later);
    for (auto& next : later) next();
    co_return std::nullopt;
}

Task<std::optional<StanzaError>> Service::lockDownIn(At at, bool isOn, std::string by,
                                                     std::string reason) {
    const RoomPtr room = at.room;
    const auto turn = co_await room->turns.take();
    if (room->isGone) co_return noSuchRoom();
    if (reason.size() > limits_.reasonBytesMax) co_return tooLong("reason");
    if (room->config.isLockedDown == isOn) co_return std::nullopt;
    const RoomConfig before = room->config;
    RoomConfig wanted = before;
    wanted.isLockedDown = isOn;
    const std::int64_t id = room->id;
    RoomConfig stored = wanted;
    std::string lockedBy = room->isLocked ? room->lockedBy.text() : std::string{};
    co_await store_.saveConfig(id, std::move(stored), std::move(lockedBy));
    if (room->isGone) co_return noSuchRoom();
    room->configure(std::move(wanted));
    log(at, std::move(by), isOn ? "lockdown" : "end of lockdown", {}, std::move(reason));
    configChanged(at, before);
    co_return std::nullopt;
}

void Service::log(const At& at, std::string by, std::string_view action, std::string target,
                  std::string reason, std::string details) {
    Executor& executor = at.shard.executor();
    store_.log(executor, {.room = at.room->address,
                          .at = executor.wallNow(),
                          .actor = std::move(by),
                          .action = std::string{action},
                          .target = std::move(target),
                          .reason = std::move(reason),
                          .details = std::move(details)});
}

// ---- terms

bool Service::hasOverdue(const At& at) const {
    const auto* first = at.room->firstTerm();
    return first && first->first <= at.shard.executor().wallNow();
}

// In memory at once; in the store when it comes to it, and else when the room is read again.
void Service::endTerms(const At& at) {
    Room& room = *at.room;
    // Somebody is changing something, perhaps just this: it ends when he is done.
    if (room.turns.isTaken()) return;
    const WallTime now = at.shard.executor().wallNow();
    std::vector<std::pair<Jid, Affiliated>> rows;
    std::vector<AuditEntry> entries;
    std::vector<UniqueFunction<void()>> later;
    while (rows.size() < endedAtOnce && hasOverdue(at)) {
        const Jid person = room.firstTerm()->second;
        Change change{.person = person, .entry = *room.entryOf(person), .note = {}};
        const bool isBan = change.entry.affiliation == Affiliation::Outcast;
        if (isBan) change.entry.affiliation = Affiliation::None;
        change.entry.voice = Voice::Usual;
        change.entry.tidy();
        entries.push_back({.room = room.address,
                           .at = now,
                           .actor = {},
                           .action = isBan ? "unban" : "unmute",
                           .target = person.text(),
                           .reason = "The term is over."});
        rows.emplace_back(person, change.entry);
        applyAffiliation(at, change, 0, later);
    }
    for (auto& next : later) next();
    start(store_.saveAffiliations(room.id, std::move(rows), std::move(entries)),
          [keep = at.host.sharedServices()](std::exception_ptr failure) {
              if (failure) Log{"muc"}.warning("the end of a term could not be stored");
          });
}

Task<Duration> Service::watchTerms() {
    std::function<char(Shard&)> look = [this](Shard& shard) {
        Host* host = shard.host(host_);
        if (!host) return '\0';
        std::vector<RoomPtr> due;
        rooms(shard).each([&](const RoomPtr& room) {
            if (!room->isBusy && hasOverdue({shard, *host, room})) due.push_back(room);
        });
        for (const RoomPtr& room : due) endTerms({shard, *host, room});
        return '\0';
    };
    auto looking = everyShard<char>(server_, std::move(look));
    const auto looked = co_await looking;
    (void)looked;
    co_return lookEvery;
}

// ---- rules of plugins

bool Service::isAllowed(const At& at, RoomAct act, const Stanza& stanza, std::string_view nick,
                        Standing standing, SteadyTime since) {
    const auto& hook = at.host.services().inRoom;
    if (hook.empty()) return true;
    Room& room = *at.room;
    const bool isModerator =
        standing.role == Role::Moderator || standing.affiliation >= Affiliation::Admin;
    RoomEvent event{act,
                    at.host,
                    at.shard,
                    room.address,
                    room.settings(),
                    stanza,
                    stanza.from(),
                    nick,
                    standing.affiliation >= Affiliation::Member,
                    isModerator,
                    since};
    if (hook.run(event) == Verdict::Pass) return true;
    refuse(at, stanza,
           event.refusal.value_or(StanzaError{Condition::PolicyViolation,
                                              "The rules of this room don't allow this."}));
    if (event.penalty == RoomEvent::Penalty::None) return false;
    Order order{.what = event.penalty == RoomEvent::Penalty::Mute   ? Order::What::Mute
                        : event.penalty == RoomEvent::Penalty::Kick ? Order::What::Kick
                                                                    : Order::What::Ban};
    order.person = stanza.from().bare();
    if (event.term > Duration{} && order.what != Order::What::Kick) order.term = event.term;
    order.reason = event.refusal ? event.refusal->text : std::string{};
    order.by = "rule " + event.rule;
    start(carryOut(at, std::move(order)),
          [keep = at.host.sharedServices(), room = room.address.text()](
              std::optional<std::optional<StanzaError>>, std::exception_ptr failure) {
              if (failure) Log{"muc"}.warning("a penalty could not be stored", {{"room", room}});
          });
    return false;
}

}  // namespace epode::muc
