#include "personal_data.h"

#include "store.h"

#include "core/element.h"
#include "route/server.h"

namespace epode::muc {

namespace {

constexpr std::int64_t roomsMax = 100'000;

// Where he belongs, as what, and under which nickname. What he has said is in the archives of the
// rooms, and is theirs.
Task<std::int64_t> write(AccountRef account, AccountSink& sink) {
    Store store{account.server.database()};
    std::string bare = account.jid.text();
    std::string everywhere;
    const auto rooms =
        co_await store.membershipsOf(std::move(bare), std::move(everywhere), roomsMax);
    if (rooms.empty()) co_return 0;
    Document all{"rooms", "urn:epode:rooms:0"};
    for (const auto& room : rooms) {
        Element& entry = all->add("room");
        entry.set("jid", room.name + "@" + room.domain);
        entry.set("affiliation", toText(room.affiliation));
        if (!room.nick.empty()) entry.set("nick", room.nick);
        if (!room.reason.empty()) entry.set("reason", room.reason);
    }
    std::string xml;
    writeXml(xml, *all, {});
    co_await sink.write(std::move(xml));
    co_return std::int64_t(rooms.size());
}

// Rooms that are in memory hear of it when the account is gone (Service::accountRemoved). Who is
// banned stays so, whoever has the address next.
Task<std::int64_t> erase(AccountRef account) {
    Store store{account.server.database()};
    std::string bare = account.jid.text();
    std::string everywhere;
    const auto rooms =
        co_await store.membershipsOf(std::move(bare), std::move(everywhere), roomsMax);
    std::string gone = account.jid.text();
    co_await store.forgetPerson(std::move(gone));
    std::int64_t count = 0;
    for (const auto& room : rooms) count += room.affiliation != Affiliation::Outcast;
    co_return count;
}

}  // namespace

std::vector<AccountData> personalData() {
    return {{.what = "places in rooms", .elements = {}, .write = write, .erase = erase}};
}

}  // namespace epode::muc
