// Whether the running server talks with other servers (`s2s.enabled`), and the parts that it needs
// for that: with "auto" as soon as a host has a certificate that other servers trust.
#pragma once

#include "control/config.h"
#include "control/remote_tls.h"
#include "core/task.h"
#include "net/dialer.h"
#include "net/event_loop.h"
#include "net/listener.h"
#include "net/unbound_resolver.h"
#include "route/server.h"
#include "stream/federation.h"
#include "stream/remote_options.h"

#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace epode {

class FederationControl {
public:
    using Loops = std::vector<std::unique_ptr<EventLoop>>;

    // Before the loops run. Throws what makes federation impossible when the configuration demands
    // it.
    FederationControl(Server& server, const Loops& loops, const Config& config, std::string data);
    ~FederationControl();

    // Null when the configuration rules it out.
    Federation* federation() { return federation_.get(); }
    // A sentence for people; "" when it is on. From any thread.
    std::string whyOff() const;

    // In this order, at the start. Brings back what waited for other servers, when it is on.
    void restore(UniqueFunction<void()> done);
    // Begins to listen on one loop, on its thread, when it is on. Throws when the configuration
    // demands federation and a port can't be had.
    void listen(unsigned loop);

    // A reload, on the first shard. Certificates are read again; federation may begin.
    Task<> apply(ConfigPtr config);

    // On the loop's thread, for a stop.
    void closeListeners(unsigned loop) { listeners_[loop].clear(); }

private:
    // Whether the certificates are good enough for "auto", and what tells it.
    struct Verdict {
        bool isGood = false;
        std::string reason;
    };
    // From any thread.
    Verdict judge(const std::vector<TlsStore::Presented>& certificates, WallTime now) const;
    std::vector<TlsFiles> files(const Config& config) const;
    void open(unsigned loop);
    void turnOn(const std::string& reason);
    void turnOff(std::string reason);

    Server& server_;
    const Loops& loops_;
    const std::string data_;
    const RemoteMode mode_;
    const RemoteListen where_;
    const std::string authorities_;
    std::unique_ptr<RemoteTls> tls_;
    std::unique_ptr<UnboundResolver> resolver_;
    SocketDialer dialer_;
    std::unique_ptr<Federation> federation_;
    std::vector<std::vector<std::unique_ptr<Listener>>> listeners_;  // of each loop
    mutable std::mutex mutex_;
    std::string whyOff_;
};

}  // namespace epode
