// An account on its shard: its sessions, its roster, its place in the log, and the rules of RFC 6121 by
// which stanzas reach its clients.
#pragma once

#include "core/hold.h"
#include "core/jid.h"
#include "core/stanza.h"
#include "core/task.h"
#include "route/pending.h"
#include "route/roster.h"
#include "route/state_slots.h"
#include "route/stream_management.h"
#include "store/stores.h"
#include "store/archive_store.h"

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

class Host;
class Session;
class Shard;

class Account {
public:
    // From what the store has of it; see Shard::withAccount.
    Account(Shard& shard, Host& host, Jid bare, AccountRecord record);
    ~Account();

    const Jid& jid() const { return jid_; }
    AccountId id() const { return id_; }  // in the stores
    Host& host() { return host_; }
    Shard& shard() { return shard_; }

    // Sessions.
    const std::vector<std::unique_ptr<Session>>& sessions() const { return sessions_; }
    Session* session(std::string_view resource) const;
    Session* sessionBySmId(std::string_view id) const;
    Session& bind(Jid full);
    void remove(Session& session);  // from the list; destroys it

    // Something arrives that is addressed to this account or one of its resources.
    void receive(const StanzaPtr& stanza, Hold hold);
    // The account's own message goes out: kept in its archive, copied to its other resources.
    void sent(Session* origin, const StanzaPtr& message, const Hold& hold);

    // The log. A message that is stored gets a stanza-id; `deliver…` sends what waits.
    std::string stanzaIdXml(const Uuid& id) const;  // <stanza-id xmlns='urn:xmpp:sid:0' …/>
    void deliverPending(Session& session);
    void deliverPendingToAny();             // to one of the sessions that take messages
    void acknowledged(std::int64_t stamp);  // a client has it
    void noteOut(std::int64_t stamp) {
        pending_.stored(stamp, 1);
    }  // a restored session will give it
    void noteDelivered(std::int64_t stamp) { pending_.delivered(stamp); }
    // Stamps behind the first message that is not delivered.
    const std::set<std::int64_t>& deliveredBeyond() const { return pending_.deliveredBeyond(); }
    void fetched(std::int64_t through);  // a client has read its archive up to there
    void savePosition();
    // The first stamp that no client may have yet; nothing when they have everything.
    std::optional<std::int64_t> waitingFrom() const { return pending_.waitingFrom(); }
    // Nothing while the account has set none.
    const std::optional<ArchivePreferences>& preferences() const { return preferences_; }
    void setPreferences(ArchivePreferences preferences) { preferences_ = std::move(preferences); }

    // Contacts.
    Roster& roster() { return roster_; }
    const Roster& roster() const { return roster_; }
    // Pushes to all interested resources (RFC 6121, 2.1.6).
    void pushRoster(const Contact& contact, bool removed);

    StateSlots& slots() { return slots_; }
    template <typename T>
    T& state() {
        return slots_.get<T>();
    }

    bool isIdle() const;  // nothing would be lost by forgetting it
    SteadyTime lastUsed() const { return lastUsed_; }

private:
    friend class Shard;
    void takeRoster(const StoredRoster& stored);
    // A message that came while older ones were being read from the log for a client.
    struct Held {
        StanzaPtr message;
        Hold hold;
    };
    void receiveMessage(const StanzaPtr& message, Hold hold);
    void receiveIq(const StanzaPtr& stanza, Hold hold);
    std::vector<Session*> targets(const Stanza& message) const;
    std::vector<Session*> mostAvailable() const;
    bool isArchived(const Stanza& message, bool outgoing);
    Uuid append(const StanzaPtr& message, const Jid& peer, ArchiveFlags flags, const Hold& hold);
    Task<void> readPending(Jid session);
    void deliverWaiting(Session& session, const ArchiveEntry& entry);
    void pendingRead(bool hasFailed);
    void returnUnacknowledged(const Jid& session, std::deque<Unacknowledged> queue);
    void answerFor(const Jid& session, const Stanza& undelivered);
    void positionChanged();

    Shard& shard_;
    Host& host_;
    Jid jid_;
    AccountId id_;
    std::vector<std::unique_ptr<Session>> sessions_;
    Roster roster_;
    std::optional<ArchivePreferences> preferences_;
    std::int64_t lastStamp_;
    std::int64_t savedPosition_;
    Pending pending_;
    std::vector<Held> held_;
    StateSlots slots_;
    SteadyTime lastUsed_;
    Timer positionTimer_;
    Timer pendingTimer_;  // the log could not be read: another try
    bool readingPending_ = false;
};

}  // namespace epode
