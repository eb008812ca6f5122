#include "room.h"

#include "core/digest.h"
#include "core/precis.h"

#include <algorithm>

namespace epode::muc {

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

void Room::setAffiliations(Affiliations all) {
    affiliations_ = std::move(all);
    reserved_.clear();
    terms_.clear();
    owners_ = 0;
    for (const auto& [jid, entry] : affiliations_) {
        if (entry.until) terms_.emplace(*entry.until, jid);
        if (entry.affiliation == Affiliation::Owner) ++owners_;
        if (entry.nick.empty()) continue;
        if (auto key = precis::nicknameKey(entry.nick)) reserved_.emplace(std::move(*key), jid);
    }
}

const Affiliated* Room::entryOf(const Jid& bare) const {
    const auto found = affiliations_.find(bare);
    return found == affiliations_.end() ? nullptr : &found->second;
}

Affiliation Room::ownAffiliationOf(const Jid& bare) const {
    const Affiliated* entry = entryOf(bare);
    return entry ? entry->affiliation : Affiliation::None;
}

Affiliation Room::affiliationOf(const Jid& bare) const {
    if (const Affiliated* entry = entryOf(bare))
        if (entry->affiliation != Affiliation::None) return entry->affiliation;
    if (!bare.hasLocal()) return Affiliation::None;
    return ownAffiliationOf(bare.host());
}

// A domain's word about voice counts for those about whom there is no own word.
Role Room::withVoice(const Jid& bare, Role role) const {
    const Affiliated* entry = entryOf(bare);
    if ((!entry || entry->voice == Voice::Usual) && bare.hasLocal()) entry = entryOf(bare.host());
    if (!entry) return role;
    if (role == Role::Participant && entry->voice == Voice::Muted) return Role::Visitor;
    if (role == Role::Visitor && entry->voice == Voice::Granted) return Role::Participant;
    return role;
}

void Room::setAffiliation(const Jid& bare, Affiliated entry) {
    const auto found = affiliations_.find(bare);
    if (found != affiliations_.end()) {
        if (found->second.until) terms_.erase({*found->second.until, bare});
        if (found->second.affiliation == Affiliation::Owner) --owners_;
        if (!found->second.nick.empty())
            if (const auto key = precis::nicknameKey(found->second.nick)) reserved_.erase(*key);
    }
    if (entry.isNothing()) {
        affiliations_.erase(bare);
        return;
    }
    if (entry.until) terms_.emplace(*entry.until, bare);
    if (entry.affiliation == Affiliation::Owner) ++owners_;
    if (!entry.nick.empty())
        if (auto key = precis::nicknameKey(entry.nick)) reserved_[std::move(*key)] = bare;
    affiliations_[bare] = std::move(entry);
}

Jid Room::reserver(const std::string& key) const {
    const auto found = reserved_.find(key);
    return found == reserved_.end() ? Jid{} : found->second;
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
    return occupant.places.emplace_back(Place{std::move(full), ++lastSerial_, std::move(presence)});
}

void Room::removePlace(Occupant& occupant, const Jid& full) {
    byClient_.erase(full);
    std::erase_if(occupant.places, [&full](const Place& place) { return place.jid == full; });
}

void Room::leave(Occupant& occupant) {
    for (const Place& place : occupant.places) byClient_.erase(place.jid);
    byKey_.erase(occupant.key);
    std::erase_if(occupants_, [&occupant](const auto& entry) { return entry.get() == &occupant; });
}

void Room::rename(Occupant& occupant, std::string nick, std::string key, Jid newAddress) {
    byKey_.erase(occupant.key);
    occupant.nick = std::move(nick);
    occupant.key = std::move(key);
    occupant.address = std::move(newAddress);
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
