// What an account tells about itself, in three places that say the same: the vCard of XEP-0054,
// which is kept here, the node of XEP-0292, and the nickname of XEP-0172.
#pragma once

#include "core/turns.h"
#include "plugin/plugin.h"
#include "store/keyed_store.h"

#include <optional>
#include <string>
#include <string_view>

namespace epode::vcard {

inline constexpr std::string_view newNode = "urn:xmpp:vcard4";
inline constexpr std::string_view nickNode = "http://jabber.org/protocol/nick";
// What marks our own publications.
inline constexpr std::string_view origin = "vcard";

// All on the account's shard. What only some may read is never copied to where more can.
class Profile {
public:
    Profile(Server& server, std::string host);

    // The vCard as XML, as this one may see it; nothing when there is none for him.
    Task<std::optional<std::string>> vcard(Jid account, Jid who);
    // The same in the form of vCard4.
    Task<std::optional<std::string>> vcard4(Jid account, Jid who);
    // Kept, and carried to the other places.
    Task<void> keep(Jid account, std::string vcard);

    // A client has published one of the nodes, or removed it (then the payload is empty).
    Task<void> vcard4Changed(Jid account, std::string payload);
    Task<void> nickChanged(Jid account, std::string payload);
    // For clients that ask for the node before anything was published there.
    Task<void> ensureVcard4(Jid account);

    Pep* pep() const;

private:
    struct Slot {
        Turns turns;
    };
    Task<Turns::Turn> turn(Jid account) const;
    Task<std::optional<std::string>> stored(Jid account);
    Task<void> store(Jid account, std::string vcard);
    Task<std::optional<std::string>> newest(Jid account, std::string_view node) const;
    Task<bool> isPublic(Jid account, std::string_view node) const;
    Task<void> carryToVcard4(Jid account, std::string vcard);
    Task<void> carryToNick(Jid account, std::string vcard);
    Task<void> publish(Jid account, std::string_view node, std::string payload,
                       std::string_view access);

    Server& server_;
    const std::string host_;
    KeyedStore store_;
};

}  // namespace epode::vcard
