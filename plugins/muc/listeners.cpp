// Who is told of rooms that he is not in: activity (XEP-0437) and mentions (XEP-0452).
#include "listeners.h"

#include "service.h"

#include "names.h"

#include "core/forwarded.h"
#include "core/log.h"
#include "core/namespaces.h"
#include "core/time_format.h"
#include "store/stores.h"

#include <algorithm>

namespace epode::muc {

namespace {

constexpr std::size_t listenersMax = 20'000;
constexpr std::int64_t missedMax = 200;  // rooms that are looked through when somebody begins
constexpr Duration againAfter = std::chrono::seconds{10};  // who asks looks through all his rooms
constexpr std::size_t mentionsMax = 10;                    // in one message

// xmpp:juliet@capulet.example, with whatever follows.
std::optional<Jid> addressIn(std::string_view uri) {
    if (!uri.starts_with("xmpp:")) return std::nullopt;
    uri.remove_prefix(5);
    return Jid::parse(uri.substr(0, uri.find_first_of("?#")));
}

}  // namespace

Listeners::Added Listeners::add(const Jid& client, SteadyTime now) {
    const std::lock_guard lock{mutex_};
    const auto found = clients_.find(client);
    if (found == clients_.end() && clients_.size() >= listenersMax) return Added::TooMany;
    if (found != clients_.end() && now - found->second.since < againAfter) return Added::Lately;
    clients_[client] = {{}, now};
    version_.fetch_add(1, std::memory_order_relaxed);
    return Added::Yes;
}

bool Listeners::remove(const Jid& client) {
    const std::lock_guard lock{mutex_};
    return clients_.erase(client) > 0;
}

std::vector<Listeners::Listener> Listeners::untold(const Jid& room) const {
    const std::lock_guard lock{mutex_};
    std::vector<Listener> found;
    for (const auto& [client, told] : clients_)
        if (!told.rooms.contains(room.text())) found.push_back({client, client.bare()});
    return found;
}

bool Listeners::tell(const Jid& client, const Jid& room) {
    const std::lock_guard lock{mutex_};
    const auto found = clients_.find(client);
    return found != clients_.end() && found->second.rooms.insert(room.text()).second;
}

void Listeners::forget(const Jid& bare, const Jid& room) {
    if (version() == 0) return;
    const std::lock_guard lock{mutex_};
    for (auto client = clients_.lower_bound(bare);
         client != clients_.end() && client->first.bareText() == bare.text(); ++client)
        client->second.rooms.erase(room.text());
}

// ---- activity

bool Service::receiveListener(Shard& shard, Host& host, const Stanza& stanza) {
    if (!stanza.isPresence()) {
        if (stanza.isMessage() && stanza.isError()) listeners_.remove(stanza.from());
        return false;
    }
    const Jid& client = stanza.from();
    if (stanza.type() == StanzaType::Unavailable || stanza.isError()) {
        listeners_.remove(client);
        return true;
    }
    if (stanza.type() != StanzaType::None || client.isBare() ||
        !stanza.child("rai", names::activity))
        return false;
    const auto added = listeners_.add(client, shard.executor().now());
    if (added == Listeners::Added::Lately) return true;
    if (added == Listeners::Added::TooMany) {
        shard.refuse(stanza, {ErrorType::Wait, Condition::ResourceConstraint,
                              "Too many clients listen to what happens in rooms."});
        return true;
    }
    start(tellMissed(client), [keep = host.sharedServices()](std::exception_ptr failure) {
        if (failure) Log{"muc"}.warning("what a client has missed in rooms could not be read");
    });
    return true;
}

// What has happened since he was last in his rooms, in one message.
Task<void> Service::tellMissed(Jid client) {
    std::string bare = client.bare().text();
    std::string domain = domain_;
    const auto rooms = co_await store_.membershipsOf(std::move(bare), std::move(domain), missedMax);
    auto message = Stanza::message(StanzaType::Normal, address_, client,
                                   Uuid::at(Executor::current()->wallNow()).text());
    Element& told = message->edit().add("rai", names::activity);
    bool isAnything = false;
    for (const auto& room : rooms) {
        const bool isKnown = toMilliseconds(room.left) != 0;
        if (room.affiliation < Affiliation::Member || room.isInside || !isKnown) continue;
        const std::int64_t id = room.room;
        const auto found = co_await server_.stores().archive.metadata(id);
        if (!found || found->last.stamp() <= room.left) continue;
        const auto address = Jid::make(room.name, domain_);
        if (!address || !listeners_.tell(client, *address)) continue;
        told.addWithText("activity", address->text());
        isAnything = true;
    }
    if (isAnything) server_.route(message);
}

void Service::tellListeners(const At& at) {
    Room& room = *at.room;
    const std::uint64_t version = listeners_.version();
    for (const auto& [client, bare] : listeners_.untold(room.address)) {
        // Members alone: what is nobody else's business stays so.
        if (room.affiliationOf(bare) < Affiliation::Member) continue;
        if (room.byClient(client) || !listeners_.tell(client, room.address)) continue;
        auto message = Stanza::message(StanzaType::Normal, address_, client,
                                       Uuid::at(at.shard.executor().wallNow()).text());
        message->edit().add("rai", names::activity).addWithText("activity", room.address.text());
        server_.route(message);
    }
    room.toldListeners = version;
}

// ---- mentions

void Service::tellMentioned(const At& at, const Room::Outgoing& said) {
    Room& room = *at.room;
    std::vector<Jid> people;
    for (const Element& child : said.message->root().children()) {
        if (!child.is("reference", names::reference) || child.get("type") != "mention") continue;
        const auto address = addressIn(child.get("uri"));
        if (!address) continue;
        Jid person = address->bare();
        if (person == room.address) {
            const auto nick = readNick(address->resource(), limits_.nickBytesMax);
            person = nick ? room.reserver(nick->key) : Jid{};
        }
        const bool isNew = std::find(people.begin(), people.end(), person) == people.end();
        if (!person.empty() && isNew && people.size() < mentionsMax) people.push_back(person);
    }
    for (const Jid& person : people) {
        // Those who have registered a nickname want it (3.2), and who is here has heard it.
        const auto entry = room.entryOf(person);
        if (!entry || entry->affiliation < Affiliation::Member || entry->nick.empty()) continue;
        if (!room.byBare(person).empty()) continue;
        auto message = Stanza::message(StanzaType::Normal, room.address, person,
                                       Uuid::at(at.shard.executor().wallNow()).text());
        addForwarded(message->edit().add("mentions", names::mentions),
                     *Stanza::readdressed(said.message, room.address), said.id.stamp());
        server_.route(message);
    }
}

}  // namespace epode::muc
