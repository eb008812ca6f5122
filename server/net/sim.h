// A simulated world for tests: executors on one thread whose time the test moves, and connections
// between them in memory. Whole servers run in it, and a seed repeats every schedule exactly: the
// order in which executors take their turns and the places where reads are cut. Transports end
// before their simulation.
#pragma once

#include "core/executor.h"
#include "net/timer_queue.h"
#include "net/transport.h"

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <vector>

namespace epode {

class SimExecutor;
class SimTransport;

class Simulation {
public:
    explicit Simulation(std::uint64_t seed = 1);
    ~Simulation();
    Simulation(const Simulation&) = delete;
    Simulation& operator=(const Simulation&) = delete;

    // Lives as long as the simulation.
    SimExecutor& addExecutor();

    // Turns of all executors, until none has anything to do at this time. Throws std::logic_error
    // when that does not happen within a million turns.
    void runUntilIdle();
    // Moves time on, stopping at each timer that is due on the way, and runs until idle there.
    void advance(Duration duration);

    SteadyTime now() const { return now_; }
    WallTime wallNow() const;
    void setWallNow(WallTime time);  // the wall clock jumps; the steady one doesn't

    // A number below `bound`, the next of this seed.
    std::uint64_t random(std::uint64_t bound);

private:
    std::mt19937_64 generator_;
    SteadyTime now_{};
    WallTime wallAtZero_;
    std::vector<std::unique_ptr<SimExecutor>> executors_;
};

class SimExecutor final : public Executor {
public:
    void post(UniqueFunction<void()> work) override;
    void atEndOfTurn(UniqueFunction<void()> work) override;
    Timer after(Duration delay, UniqueFunction<void()> work) override;
    SteadyTime now() const override { return simulation_.now(); }
    WallTime wallNow() const override { return simulation_.wallNow(); }

    Simulation& simulation() const { return simulation_; }
    // After it, work that is posted is destroyed without being run, as by a loop that has stopped.
    void stop();

private:
    friend class Simulation;
    friend class SimTransport;
    explicit SimExecutor(Simulation& simulation) : simulation_{simulation} {}

    bool hasWork() const;
    void turn();
    void at(SteadyTime time, UniqueFunction<void()> work) { timers_.add(time, std::move(work)); }
    void atFlush(UniqueFunction<void()> work) { flushes_.push_back(std::move(work)); }
    void cancelTimer(std::uint64_t id) override;
    // All turns share one thread here; where each executor has its own, this would be a race. Tests
    // themselves may do what they like between the turns.
    void requireOwnThread() const;
    bool isTimerSet(std::uint64_t id) const override { return timers_.isSet(id); }

    Simulation& simulation_;
    TimerQueue timers_;
    std::vector<UniqueFunction<void()>> posted_;
    std::vector<UniqueFunction<void()>> endOfTurn_;
    std::vector<UniqueFunction<void()>> flushes_;
    bool isStopped_ = false;
};

struct SimLinkSettings {
    Duration delay{};            // one way
    std::size_t chunkMax = 0;    // reads have a random size up to this; 0: as it was written
    std::size_t window = 65536;  // what the network holds for a reader that does not read
    std::string clientAddress = "192.0.2.1";
    std::string serverAddress = "198.51.100.1";
    std::string clientCertificate;  // DER that the client shows under TLS
    bool isClientVerified = false;
    std::string serverCertificate;  // and the server
    bool isServerVerified = false;
    std::string problem = "unable to get local issuer certificate";  // of who isn't
};

// The wire between two transports, for the test to disturb.
class SimLink {
public:
    // The connection is dead at once: what is on the wire is lost, both ends hear of a reset.
    void cut();
    // Nothing arrives any more, in either direction, until the link goes on: a network that hangs.
    void stall();
    void goOn();
    void setDelay(Duration delay) { settings_.delay = delay; }

