#include "room.h"

#include "core/digest.h"
#include "core/metric.h"
#include "core/precis.h"

#include <algorithm>

namespace epode::muc {

namespace {

Gauge loaded{"epode_muc_rooms_loaded", "Rooms that are in memory"};

}  // namespace

Room::Room(Jid roomAddress, std::int64_t roomId) : address{std::move(roomAddress)}, id{roomId} {
    loaded.add(1);
}

Room::~Room() { loaded.add(-1); }

Place* Occupant::place(const Jid& full) {
    const auto found = std::find_if(places.begin(), places.end(),
                                    [&full](const Place& place) { return place.jid == full; });
    return found == places.end() ? nullptr : &*found;
}

void Room::configure(RoomConfig wanted) {
    if (wanted.settings != config_.settings)
        settings_ = std::make_shared<RoomSettings>(wanted.settings);
    config_ = std::move(wanted);
}

Affiliation Room::affiliationOf(const Jid& bare) const {
    const Affiliation own = ownAffiliationOf(bare);
    if (own != Affiliation::None || !bare.hasLocal()) return own;
    return ownAffiliationOf(bare.host());
}

// A domain's word about voice counts for those about whom there is no own word.
Role Room::withVoice(const Jid& bare, Role role) const {
    if (role != Role::Participant && role != Role::Visitor) return role;
    auto entry = entryOf(bare);
    if ((!entry || entry->voice == Voice::Usual) && bare.hasLocal()) entry = entryOf(bare.host());
    if (!entry) return role;
    if (role == Role::Participant && entry->voice == Voice::Muted) return Role::Visitor;
    if (role == Role::Visitor && entry->voice == Voice::Granted) return Role::Participant;
    return role;
}

Occupant* Room::byKey(const std::string& key) const {
    const auto found = byKey_.find(key);
    return found == byKey_.end() ? nullptr : found->second;
}

Occupant* Room::byNick(std::string_view nick) const {
    const auto key = precis::nicknameKey(nick);
    return key ? byKey(*key) : nullptr;
}

Occupant* Room::byClient(const Jid& full) const {
    const auto found = byClient_.find(full);
    return found == byClient_.end() ? nullptr : found->second;
}

std::vector<Occupant*> Room::byBare(const Jid& bare) const {
    std::vector<Occupant*> found;
    for (const auto& occupant : occupants_)
        if (occupant->bare == bare) found.push_back(occupant.get());
    return found;
}

Occupant& Room::enter(Occupant occupant) {
    occupants_.push_back(std::make_unique<Occupant>(std::move(occupant)));
    Occupant& entered = *occupants_.back();
    byKey_[entered.key] = &entered;
    return entered;
}

Place& Room::addPlace(Occupant& occupant, Jid full, StanzaPtr presence) {
    byClient_[full] = &occupant;
    audience = nullptr;
    return occupant.places.emplace_back(Place{std::move(full), ++lastSerial_, std::move(presence)});
}

void Room::removePlace(Occupant& occupant, const Jid& full) {
    byClient_.erase(full);
    audience = nullptr;
    std::erase_if(occupant.places, [&full](const Place& place) { return place.jid == full; });
}

void Room::leave(Occupant& occupant) {
    for (const Place& place : occupant.places) byClient_.erase(place.jid);
    audience = nullptr;
    byKey_.erase(occupant.key);
    std::erase_if(occupants_, [&occupant](const auto& entry) { return entry.get() == &occupant; });
}

void Room::rename(Occupant& occupant, std::string nick, std::string key, Jid newAddress) {
    byKey_.erase(occupant.key);
    occupant.nick = std::move(nick);
    occupant.key = std::move(key);
    occupant.address = std::move(newAddress);
    occupant.looks.clear();
    occupant.keyLooks.clear();
    occupant.changed();
    byKey_[occupant.key] = &occupant;
}

Occupant* Room::bySerial(unsigned serial, Place*& place) const {
    for (const auto& occupant : occupants_)
        for (Place& candidate : occupant->places)
            if (candidate.serial == serial) {
                place = &candidate;
                return occupant.get();
            }
    return nullptr;
}

// So many in a minute, and as many at once.
bool Room::mayAct(const Jid& bare, std::int64_t perMinute, SteadyTime now, std::size_t times) {
    if (perMinute == 0) return true;
    const double most = double(perMinute);
    if (paces_.size() >= tidyPacesAt_) {
        std::erase_if(paces_, [now](const auto& entry) {
            return now - entry.second.at > std::chrono::minutes{1};
        });
        tidyPacesAt_ = std::max<std::size_t>(64, 2 * paces_.size());
    }
    Pace& pace = paces_.try_emplace(bare, Pace{most, now}).first->second;
    const double minutes = std::chrono::duration<double>(now - pace.at).count() / 60;
    pace.left = std::min(most, pace.left + most * minutes);
    pace.at = now;
    if (pace.left < double(times)) return false;
    pace.left -= double(times);
    return true;
}

std::string Room::occupantId(const Jid& bare) const {
    return encodeHex(hmac(Hash::Sha256, secret, bare.text()).substr(0, 20));
}

void Room::remember(Remembered message, std::size_t most) {
    history.push_back(std::move(message));
    while (history.size() > most) history.pop_front();
}

WallTime Room::nextStamp(WallTime now) {
    lastStamp_ = std::max(lastStamp_ + std::chrono::milliseconds{1}, now);
    return lastStamp_;
}

std::optional<Nick> readNick(std::string_view text, std::size_t bytesMax) {
    if (text.size() > bytesMax) return std::nullopt;
    auto shown = precis::nickname(text);
    auto key = precis::nicknameKey(text);
    if (!shown || !key || shown->size() > bytesMax) return std::nullopt;
    return Nick{std::move(*shown), std::move(*key)};
}

}  // namespace epode::muc
