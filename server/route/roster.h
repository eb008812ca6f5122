// The contacts of an account (RFC 6121, 2) and the states between two people (RFC 6121, Appendix A).
#pragma once

#include "core/jid.h"
#include "core/stanza.h"
#include "store/roster_store.h"

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

std::string_view toText(Subscription subscription);  // "both"

// What one account knows of one contact: the nine states of Appendix A are `subscription` with the two
// pending flags; `approved` is pre-approval (RFC 6121, 3.4).
struct ContactState {
    Subscription subscription = Subscription::None;
    bool pendingOut = false;  // ask='subscribe'
    bool pendingIn = false;   // the contact has asked and waits for our answer
    bool approved = false;

    bool seesContact() const { return subscription == Subscription::To || subscription == Subscription::Both; }
    bool isSeenByContact() const {
        return subscription == Subscription::From || subscription == Subscription::Both;
    }
    bool operator==(const ContactState&) const = default;
};

struct Contact {
    Jid jid;  // bare
    std::string name;
    std::vector<std::string> groups;
    ContactState state;
    // In the roster as clients see it; false while there is nothing but an unanswered request.
    bool listed = false;
};

// A listed contact as it is stored.
RosterItem toItem(const Contact& contact);

// What happens to a state, and what has to be done about it. Pure: one table for each direction.
struct Transition {
    ContactState state;
    bool route = false;         // outbound: send it on; inbound: deliver it to the user's resources
    bool push = false;          // the roster item has changed for the clients
    StanzaType autoReply = StanzaType::None;  // e.g. Subscribed when it was approved before
};
// The user sends `type` (subscribe, subscribed, unsubscribe, unsubscribed) to the contact.
Transition outbound(const ContactState& state, StanzaType type);
// The contact's `type` arrives at the user's server.
Transition inbound(const ContactState& state, StanzaType type);

struct SharedContacts;

// The roster in memory, as the account's shard holds it. Storing and pushing are the caller's.
class Roster {
public:
    Roster();
    explicit Roster(const StoredRoster& stored);
    Roster(Roster&&) noexcept;
    Roster& operator=(Roster&&) noexcept;
    ~Roster();

    // The contact as clients see it, and as counts for who may see whom: with what the account shares
    // with others.
    const Contact* find(const Jid& bare) const;
    // All of them, `visit(const Contact&)`, by address.
    template <typename Visit>
    void each(Visit visit) const;

    // The account's own contacts, as they are stored and changed.
    const Contact* own(const Jid& bare) const;
    const std::map<Jid, Contact>& contacts() const { return contacts_; }
    Contact& entry(const Jid& bare);  // made when it is missing, unlisted and without subscription
    void put(Contact contact);
    void remove(const Jid& bare);
    std::size_t listedCount() const;

    // What `self` has in common with others from now on; null for nothing.
    void share(const Jid& self, std::shared_ptr<const SharedContacts> contacts);
    const std::shared_ptr<const SharedContacts>& shared() const;

    std::int64_t version() const { return version_; }
    void setVersion(std::int64_t version) { version_ = version; }

private:
    // Most accounts share nothing, and pay a pointer for it.
    struct Sharing;
    const Contact* findShared(const Jid& bare) const;
    const Contact* shown(const Contact& own) const;
    void merge(const Jid& bare);
    void eachShared(const std::function<void(const Contact&)>& visit) const;

    std::map<Jid, Contact> contacts_;
    std::unique_ptr<Sharing> sharing_;
    std::int64_t version_ = 0;
};

template <typename Visit>
void Roster::each(Visit visit) const {
    if (sharing_) {
        eachShared(visit);
        return;
    }
    for (const auto& [jid, contact] : contacts_) visit(contact);
}

}  // namespace epode
