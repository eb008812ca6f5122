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

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
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

    // A copy of a message for another client, which was delivered with this stamp (DeliveredEvent): when it
    // acknowledges the copy, it has the message.
    // While the message waits for a client that takes messages, the copy changes nothing of that; but who
    // has it doesn't get the message besides.
    void deliverCopy(Session& session, const StanzaPtr& copy, std::int64_t stamp);
    void copyAcknowledged(Session& session, std::int64_t stamp);

    // The log. A message that is archived gets a stanza-id; `deliverPending` sends what waits.
    std::string stanzaIdXml(const Uuid& id) const;  // <stanza-id xmlns='urn:xmpp:sid:0' …/>
    void deliverPending(Session& session);
    void acknowledged(std::int64_t stamp);  // a client has it
    // Of a restored session: what another client had acknowledged before the restart.
    const std::set<std::int64_t>& deliveredBeyond() const { return pending_.deliveredBeyond(); }
    void noteDelivered(std::int64_t stamp) { pending_.noteDelivered(stamp); }
    // A restored session has it and may acknowledge it yet. It need not be in the log, if another client
    // has acknowledged it before it was written; but its stamp is taken.
    void noteOut(std::int64_t stamp) {
        lastStamp_ = std::max(lastStamp_, stamp);
        pending_.gave(stamp, 1, false);
    }
    // A client has read its archive from the first to the last of these stamps.
    void fetched(std::int64_t first, std::int64_t last);
    // Writes what clients have not acknowledged to the log: they may not come back.
    void logUnacknowledged();
    void savePosition();
    // Whether all that was logged is committed, so that who reads the log sees it.
    bool isLogSettled() const { return appending_ == 0; }
    // Nothing while the account has set none.
    const std::optional<ArchivePreferences>& preferences() const { return preferences_; }
    void setPreferences(ArchivePreferences preferences) { preferences_ = std::move(preferences); }

    // Contacts.
    Roster& roster() { return roster_; }
    const Roster& roster() const { return roster_; }
    // Pushes a contact as it is now, or its removal, to all interested resources (RFC 6121, 2.1.6).
    void pushRoster(const Jid& contact);

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
    // A message that clients have been given and will most often acknowledge before the sender has asked
    // whether it is safe. Written to the log when they take long, or when one of them has gone.
    struct Unlogged {
        SteadyTime since;
        StanzaPtr message;
        Hold hold;
    };
    enum class Reading : std::uint8_t { No, Running, Paused };

    void receiveMessage(const StanzaPtr& message, Hold hold);
    void deliver(const StanzaPtr& message, const std::vector<Session*>& to, Hold hold);
    void tellDelivered(const StanzaPtr& message, const std::vector<Session*>& to,
                       std::string_view insertion, std::int64_t stamp, bool isFromLog);
    void receiveIq(const StanzaPtr& stanza, Hold hold);
    std::vector<Session*> targets(const Stanza& message) const;
    std::vector<Session*> mostAvailable() const;
    bool isArchived(const Stanza& message, bool outgoing);

    std::int64_t nextStamp();
    Uuid append(const StanzaPtr& message, ArchiveFlags flags, const Hold& hold);
    void write(const Uuid& id, const StanzaPtr& message, ArchiveFlags flags, const Hold& hold);
    void appended(std::int64_t stamp, bool failed);
    void keepUnlogged(std::int64_t stamp, const StanzaPtr& message, Hold hold);
    void logLater(Duration wait);
    void logUnacknowledged(SteadyTime until);

    Session* readyForWaiting() const;
    void startReading(const Jid& session);
    Task<void> readPending(Jid session);
    void readingEnded(bool failed);
    void goOnReading();
    void pauseReading(Duration wait);
    void deliverWaiting(Session& session, const ArchiveEntry& entry);
    bool hasAsCopy(Session& session, const ArchiveEntry& entry);
    void spillHeld();
    void returnUnacknowledged(std::deque<Unacknowledged> queue);
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
    std::int64_t lastOffline_;  // of what is in the log for delivery
    Pending pending_;
    std::vector<Held> held_;
    // By stamp. A map, because an empty one owns no heap: most accounts never have any.
    std::map<std::int64_t, Unlogged> unlogged_;
    std::size_t appending_ = 0;      // not committed yet
    StateSlots slots_;
    SteadyTime lastUsed_;
    Timer positionTimer_;
    Timer loggingTimer_;
    Timer readingTimer_;
    Reading reading_ = Reading::No;
};

}  // namespace epode
