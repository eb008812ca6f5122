// Federation on one shard: the links to the domains that live here, and the connections that other
// servers have made to this shard.
#pragma once

#include "core/executor.h"
#include "core/hold.h"
#include "core/stanza.h"
#include "net/transport.h"
#include "stream/remote_link.h"
#include "stream/remote_options.h"
#include "stream/remote_report.h"

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace epode {

class AckWindow;
class Federation;
class RemoteIncoming;
class RemoteMeeting;
class RemoteOutgoing;
class RemoteReceiver;
class Shard;

// What is remembered of a domain, for operators.
struct RemoteHistory {
    std::optional<RemoteFailure> lastFailure;
    WallTime failedAt{};
    std::uint64_t failures = 0;
    std::optional<WallTime> connectedAt;  // the last time that a link of ours was ready
    std::uint64_t stanzasIn = 0, stanzasOut = 0;
};

class Remotes {
public:
    Remotes(Federation& federation, Shard& shard, RemoteSettingsPtr settings);
    ~Remotes();

    Federation& federation() { return federation_; }
    Shard& shard() const { return shard_; }
    const RemoteSettings& settings() const { return *settings_; }
    void configure(RemoteSettingsPtr settings);

    // ---- links of the domains that live here

    // Sends a stanza from one of our domains to one of another server.
    void send(const StanzaPtr& stanza, const Hold& hold);
    // What a store has kept over a restart.
    void restore(std::string local, std::string remote, RemoteLink::Stored stored);
    // Whether a key is of this remote domain's making: see RemoteLink.
    void verify(const std::string& local, const std::string& remote, std::string id,
                std::string key, RemoteLink::Verified done);
    // The remote server has connected to us, so that it and what is below it can be reached, maybe.
    void isThere(const std::string& remote);
    // The answer to a ping of the link's own has come.
    void ponged(const std::string& local, const std::string& remote, const std::string& id);
    // The way back on connections that the other server has made (XEP-0288): see RemoteLink.
    void offered(const std::string& local, const std::string& remote, RemoteReverse::Offer offer);
    bool resumedBack(const std::string& local, const std::string& remote,
                     RemoteReverse::Offer offer);
    void withdrawn(const std::string& local, const std::string& remote, unsigned shard,
                   std::uint64_t stream, const std::string& reason, RemoteLink::Loss loss);
    void acknowledgedBack(const std::string& local, const std::string& remote, unsigned shard,
                          std::uint64_t stream, std::uint32_t h);
    // An attempt of its own, for an operator. `done` is called once, on this shard.
    void explain(const std::string& local, const std::string& remote, RemoteTrace trace,
                 UniqueFunction<void()> done);

    // The accounts of this shard and their contacts at the domain ask and tell each other anew who
    // is there; a moment later, with other domains that want it, too.
    void meetAgain(const std::string& remote);

    // ---- connections

    // Another server has connected; with direct TLS its handshake has begun.
    void accept(std::unique_ptr<Transport> transport);
    // A connection of ours to another server was made.
    RemoteOutgoing& open(RemoteLink& link, RemoteDial::Connection connection);
    // One that is not over; null otherwise.
    RemoteIncoming* incoming(std::uint64_t number);
    RemoteOutgoing* outgoing(std::uint64_t number);
    RemoteReceiver* receiver(std::uint64_t number);
    // Frees a stream when the turn is over.
    void release(std::uint64_t stream);

    // ---- resumption of what others send (XEP-0198)

    struct Resumable {
        std::string local, remote;
        std::shared_ptr<AckWindow> window;
        bool isWayBack = false;     // we have sent on it, too
        std::uint64_t stream = 0;   // 0: its connection is lost
        std::uint64_t attempt = 0;  // the last one to resume it
        Timer expiry{};
    };
    // False when its domain, or all together, have as many as they may.
    bool keepResumable(const std::string& id, Resumable resumable);
    // That of this stream, if it is still the one that has it.
    void lostConnection(const std::string& id, std::uint64_t stream);
    // It goes on where another shard has it.
    void dropMovedResumable(const std::string& id);
    // Calls `done` with how many stanzas of it are safe, when all that came are, or after a moment;
    // with nothing when there is none of these domains, or a later attempt wants it. The connection
    // that it had is over then. It stays here until `keepResumable` says who has it now: who has
    // asked may be lost before he hears the answer, and asks again.
    using Taken = UniqueFunction<void(std::optional<std::uint32_t>)>;
    void takeResumable(const std::string& id, const std::string& local, const std::string& remote,
                       bool isWayBack, Taken done);
    // Calls `done` with how many stanzas are safe, when all that came are, or after a while.
    void awaitSafety(std::shared_ptr<AckWindow> window, UniqueFunction<void(std::uint32_t)> done);

    // ---- for operators

    RemoteHistory& history(std::string_view remote);
    using Histories = std::map<std::string, RemoteHistory, std::less<>>;
    const Histories& histories() const { return histories_; }
    struct LinkStatus {
        std::string local, remote, direction, state, address, authentication;
        bool isSecured = false;
        std::optional<WallTime> since;
        std::size_t queued = 0, queuedBytes = 0;
        std::string problem;
    };
    // Those of one remote domain, or all.
    std::vector<LinkStatus> status(std::string_view remote = {});

    // Ends everything for a stop: what isn't confirmed is stored first. `kept` is dropped when that
    // is done.
    void closeAll(const std::shared_ptr<void>& kept);

private:
    using Pair = std::pair<std::string, std::string>;
    struct PairOrder {
        using is_transparent = void;
        template <typename A, typename B>
        bool operator()(const A& a, const B& b) const {
            const std::string_view aSecond{a.second}, bSecond{b.second};
            if (aSecond != bSecond) return aSecond < bSecond;
            return std::string_view{a.first} < std::string_view{b.first};
        }
    };
    RemoteLink* findLink(std::string_view local, std::string_view remote);
    RemoteLink* link(const std::string& local, const std::string& remote);
    void pollSafety(std::shared_ptr<AckWindow> window, int patience,
                    UniqueFunction<void(std::uint32_t)> done);
    void startChecking();
    void check();

    Federation& federation_;
    Shard& shard_;
    RemoteSettingsPtr settings_;
    std::map<Pair, std::unique_ptr<RemoteLink>, PairOrder> links_;
    // Links that send on connections of the other server's have somebody else verify keys.
    std::map<Pair, std::unique_ptr<RemoteLink>, PairOrder> verifiers_;
    std::map<std::uint64_t, std::unique_ptr<RemoteLink>> probes_;
    std::map<std::uint64_t, std::unique_ptr<RemoteReceiver>> streams_;
    std::map<std::uint64_t, RemoteIncoming*> incoming_;  // of those
    std::map<std::uint64_t, RemoteOutgoing*> outgoing_;
    std::map<std::string, Resumable> resumables_;
    Histories histories_;
    std::uint64_t next_ = 1;
    Timer checking_;
    std::map<std::uint64_t, Timer> polling_;
    std::unique_ptr<RemoteMeeting> meeting_;
};

}  // namespace epode
