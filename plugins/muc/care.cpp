// What has to be done without being asked: rooms that had occupants before a restart come back, and
// those whose clients did not come back leave; rooms that nobody needs leave memory.
#include "service.h"

#include "names.h"

#include "core/log.h"
#include "route/account.h"
#include "route/every_shard.h"
#include "route/session.h"

#include <algorithm>

namespace epode::muc {

namespace {

constexpr Duration idleAfter = std::chrono::minutes{5};
constexpr Duration firstLook = std::chrono::seconds{3};
constexpr Duration lookEvery = std::chrono::minutes{1};
constexpr int looksMax = 2;
// Rooms with occupants are read again in small portions, so that others are read meanwhile.
constexpr std::size_t recalledAtOnce = 50;
constexpr Duration recallEvery = std::chrono::milliseconds{50};

struct Missing {
    Jid room;
    Jid client;
};

}  // namespace

Task<Duration> Service::care() {
    Host* host = server_.here().host(host_);
    if (!host) co_return lookEvery;
    if (!recalling_) {
        std::string domain = domain_;
        auto names = co_await store_.inhabited(std::move(domain));
        recalling_ = std::move(names);
    }
    if (!recalling_->empty()) {
        for (std::size_t i = 0; i < recalledAtOnce && !recalling_->empty(); ++i) {
            const auto address = Jid::make(recalling_->back(), domain_);
            recalling_->pop_back();
            if (!address) continue;
            Shard& shard = server_.shardOf(address->text());
            shard.executor().post(
                [this, &shard, address = *address, keep = host->sharedServices()] {
                    rooms(shard).with(
                        address, [this, &shard](Jid jid) { return load(shard, std::move(jid)); },
                        keep, [](const RoomPtr&) {}, [] {});
                });
        }
        co_return recalling_->empty() ? firstLook : recallEvery;
    }
    // Later, whoever goes says so, or his server does.
    if (looks_ == looksMax) {
        std::function<char(Shard&)> forget = [this](Shard& shard) {
            rooms(shard).forgetIdle(shard.executor().now() - idleAfter);
            return '\0';
        };
        auto forgetting = everyShard<char>(server_, std::move(forget));
        const auto forgotten = co_await forgetting;
        (void)forgotten;
        co_return lookEvery;
    }
    ++looks_;
    // Local clients that are in a room, and whose session does not exist any more.
    std::function<std::vector<Missing>(Shard&)> look = [this](Shard& shard) {
        std::vector<Missing> people;
        rooms(shard).each([&](const RoomPtr& room) {
            for (const auto& occupant : room->occupants())
                for (const Place& place : occupant->places)
                    if (server_.isLocal(place.jid.domain()))
                        people.push_back({room->address, place.jid});
        });
        return people;
    };
    auto asking = everyShard<std::vector<Missing>>(server_, std::move(look));
    const auto present = co_await asking;
    std::vector<std::vector<Missing>> byShard(server_.shardCount());
    for (const auto& part : present)
        for (const Missing& one : part)
            byShard[server_.shardOf(one.client.bareText()).number()].push_back(one);
    std::function<std::vector<Missing>(Shard&)> check = [&byShard](Shard& shard) {
        std::vector<Missing> gone;
        for (const Missing& one : byShard[shard.number()]) {
            // A client that has come anew under the old name is not in, and hears so now.
            const Session* session = shard.session(one.client);
            if (!session || !session->hasDirectedTo(one.room)) gone.push_back(one);
        }
        return gone;
    };
    auto checking = everyShard<std::vector<Missing>>(server_, std::move(check));
    const auto missing = co_await checking;
    for (const auto& part : missing)
        for (const Missing& one : part) {
            // As if their server had said so; the room tells the others.
            auto presence = Stanza::presence(StanzaType::Error, one.client, one.room);
            StanzaError{ErrorType::Cancel, Condition::RecipientUnavailable, ""}.addTo(
                presence->edit());
            server_.route(presence);
        }
    co_return lookEvery;
}

Task<void> Service::forgetPerson(RoomPtr room, Jid account) {
    const auto turn = co_await room->turns.take();
    const auto entry = room->entryOf(account);
    if (entry && entry->affiliation != Affiliation::Outcast) room->setAffiliation(account, {});
    room->hats.wearers.erase(account);
}

// Who gets the name of an account that was removed must not get its rights.
void Service::accountRemoved(const Jid& account) {
    Host* host = server_.here().host(host_);
    if (!host) return;
    start(store_.forgetPerson(account.text()),
          [keep = host->sharedServices()](std::exception_ptr failure) {
              if (failure)
                  Log{"muc"}.error("the affiliations of a removed account could not be deleted");
          });
    for (unsigned i = 0; i < server_.shardCount(); ++i) {
        Shard& shard = server_.shard(i);
        shard.executor().post([this, &shard, account, keep = host->sharedServices()] {
            rooms(shard).each([&](const RoomPtr& room) {
                start(forgetPerson(room, account), [keep](std::exception_ptr) {});
            });
        });
    }
}

}  // namespace epode::muc
