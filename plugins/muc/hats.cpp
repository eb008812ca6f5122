// Hats (XEP-0317): titles that admins give to people for show. They are part of a room, and are
// seen in the presence of who wears them.
#include "service.h"

#include "errors.h"
#include "names.h"

#include "core/base64.h"
#include "core/data_form.h"
#include "core/digest.h"

#include <algorithm>
#include <charconv>

namespace epode::muc {

namespace {

constexpr std::size_t hatsMax = 100;      // of a room
constexpr std::size_t wearersMax = 5000;  // people with hats, in a room
constexpr std::size_t wornMax = 10;       // by one person
constexpr std::size_t uriBytesMax = 512;
constexpr std::size_t titleBytesMax = 128;

StanzaError noSuchHat() { return {Condition::ItemNotFound, "There is no such hat."}; }

// An angle, as XEP-0392 has it.
bool isHue(std::string_view text) {
    double value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    return problem == std::errc{} && end == text.data() + text.size() && value >= 0 && value <= 360;
}

}  // namespace

void Service::addHats(Element& presence, const Room& room, const Jid& bare) {
    const auto worn = room.hats.wearers.find(bare);
    if (worn == room.hats.wearers.end()) return;
    Element& hats = presence.add("hats", names::hats);
    for (const auto& uri : worn->second) {
        const auto hat = room.hats.all.find(uri);
        if (hat == room.hats.all.end()) continue;
        Element& shown = hats.add("hat").set("title", hat->second.title).set("uri", uri);
        if (!hat->second.hue.empty()) shown.set("hue", hat->second.hue);
    }
}

std::string Service::hashOfHats(const Room& room) {
    std::string all;
    for (const auto& [uri, hat] : room.hats.all)
        all.append(uri).append(1, '\n').append(hat.title).append(1, '\n').append(hat.hue).append(
            "\n\n");
    return encodeHex(digest(Hash::Sha1, all));
}

// Everybody sees anew who wears what.
void Service::showAnew(const At& at, const std::vector<Jid>& people) {
    for (const Jid& person : people)
        for (Occupant* occupant : at.room->byBare(person)) {
            occupant->changed();
            if (isShown(*at.room, occupant->role))
                tellOthers(at, *occupant, StanzaType::None, nullptr, {});
            tellSelf(at, *occupant, StanzaType::None, occupant->places.front().presence.get(), {});
        }
}

Task<std::optional<StanzaError>> Service::createHat(At at, const DataForm& form, std::string by) {
    const RoomPtr room = at.room;
    const auto turn = co_await room->turns.take();
    if (room->isGone) co_return noSuchRoom();
    const std::string uri{form.text("hats#uri")};
    Hat hat{std::string{form.text("hats#title")}, std::string{form.text("hats#hue")}};
    if (uri.empty() || uri.size() > uriBytesMax || hat.title.empty() ||
        hat.title.size() > titleBytesMax || (!hat.hue.empty() && !isHue(hat.hue)))
        co_return notAcceptable("A hat has a URI and a title, and its hue is an angle.");
    if (!room->hats.all.contains(uri) && room->hats.all.size() >= hatsMax)
        co_return StanzaError{ErrorType::Wait, Condition::ResourceConstraint,
                              "This room has as many hats as it may."};
    const std::int64_t id = room->id;
    std::string storedUri = uri;
    std::optional<Hat> stored = hat;
    co_await store_.saveHat(id, std::move(storedUri), std::move(stored));
    if (room->isGone) co_return noSuchRoom();
    room->hats.all[uri] = std::move(hat);
    log(at, std::move(by), "hat", uri);
    std::vector<Jid> wearers;
    for (const auto& [jid, worn] : room->hats.wearers)
        if (std::find(worn.begin(), worn.end(), uri) != worn.end()) wearers.push_back(jid);
    showAnew(at, wearers);
    announce(at, {104});
    co_return std::nullopt;
}

Task<std::optional<StanzaError>> Service::destroyHat(At at, const DataForm& form, std::string by) {
    const RoomPtr room = at.room;
    const auto turn = co_await room->turns.take();
    if (room->isGone) co_return noSuchRoom();
    const std::string uri{form.text("hats#uri")};
    if (!room->hats.all.contains(uri)) co_return noSuchHat();
    const std::int64_t id = room->id;
    std::string storedUri = uri;
    std::optional<Hat> nothing;
    co_await store_.saveHat(id, std::move(storedUri), std::move(nothing));
    if (room->isGone) co_return noSuchRoom();
    room->hats.all.erase(uri);
    log(at, std::move(by), "no hat", uri);
    std::vector<Jid> wearers;
    for (auto& [jid, worn] : room->hats.wearers)
        if (std::erase(worn, uri) > 0) wearers.push_back(jid);
    std::erase_if(room->hats.wearers, [](const auto& entry) { return entry.second.empty(); });
    showAnew(at, wearers);
    announce(at, {104});
    co_return std::nullopt;
}

Task<std::optional<StanzaError>> Service::wearHat(At at, const DataForm& form, bool isWorn,
                                                  std::string by) {
    const RoomPtr room = at.room;
    const auto turn = co_await room->turns.take();
    if (room->isGone) co_return noSuchRoom();
    const std::string uri{form.text("hats#uri")};
    const auto person = form.jid("hats#jid");
    if (!person || !person->hasLocal())
        co_return StanzaError{ErrorType::Modify, Condition::JidMalformed,
                              "This is no address of a person."};
    const Jid bare = person->bare();
    if (!room->hats.all.contains(uri)) co_return noSuchHat();
    auto& wearers = room->hats.wearers;
    const auto known = wearers.find(bare);
    const bool has = known != wearers.end() && std::find(known->second.begin(), known->second.end(),
                                                         uri) != known->second.end();
    if (has == isWorn) {
        if (isWorn) co_return std::nullopt;
        co_return StanzaError{Condition::ItemNotFound, "This person does not wear this hat."};
    }
    const bool isTooMuch = (known == wearers.end() && wearers.size() >= wearersMax) ||
                           (known != wearers.end() && known->second.size() >= wornMax);
    if (isWorn && isTooMuch)
        co_return StanzaError{ErrorType::Wait, Condition::ResourceConstraint,
                              "These are too many hats."};
    const std::int64_t id = room->id;
    std::string storedUri = uri;
    std::string jid = bare.text();
    co_await store_.saveWearer(id, std::move(jid), std::move(storedUri), isWorn);
    if (room->isGone) co_return noSuchRoom();
    auto& worn = wearers[bare];
    std::erase(worn, uri);
    if (isWorn) worn.push_back(uri);
    if (worn.empty()) wearers.erase(bare);
    log(at, std::move(by), isWorn ? "hat on" : "hat off", bare.text(), {}, uri);
    const std::vector<Jid> people{bare};
    showAnew(at, people);
    co_return std::nullopt;
}

}  // namespace epode::muc
