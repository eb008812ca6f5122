// Presence and subscriptions (RFC 6121, 3 and 4): what an account does with presence that its own
// clients send and that others send to it.
#pragma once

#include "core/hold.h"
#include "core/stanza.h"

#include <string_view>

namespace epode {

class Account;
class Session;

class PresenceRules {
public:
    explicit PresenceRules(Account& account) : account_{account} {}

    // From one of the account's own clients (`from` is its full address, `to` may be empty).
    void send(Session& session, const StanzaPtr& presence, Hold hold);
    // From somebody else, or from the account itself by its bare address.
    void receive(const StanzaPtr& presence, Hold hold);
    // A session ends: unavailable to all who have seen it. Its presence is taken back first.
    void ended(Session& session);

private:
    void broadcast(Session& session, const StanzaPtr& presence, bool initial);
    void sendDirected(Session& session, const StanzaPtr& presence);
    void sendSubscription(Session& session, const StanzaPtr& presence, Hold hold);
    void receiveSubscription(const StanzaPtr& presence, Hold hold);
    void answerProbe(const StanzaPtr& probe);

    Account& account_;
};

// Removal of a contact with all that follows from it (RFC 6121, 2.5): used by the roster's handler.
void removeContact(Account& account, const Jid& contact);

}  // namespace epode
