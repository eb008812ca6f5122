// Making invitations, for operators and for people who may (XEP-0401).
#pragma once

#include "invite_store.h"

#include "core/jid.h"
#include "core/option.h"
#include "core/stanza_error.h"

#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace epode {

class Server;

std::vector<OptionRef> inviteOptions();

struct InviteWish {
    std::string host;
    std::optional<Jid> inviter;  // becomes a contact of the invited
    std::optional<Jid> maker;    // whose limit it counts for; else the inviter's
    std::optional<Jid> room;     // where the page takes the invited
    bool mayRegister = true;
    std::string username;              // a localpart as it was typed; empty: the invited chooses
    std::optional<Duration> lifetime;  // else invite.expire_after
    std::int64_t uses = 1;
};

struct InviteMade {
    std::int64_t id = 0;
    std::string uri;
    std::string landingUrl;  // empty when the host has no page for it
    WallTime expires{};
};

class Invitations {
public:
    explicit Invitations(Server& server);

    using Outcome = std::variant<InviteMade, StanzaError>;
    // Without asking whether somebody may: for the operator.
    Task<Outcome> make(InviteWish wish);
    // For an account of this server that asks for it: `forAccount` is XEP-0401's
    // urn:xmpp:invite#create-account, else it is urn:xmpp:invite#invite.
    Task<Outcome> makeFor(Jid user, bool forAccount, std::string username, bool withContact);

    // Whether somebody of this host may ask for that.
    bool may(const Jid& user, bool forAccount) const;

    InviteStore& store() { return store_; }

private:
    Task<Outcome> make(InviteWish wish, std::int64_t openMax);

    Server& server_;
    InviteStore store_;
};

}  // namespace epode