    // Bytes that have been read by the server and the client.
    std::uint64_t bytesToServer() const { return directions_[1].delivered; }
    std::uint64_t bytesToClient() const { return directions_[0].delivered; }

private:
    friend class SimTransport;
    enum class Kind : std::uint8_t { Data, ClientHello, ServerFinished, End, Reset };
    struct Segment {
        SteadyTime arrives;
        Kind kind;
        bool isSecured;
        std::string bytes;
    };
    struct Direction {  // towards the end of this index
        std::deque<Segment> segments;
        std::size_t onTheWay = 0;
        std::uint64_t delivered = 0;
    };
    using Cell = std::shared_ptr<SimTransport*>;

    SimLinkSettings settings_;
    Direction directions_[2];
    Cell ends_[2];
    std::string serverName_;
    std::string exporter_;
    bool isStalled_ = false;
};

// Keeps the promises of Transport and nothing else: TLS is an exchange of two tokens, after which
// both ends have an equal exporter. Certificates are not looked at, but for what DANE demands.
class SimTransport final : public Transport {
public:
    struct Connection {
        std::unique_ptr<Transport> client;
        std::unique_ptr<Transport> server;
        std::shared_ptr<SimLink> link;
    };
    // Both ends are there at once; set their users before the next turn.
    static Connection connect(SimExecutor& client, SimExecutor& server,
                              SimLinkSettings settings = {});
    ~SimTransport() override;

    void setUser(TransportUser& user) override { user_ = &user; }
    std::string& output() override { return output_; }
    void wantFlush() override;
    std::size_t unsentBytes() const override { return backlog_.size(); }
    void closeGracefully() override;
    void abort() override;
    void startTls(const TlsServerContext& context) override;
    void startTls(const TlsClientContext& context, std::string_view serverName) override;
    // As above; a simulated client has no use for a context.
    void startTls(std::string_view serverName);
    const TlsInfo* tls() const override { return info_ ? &*info_ : nullptr; }
    void forgetLoginSecrets() override;
    void pauseReading() override { isPaused_ = true; }
    void resumeReading() override;
    std::string peerAddress() const override;
    std::string localAddress() const override;

    static constexpr std::size_t highMark = 128 * 1024;
    static constexpr std::size_t lowMark = 32 * 1024;
    static constexpr Duration lingerMax = std::chrono::seconds{5};

private:
    friend class SimLink;
    enum class Phase : std::uint8_t { Open, Closing, Lingering, Closed };
    enum class Tls : std::uint8_t { None, Leaving, Handshaking, Open };
    static constexpr int clientEnd = 0;
    static constexpr int serverEnd = 1;

    SimTransport(SimExecutor& executor, std::shared_ptr<SimLink> link, int end);
    void doMove(std::unique_ptr<Transport> self, Executor& to,
                UniqueFunction<void(std::unique_ptr<Transport>)> arrived) override;

    SimLink::Direction& incoming() { return link_->directions_[end_]; }
    SimLink::Direction& outgoing() { return link_->directions_[1 - end_]; }
    bool mayRead() const { return !isMoving_ && phase_ != Phase::Closed && !link_->isStalled_; }

    void later(void (SimTransport::*work)());
    void schedule(SteadyTime time, void (SimTransport::*work)());
    UniqueFunction<void()> here(void (SimTransport::*work)());
    void dropEarlyInput();
    void flush();
    void put(SimLink::Kind kind, std::string bytes = {});
    void pump();
    void take(SimLink::Segment segment);
    void takeData(std::string_view bytes, bool isSecured);
    void writable();
    void beginTls();
    void secured();
    void finish(std::string_view reason);
    void fail(std::string reason);
    void tellFailure();

    SimExecutor* executor_;
    std::shared_ptr<SimLink> link_;  // also held by the other end and the test
    const int end_;
    SimLink::Cell self_;  // points here until the end; what is scheduled asks it
    TransportUser* user_ = nullptr;
    std::string output_;
    std::string backlog_;
    std::string failure_;
    std::optional<TlsInfo> info_;
    Timer linger_;
    Phase phase_ = Phase::Open;
    Tls tls_ = Tls::None;
    bool isPaused_ = false;
    bool isMoving_ = false;
    bool isFlushWanted_ = false;
    bool isAboveHighMark_ = false;
};

}  // namespace epode
