// Attempts that overtake each other, on virtual time.
#include "net/happy_eyeballs.h"

#include "net/sim.h"
#include "tests/support/catch.h"

#include <map>
#include <optional>

using namespace epode;
using namespace std::chrono_literals;

namespace {

// Addresses answer after a time, refuse after a time, or are silent.
class Network final : public Dialer {
public:
    explicit Network(Simulation& simulation) : executor{simulation.addExecutor()} {}
    struct Behaviour {
        Duration after{};
        bool answers = true;
    };
    std::map<std::string, Behaviour> known;
    std::vector<std::string> dialled;
    int open = 0;
    SimExecutor& executor;

    std::unique_ptr<Attempt> dial(Executor&, const IpAddress& address, Duration timeout,
                                  Done done) override {
        struct Pending final : Attempt {
            explicit Pending(Network& network) : network_{network} { ++network_.open; }
            ~Pending() override { --network_.open; }
            Network& network_;
            Timer timer;
        };
        dialled.push_back(address.toText());
        auto attempt = std::make_unique<Pending>(*this);
        const auto found = known.find(address.toText());
        const auto after = found == known.end() ? timeout : found->second.after;
        const bool answers = found != known.end() && found->second.answers;
        attempt->timer = executor.after(after, [this, answers, done = std::move(done)]() mutable {
            auto call = std::move(done);
            if (!answers) {
                call(nullptr, "refused");
                return;
            }
            auto connection = SimTransport::connect(executor, executor);
            connection.client->setUser(nobody);
            connection.server->setUser(nobody);
            servers.push_back(std::move(connection.server));
            call(std::move(connection.client), {});
        });
        return attempt;
    }
    struct Nobody final : TransportUser {
        void onData(std::string_view) override {}
        void onClosed(std::string_view) override {}
    } nobody;
    std::vector<std::unique_ptr<Transport>> servers;
};

struct Stage {
    Simulation simulation;
    Network network{simulation};
    std::vector<std::string> failures;
    HappyEyeballs eyes{network,
                       network.executor,
                       {.timeout = 10s},
                       [this](const DialAddress& address, std::string_view) {
                           failures.push_back(address.address.toText());
                       }};
    std::optional<std::size_t> winner;
    bool isOver = false;
    std::unique_ptr<Transport> transport;

    void add(std::string_view text, std::size_t tag) { eyes.add({*IpAddress::parse(text), tag}); }
    void next() {
        winner.reset();
        isOver = false;
        network.executor.post([this] {
            eyes.next([this](std::unique_ptr<Transport> made, DialAddress address) {
                isOver = true;
                if (made) winner = address.tag;
                transport = std::move(made);
            });
        });
        simulation.runUntilIdle();
    }
};

}  // namespace

TEST_CASE("the first address that answers is taken, and a silent one costs a moment") {
    Stage stage;
    stage.network.known["192.0.2.2"] = {30ms, true};
    stage.add("192.0.2.1", 1);  // silent
    stage.add("192.0.2.2", 2);
    stage.eyes.complete();
    stage.next();
    stage.simulation.advance(200ms);
    CHECK_FALSE(stage.isOver);
    stage.simulation.advance(100ms);
    CHECK(stage.winner == 2u);
    CHECK(stage.network.open == 0);
}

TEST_CASE("a refusal goes on to the next address at once") {
    Stage stage;
    stage.network.known["192.0.2.1"] = {1ms, false};
    stage.network.known["192.0.2.2"] = {1ms, true};
    stage.add("192.0.2.1", 1);
    stage.add("192.0.2.2", 2);
    stage.eyes.complete();
    stage.next();
    stage.simulation.advance(10ms);
    CHECK(stage.winner == 2u);
    CHECK(stage.failures == std::vector<std::string>{"192.0.2.1"});
}

TEST_CASE("when all have failed it is told, once") {
    Stage stage;
    stage.network.known["192.0.2.1"] = {1ms, false};
    stage.add("192.0.2.1", 1);
    stage.add("192.0.2.2", 2);
    stage.eyes.complete();
    stage.next();
    stage.simulation.advance(9s);
    CHECK_FALSE(stage.isOver);
    stage.simulation.advance(2s);
    CHECK(stage.isOver);
    CHECK_FALSE(stage.winner);
    CHECK(stage.failures.size() == 2);
}

TEST_CASE("without any address it is over") {
    Stage stage;
    stage.next();
    CHECK_FALSE(stage.isOver);
    stage.network.executor.post([&] { stage.eyes.complete(); });
    stage.simulation.advance(1ms);
    CHECK(stage.isOver);
}

TEST_CASE("addresses may come while others are tried, and who was overtaken is tried again") {
    Stage stage;
    stage.network.known["192.0.2.1"] = {300ms, true};
    stage.network.known["192.0.2.2"] = {10ms, true};
    stage.add("192.0.2.1", 1);
    stage.next();
    stage.network.executor.post([&] {
        stage.add("192.0.2.2", 2);
        stage.eyes.complete();
    });
    stage.simulation.advance(290ms);
    CHECK(stage.winner == 2u);
    // It was of no use: what is left is the first.
    stage.next();
    stage.simulation.advance(400ms);
    CHECK(stage.winner == 1u);
    stage.next();
    stage.simulation.advance(1ms);
    CHECK(stage.isOver);
    CHECK_FALSE(stage.winner);
}
