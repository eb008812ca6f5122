#include "eligible.h"

#include "core/namespaces.h"
#include "route/message_content.h"

#include <algorithm>
#include <functional>

namespace epode::carbons {

namespace {

// A private message of a room's occupant: its service sends it to each client that is in the room.
bool isFromOccupant(const Stanza& message) {
    if (message.to().isBare() || message.from().isBare()) return false;
    const Element* room = message.child("x", epode::ns::mucUser);
    return room && !room->child("invite") && !room->child("decline");
}

bool isInstantMessaging(const Element& child, StanzaType type) {
    if (child.is("body", epode::ns::client)) return type == StanzaType::Normal;
    return child.ns() == epode::ns::chatStates || isConversation(child);
}

bool isPrivate(const Element& child) {
    return child.is("private", ns) || child.is("no-copy", epode::ns::hints);
}

}  // namespace

bool isCopy(const Element& child) {
    return child.ns() == ns && (child.name() == "received" || child.name() == "sent");
}

bool isEligible(const Stanza& message, Direction direction) {
    if (message.type() == StanzaType::Groupchat || message.isError()) return false;
    bool isPartOfChat = message.type() == StanzaType::Chat;
    for (const Element& child : message.root().children()) {
        if (isPrivate(child) || isCopy(child)) return false;
        isPartOfChat = isPartOfChat || isInstantMessaging(child, message.type());
    }
    return isPartOfChat && (direction == Direction::Sent || !isFromOccupant(message));
}

void CopiedMessages::add(const Stanza& message, Direction direction) {
    if (message.id().empty()) return;
    hashes_[next_] =
        hash(message.id(), direction == Direction::Sent ? message.to() : message.from());
    next_ = std::uint8_t((next_ + 1) % hashes_.size());
}

bool CopiedMessages::isAnsweredBy(const Stanza& error, Direction direction) const {
    if (error.id().empty()) return false;
    const Jid& peer = direction == Direction::Sent ? error.to() : error.from();
    return std::find(hashes_.begin(), hashes_.end(), hash(error.id(), peer)) != hashes_.end();
}

// Never 0, which stands for none.
std::uint64_t CopiedMessages::hash(std::string_view id, const Jid& peer) {
    const std::hash<std::string_view> hashed;
    return (hashed(id) * 31 + hashed(peer.bareText())) | 1;
}

}  // namespace epode::carbons
