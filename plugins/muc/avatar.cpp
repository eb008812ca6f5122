#include "avatar.h"

#include "errors.h"
#include "names.h"
#include "service.h"

#include "core/base64.h"
#include "core/digest.h"

namespace epode::muc {

namespace {

std::string withoutBlanks(std::string_view text) {
    std::string out;
    for (const char c : text)
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') out += c;
    return out;
}

}  // namespace

std::vector<std::string> pictureHashes(std::string_view vcard) {
    std::vector<std::string> hashes;
    const auto document = parseXml(vcard);
    if (!document) return hashes;
    for (const Element& photo : (*document)->children()) {
        if (photo.name() != "PHOTO") continue;
        const auto bytes = decodeBase64(withoutBlanks(photo.childText("BINVAL")));
        if (bytes && !bytes->empty()) hashes.push_back(encodeHex(digest(Hash::Sha1, *bytes)));
    }
    return hashes;
}

Task<Reply> Service::tellVcard(const Iq& iq) {
    const auto room = co_await roomOf(iq);
    if (!room) co_return noSuchRoom();
    if (room->affiliationOf(iq.from().bare()) == Affiliation::Outcast)
        co_return forbidden("You are banned from this room.");
    auto vcard = room->vcard.empty() ? std::nullopt : parseXml(room->vcard);
    if (!vcard) co_return Reply{Document{"vCard", names::vcard}};
    co_return Reply{std::move(*vcard)};
}

Task<Reply> Service::setVcard(const Iq& iq) {
    const auto room = co_await roomOf(iq);
    if (!room) co_return noSuchRoom();
    if (room->affiliationOf(iq.from().bare()) != Affiliation::Owner)
        co_return forbidden("Only owners set the vCard of a room.");
    std::string vcard = iq.payload().firstChild() ? toXml(iq.payload()) : std::string{};
    if (vcard.size() > limits_.vcardBytesMax) co_return tooLong("vCard");
    const std::int64_t id = room->id;
    std::string stored = vcard;
    co_await store_.saveVcard(id, std::move(stored));
    if (room->isGone) co_return noSuchRoom();
    room->vcard = std::move(vcard);
    const At at{iq.shard(), iq.host(), room};
    reply(iq);
    // XEP-0153 by the room itself, which clients know from other servers, and 0486, 3.2.
    auto presence = Stanza::presence(StanzaType::None, room->address, {});
    Element& photo = presence->edit().add("x", names::vcardUpdate).add("photo");
    const auto hashes = pictureHashes(room->vcard);
    if (!hashes.empty()) photo.addText(hashes.front());
    broadcast(at, presence);
    announce(at, {104});
    co_return Reply::none();
}

}  // namespace epode::muc
