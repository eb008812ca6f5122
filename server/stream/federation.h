// Federation: the links of this server's domains with those of other servers (RFC 6120). Every
// remote domain has a shard that its links live on; connections of other servers are served where
// they come in.
#pragma once

#include "net/address_limit.h"
#include "net/dialer.h"
#include "net/dns.h"
#include "route/server.h"
#include "store/remote_queue_store.h"
#include "stream/remote_allowance.h"
#include "stream/remotes.h"

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

class TlsClientContext;
class TlsServerContext;

class Federation final : public Elsewhere {
public:
    // What it stands on; all of it outlives it.
    struct Parts {
        Resolver& resolver;
        Dialer& dialer;
        const TlsServerContext& tls;  // asks for certificates
        // What a host shows to servers that it connects to; null when it has no certificate. From
        // any thread.
        using ClientTls = std::function<std::shared_ptr<const TlsClientContext>(
            const std::string& host, bool isDirect)>;
        ClientTls clientTls;
    };

    // While it is not on, nothing leaves.
    Federation(Server& server, Parts parts, const Settings& settings, bool isOn);
    ~Federation() override;

    // Other settings from now on. From any thread.
    void configure(const Settings& settings, bool isOn);
    // Brings back what waited for other servers before a restart. `done` runs on shard 0.
    void restore(UniqueFunction<void()> done);
    // Another server has connected, on the shard's thread.
    void accept(unsigned shard, std::unique_ptr<Transport> transport);
    // Ends all streams, for a stop of the server, after its sessions have ended; `done` runs, on
    // some shard, when everything that has to be is stored.
    void closeAll(std::function<void()> done);

    // Elsewhere
    bool route(const StanzaPtr& stanza, const Hold& hold, Shard& from) override;

    Server& server() { return server_; }
    Remotes& remotes(unsigned shard) { return *remotes_[shard]; }
    unsigned shardCount() const { return unsigned(remotes_.size()); }
    Remotes& remotesOf(std::string_view remote) {
        return *remotes_[server_.shardOf(remote).number()];
    }

    // ---- for streams and links; on any shard

    Resolver& resolver() { return parts_.resolver; }
    Dialer& dialer() { return parts_.dialer; }
    const TlsServerContext& serverTls() const { return parts_.tls; }
    std::shared_ptr<const TlsClientContext> clientTls(const std::string& local, Shard& shard,
                                                      bool isDirect);
    RemoteQueueStore& store() { return store_; }
    const std::string& dialbackSecret() const { return dialbackSecret_; }
    // Whether a domain is ours: a host's, a plugin's, a component's.
    bool serves(std::string_view domain, Shard& shard) const;
    // A place among the connections of an address that haven't shown whose they are.
    std::optional<AddressLimit::Place> placeFor(const std::string& address);
    // Room in the queues of all domains; false when there is none.
    bool reserve(std::size_t bytes);
    // For what is there already, room or not.
    void occupy(std::size_t bytes) { queuedBytes_.fetch_add(bytes, std::memory_order_relaxed); }
    void release(std::size_t bytes) { queuedBytes_.fetch_sub(bytes, std::memory_order_relaxed); }
    // Numbers grow, also over a restart.
    std::int64_t nextRow(WallTime now);

    void isThere(const std::string& remote);
    void ponged(const std::string& local, const std::string& remote, const std::string& id);
    // Presence to and from this domain may have been lost: accounts and contacts there ask and tell
    // each other anew.
    void meetAgain(const std::string& remote);
    // Asks the remote domain's server about a key; the stream hears of it, if it is still there.
    void verify(Shard& shard, std::uint64_t stream, const std::string& local,
                const std::string& remote, const std::string& id, const std::string& key);
    // The way back on a connection that the other server has made (XEP-0288), told to the link on
    // its shard.
    void offerWayBack(const std::string& local, const std::string& remote,
                      RemoteReverse::Offer offer);
    // `done` runs on the connection's shard, if it is still there.
    void resumeWayBack(Shard& shard, std::uint64_t stream, const std::string& local,
                       const std::string& remote, RemoteReverse::Offer offer,
                       UniqueFunction<void(bool)> done);
    void closeWayBack(const std::string& local, const std::string& remote, unsigned shard,
                      std::uint64_t stream, const std::string& reason, RemoteLink::Loss loss);
    void acknowledgeWayBack(const std::string& local, const std::string& remote, unsigned shard,
                            std::uint64_t stream, std::uint32_t h);
    // A place among a domain's connections; nothing when it has as many as it may.
    std::optional<RemoteAllowance::Place> connectionOf(const std::string& remote,
                                                       const RemoteSettings& settings,
                                                       SteadyTime now) {
        return allowances_.take(remote, settings.connectionsMax, settings.rateOf(remote), now);
    }
    // From now on this shard has the session, which is the domain's. False when there is no place
    // for another one.
    bool noteResumable(const std::string& id, const std::string& remote, const Remotes& home);
    void forgetResumable(const std::string& id, unsigned shard);
    // The shard that has it.
    std::optional<unsigned> homeOfResumable(const std::string& id);
    void takeResumable(Shard& shard, std::uint64_t stream, const std::string& id,
                       const std::string& local, const std::string& remote, bool isWayBack,
                       Remotes::Taken done);

private:
    Server& server_;
    const Parts parts_;
    RemoteQueueStore store_;
    const std::string dialbackSecret_;
    std::shared_ptr<AddressLimit> unauthenticated_;
    RemoteAllowances allowances_;
    std::atomic<std::size_t> queuedBytes_{0};
    std::atomic<std::size_t> queuedBytesMax_{0};
    std::atomic<std::int64_t> lastRow_{0};
    std::mutex mutex_;
    struct ResumablePlace {
        unsigned shard;
        std::string remote;
    };
    std::map<std::string, ResumablePlace> resumables_;
    std::map<std::string, std::size_t> resumablesOf_;  // of each domain
    std::vector<std::unique_ptr<Remotes>> remotes_;
};

}  // namespace epode
