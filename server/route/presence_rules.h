// Presence and subscriptions (RFC 6121, 3 and 4): what an account does with presence that its own
// clients send and that others send to it.
#pragma once

#include "core/hold.h"
#include "core/stanza.h"
#include "route/roster.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

namespace epode {

class Account;
class Server;
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

    // What follows for presence from changes of the roster.
    // The current presence of each available resource goes to a new subscriber.
    void showTo(const Jid& contact);
    // Each available resource becomes unavailable for one who may not see it any more.
    void hideFrom(const Jid& contact);
    // The same for one who is no subscriber any more, unless he sees it all the same.
    void unsubscribed(const Jid& contact);
    // Asks for the presence of a contact, for the account's clients.
    void probe(const Jid& contact);
    // What contacts at other servers know of us, and we of them, may be wrong: they are asked and
    // told anew. `isOne` says whose.
    void meetAgain(const std::function<bool(std::string_view domain)>& isOne);
    // A contact was removed (RFC 6121, 2.5.2): subscriptions end on both sides.
    void parted(const Jid& contact, const ContactState& before);
    // To all available resources, or all that have asked for the roster.
    void deliverToAvailable(const StanzaPtr& presence);
    void deliverToInterested(const StanzaPtr& presence);

private:
    void becomeAvailable(Session& session, const StanzaPtr& presence);
    void becomeUnavailable(Session& session, const StanzaPtr& presence);
    void takeBack(Session& session, const StanzaPtr& presence);
    void broadcast(const StanzaPtr& presence);
    void greet(Session& session);
    void deliverRequests(Session& session);
    void sendDirected(Session& session, const StanzaPtr& presence, Hold hold);
    void sendSubscription(const StanzaPtr& presence, Hold hold);
    void receiveNotification(const StanzaPtr& presence, Hold hold);
    void deliverNotification(const StanzaPtr& presence);
    void receiveSubscription(const StanzaPtr& presence, Hold hold);
    void answerProbe(const Stanza& probe);
    void answerBareProbe(const Stanza& probe, bool isSubscribed);
    void answerFullProbe(const Stanza& probe, bool isSubscribed);
    bool isSubscribed(const Jid& who) const;
    std::size_t availableCount() const;
    Server& server() const;

    Account& account_;
};

// The <priority/> of a presence (RFC 6121, 4.7.2.3); 0 when it has none, nothing when it is no
// number from -128 to 127 or there are several.
std::optional<std::int8_t> priorityOf(const Stanza& presence);

// Whether a presence means anything to an account none of whose clients are there. If not, the
// account need not be loaded for it: a login would read the account of every contact otherwise.
bool mattersOffline(const Stanza& presence, const Server& server);

}  // namespace epode
