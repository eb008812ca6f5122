// What operators do with rooms, from any shard.
#include "service.h"

#include "errors.h"

#include "core/random.h"

namespace epode::muc {

namespace {

// Runs a task on another shard; nothing when it has failed.
template <typename T>
Task<std::optional<T>> runOn(Shard& shard, Task<T> task) {
    using Resolve = typename Callback<std::optional<T>>::Resolve;
    Executor* const back = Executor::current();
    auto moved = std::make_shared<Task<T>>(std::move(task));
    Callback<std::optional<T>> done{[&shard, moved, back](Resolve resolve) {
        auto shared = std::make_shared<Resolve>(std::move(resolve));
        shard.executor().post([moved, back, shared] {
            start(std::move(*moved), [back, shared](std::optional<T> value, std::exception_ptr) {
                back->post(
                    [shared, value = std::move(value)]() mutable { (*shared)(std::move(value)); });
            });
        });
    }};
    auto result = co_await done;
    co_return std::move(result);
}

}  // namespace

Task<std::optional<StanzaError>> Service::createRoom(NewRoom room) {
    StoredRoom stored;
    stored.id = -std::int64_t((randomNumber() >> 2) | 1);
    stored.created = Executor::current()->wallNow();
    stored.config = std::move(room.config);
    stored.secret = randomBytes(32);
    for (const Jid& owner : room.owners)
        stored.affiliations.set(owner.bare(), {Affiliation::Owner});
    const Jid address = room.address;
    const auto outcome = co_await store_.create(address, std::move(stored), 0);
    if (outcome != Store::Created::Yes) co_return conflict("There is such a room already.");
    co_return std::nullopt;
}

namespace {

template <typename T>
T valueOr(std::optional<T> value, T otherwise) {
    return value ? std::move(*value) : std::move(otherwise);
}

}  // namespace

Task<std::optional<StanzaError>> Service::destroyHere(Shard& shard, Jid address,
                                                      std::string reason) {
    Host* host = shard.host(host_);
    if (!host) co_return notNow();
    const auto room = co_await find(shard, *host, address);
    if (!room) co_return noSuchRoom();
    log({shard, *host, room}, "operator", "destroy", {}, reason);
    destroy({shard, *host, room}, reason, {}, {});
    co_return std::nullopt;
}

Task<std::optional<StanzaError>> Service::destroyRoom(Jid address, std::string reason) {
    Shard& shard = server_.shardOf(address.text());
    auto task = destroyHere(shard, address, std::move(reason));
    auto done = co_await runOn(shard, std::move(task));
    co_return valueOr(std::move(done), std::optional<StanzaError>{notNow()});
}

Task<std::optional<StanzaError>> Service::setMemberHere(Shard& shard, Jid address, Jid person,
                                                        Affiliation affiliation, std::string by) {
    Host* host = shard.host(host_);
    if (!host) co_return notNow();
    const auto room = co_await find(shard, *host, address);
    if (!room) co_return noSuchRoom();
    const auto turn = co_await room->turns.take();
    if (room->isGone) co_return noSuchRoom();
    Change change{.person = person.bare(), .entry = {}, .note = {}, .by = std::move(by)};
    change.entry = room->entryOf(change.person).value_or(Affiliated{});
    const bool isLastOwner =
        change.entry.affiliation == Affiliation::Owner && room->ownerCount() == 1;
    if (isLastOwner && affiliation != Affiliation::Owner)
        co_return conflict("A room has at least one owner.");
    change.entry.affiliation = affiliation;
    if (affiliation <= Affiliation::None) change.entry.nick.clear();
    change.entry.tidy();
    std::vector<Change> changes{change};
    const auto refusal = co_await storeAffiliations(room, std::move(changes));
    if (refusal) co_return *refusal;
    if (room->isGone) co_return noSuchRoom();
    std::vector<UniqueFunction<void()>> later;
    applyAffiliation({shard, *host, room}, change, 0, later);
    for (auto& next : later) next();
    co_return std::nullopt;
}

Task<std::optional<StanzaError>> Service::setMember(Jid address, Jid person,
                                                    Affiliation affiliation, std::string by) {
    Shard& shard = server_.shardOf(address.text());
    auto task = setMemberHere(shard, address, std::move(person), affiliation, std::move(by));
    auto done = co_await runOn(shard, std::move(task));
    co_return valueOr(std::move(done), std::optional<StanzaError>{notNow()});
}

Task<std::optional<StanzaError>> Service::carryOutHere(Shard& shard, Jid address, Order wanted) {
    Host* host = shard.host(host_);
    if (!host) co_return notNow();
    const auto room = co_await find(shard, *host, address);
    if (!room) co_return noSuchRoom();
    const At at{shard, *host, room};
    auto refusal = co_await carryOut(at, std::move(wanted));
    co_return refusal;
}

Task<std::optional<StanzaError>> Service::order(Jid address, Order wanted) {
    Shard& shard = server_.shardOf(address.text());
    auto task = carryOutHere(shard, address, std::move(wanted));
    auto done = co_await runOn(shard, std::move(task));
    co_return valueOr(std::move(done), std::optional<StanzaError>{notNow()});
}

Task<std::optional<StanzaError>> Service::lockDownHere(Shard& shard, Jid address, bool isOn,
                                                       std::string by, std::string reason) {
    Host* host = shard.host(host_);
    if (!host) co_return notNow();
    const auto room = co_await find(shard, *host, address);
    if (!room) co_return noSuchRoom();
    const At at{shard, *host, room};
    auto refusal = co_await lockDownIn(at, isOn, std::move(by), std::move(reason));
    co_return refusal;
}

Task<std::optional<StanzaError>> Service::lockDown(Jid address, bool isOn, std::string by,
                                                   std::string reason) {
    Shard& shard = server_.shardOf(address.text());
    auto task = lockDownHere(shard, address, isOn, std::move(by), std::move(reason));
    auto done = co_await runOn(shard, std::move(task));
    co_return valueOr(std::move(done), std::optional<StanzaError>{notNow()});
}

Task<std::optional<Service::Seen>> Service::lookHere(Shard& shard, Jid address) {
    Host* host = shard.host(host_);
    if (!host) co_return std::nullopt;
    const auto room = co_await find(shard, *host, address);
    if (!room) co_return std::nullopt;
    Seen seen;
    seen.address = room->address;
    seen.config = room->config;
    seen.subject = room->subject.text;
    seen.creator = room->creator;
    seen.created = room->created;
    seen.affiliations = room->affiliations().entries();
    for (const auto& occupant : room->occupants())
        for (const Place& place : occupant->places)
            seen.occupants.push_back({occupant->nick, place.jid, occupant->role});
    co_return std::move(seen);
}

Task<std::optional<Service::Seen>> Service::look(Jid address) {
    Shard& shard = server_.shardOf(address.text());
    auto task = lookHere(shard, address);
    auto done = co_await runOn(shard, std::move(task));
    co_return valueOr(std::move(done), std::optional<Seen>{});
}

}  // namespace epode::muc
