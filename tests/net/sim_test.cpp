#include "net/sim.h"

#include "net/tls_context.h"
#include "tests/support/catch.h"

#include <functional>
#include <stdexcept>

using namespace epode;

namespace {

struct User : TransportUser {
    void take(std::unique_ptr<Transport> given) {
        transport = std::move(given);
        transport->setUser(*this);
    }
    SimTransport& sim() { return static_cast<SimTransport&>(*transport); }
    void onData(std::string_view bytes) override {
        data += bytes;
        ++reads;
        on = Executor::current();
        if (whenData) whenData(bytes);
    }
    void onSecured() override {
        isSecured = true;
        if (whenSecured) whenSecured();
    }
    void onDrained() override { ++drains; }
    void onClosed(std::string_view reason) override {
        ++closes;
        closeReason = reason;
        on = Executor::current();
        if (whenClosed) whenClosed();
    }

    std::unique_ptr<Transport> transport;
    std::string data;
    int reads = 0;
    int drains = 0;
    int closes = 0;
    bool isSecured = false;
    Executor* on = nullptr;
    std::string closeReason;
    std::function<void(std::string_view)> whenData;
    std::function<void()> whenSecured;
    std::function<void()> whenClosed;
};

// Two executors and a connection between them.
struct World {
    explicit World(SimLinkSettings settings = {}, std::uint64_t seed = 1) : simulation{seed} {
        auto connection = SimTransport::connect(clients, servers, std::move(settings));
        client.take(std::move(connection.client));
        server.take(std::move(connection.server));
        link = connection.link;
    }

    Simulation simulation;
    SimExecutor& clients{simulation.addExecutor()};
    SimExecutor& servers{simulation.addExecutor()};
    std::shared_ptr<SimLink> link;
    User client;
    User server;
};

std::string pattern(std::size_t size) {
    std::string bytes;
    for (std::size_t i = 0; bytes.size() < size; ++i) bytes += std::to_string(i) + ' ';
    bytes.resize(size);
    return bytes;
}

const TlsServerContext noCertificate;

}  // namespace

TEST_CASE("a timer is set and cancelled in turns of its own executor, or by the test") {
    Simulation simulation;
    SimExecutor& one = simulation.addExecutor();
    SimExecutor& other = simulation.addExecutor();
    Timer timer = one.after(std::chrono::seconds{1}, [] {});
    bool isAsked = false;
    other.post([&] {
        isAsked = true;
        CHECK_THROWS_AS(one.after(std::chrono::seconds{1}, [] {}), std::logic_error);
        CHECK_THROWS_AS(one.atEndOfTurn([] {}), std::logic_error);
        CHECK_THROWS_AS(timer.cancel(), std::logic_error);
    });
    simulation.runUntilIdle();
    CHECK(isAsked);
    one.post([&] {
        timer = one.after(std::chrono::seconds{1}, [] {});
        timer.cancel();
    });
    simulation.runUntilIdle();
    CHECK_FALSE(timer);
}

TEST_CASE("simulated time moves only when the test moves it, from timer to timer") {
    Simulation simulation;
    auto& executor = simulation.addExecutor();
    const auto start = executor.now();
    const auto wall = executor.wallNow();
    std::vector<Duration> fired;
    Timer inner;
    const Timer outer = executor.after(std::chrono::seconds{2}, [&] {
        fired.push_back(executor.now() - start);
        inner = executor.after(std::chrono::seconds{3},
                               [&] { fired.push_back(executor.now() - start); });
    });
    simulation.runUntilIdle();
    CHECK(fired.empty());
    simulation.advance(std::chrono::seconds{60});
    CHECK(fired == std::vector<Duration>{std::chrono::seconds{2}, std::chrono::seconds{5}});
    CHECK(executor.now() - start == std::chrono::seconds{60});
    CHECK(executor.wallNow() - wall == std::chrono::seconds{60});

    simulation.setWallNow(fromMilliseconds(5));
    CHECK(executor.wallNow() == fromMilliseconds(5));
    CHECK(executor.now() - start == std::chrono::seconds{60});
}

TEST_CASE("a simulated executor knows its turns and keeps their order") {
    Simulation simulation;
    auto& executor = simulation.addExecutor();
    std::string order;
    executor.post([&] {
        CHECK(executor.isCurrent());
        executor.post([&] { order += "c"; });
        executor.atEndOfTurn([&] { order += "b"; });
        order += "a";
    });
    simulation.runUntilIdle();
    CHECK(order == "abc");
    CHECK_FALSE(executor.isCurrent());
}

TEST_CASE("work that never ends is found out") {
    Simulation simulation;
    auto& executor = simulation.addExecutor();
    std::function<void()> again = [&] { executor.post([&] { again(); }); };
    again();
    CHECK_THROWS_AS(simulation.runUntilIdle(), std::logic_error);
}

TEST_CASE("bytes go both ways in order, cut at random places, after the delay") {
    World world{{.delay = std::chrono::milliseconds{50}, .chunkMax = 7},
                GENERATE(std::uint64_t{1}, std::uint64_t{2}, std::uint64_t{3})};
    world.server.whenData = [&](std::string_view bytes) { world.server.transport->send(bytes); };
    const auto bytes = pattern(1000);
    world.client.transport->send(bytes);
    world.simulation.advance(std::chrono::milliseconds{49});
    CHECK(world.server.data.empty());
    world.simulation.advance(std::chrono::milliseconds{1});
    CHECK(world.server.data == bytes);
    CHECK(world.server.reads > 100);
    CHECK(world.client.data.empty());
    world.simulation.advance(std::chrono::milliseconds{50});
    CHECK(world.client.data == bytes);
    CHECK(world.link->bytesToServer() == bytes.size());
    CHECK(world.link->bytesToClient() == bytes.size());
}

TEST_CASE("a seed repeats a schedule") {
    const auto readsOf = [](std::uint64_t seed) {
        World world{{.chunkMax = 50}, seed};
        std::vector<std::size_t> reads;
        world.server.whenData = [&](std::string_view bytes) { reads.push_back(bytes.size()); };
        world.client.transport->send(pattern(5000));
        world.simulation.runUntilIdle();
        return reads;
    };
    CHECK(readsOf(5) == readsOf(5));
    CHECK(readsOf(5) != readsOf(6));
}

TEST_CASE("a reader that does not read makes the other side's output grow, up to its marks") {
    World world{{.window = 10000}};
    world.server.transport->pauseReading();
    const auto bytes = pattern(300'000);
    world.client.transport->send(bytes);
    world.simulation.runUntilIdle();
    CHECK(world.server.data.empty());
    CHECK(world.client.transport->unsentBytes() == 290'000);
    world.server.transport->resumeReading();
    world.simulation.runUntilIdle();
    CHECK(world.server.data == bytes);
    CHECK(world.client.transport->unsentBytes() == 0);
    CHECK(world.client.drains == 1);
}

TEST_CASE("ends of a simulated connection are told as those of a real one") {
    World world;
    SECTION("dropped") {
        world.client.transport->send("last words");
        world.simulation.runUntilIdle();
        world.client.transport.reset();
        world.simulation.runUntilIdle();
        CHECK(world.server.data == "last words");
        CHECK(world.server.closeReason == "closed by peer");
    }
    SECTION("aborted") {
        world.client.transport->abort();
        CHECK(world.client.closes == 0);
        world.simulation.runUntilIdle();
        CHECK(world.client.closeReason == "aborted");
        CHECK(world.server.closeReason == "reset by peer");
    }
    SECTION("closed gracefully") {
        world.client.transport->send("all of it");
        world.client.transport->closeGracefully();
        world.simulation.runUntilIdle();
        CHECK(world.server.data == "all of it");
        CHECK(world.server.closeReason == "closed by peer");
        CHECK(world.client.closeReason == "closed");
    }
    SECTION("closed gracefully before a peer that reads nothing") {
        world.server.transport->pauseReading();
        world.client.transport->closeGracefully();
        world.simulation.advance(std::chrono::milliseconds{4999});
        CHECK(world.client.closes == 0);
        world.simulation.advance(std::chrono::milliseconds{1});
        CHECK(world.client.closeReason == "closed; the peer was too slow");
        world.server.transport->resumeReading();
        world.simulation.runUntilIdle();
        CHECK(world.server.closes == 1);
    }
    SECTION("cut") {
        world.link->setDelay(std::chrono::seconds{1});
        world.client.transport->send("lost on the way");
        world.simulation.runUntilIdle();
        world.link->cut();
        world.simulation.advance(std::chrono::seconds{10});
        CHECK(world.server.data.empty());
        CHECK(world.client.closeReason == "reset by peer");
        CHECK(world.server.closeReason == "reset by peer");
    }
    world.simulation.advance(std::chrono::minutes{1});
    CHECK(world.client.closes <= 1);
    CHECK(world.server.closes == 1);
}

TEST_CASE("a link that hangs brings everything once it goes on") {
    World world;
    world.link->stall();
    world.client.transport->send("waits");
    world.simulation.advance(std::chrono::minutes{5});
    CHECK(world.server.data.empty());
    CHECK(world.server.closes == 0);
    world.link->goOn();
    world.simulation.runUntilIdle();
    CHECK(world.server.data == "waits");
}

TEST_CASE("simulated STARTTLS drops early bytes and gives both sides one exporter") {
    World world{{.clientCertificate = "DER", .isClientVerified = true}};
    world.server.whenData = [&](std::string_view bytes) {
        if (world.server.isSecured || bytes != "<starttls/>") return;
        world.server.transport->send("<proceed/>");
        world.server.transport->startTls(noCertificate);
        world.server.transport->send("secret");
    };
    world.client.whenData = [&](std::string_view bytes) {
        if (bytes == "<proceed/>") world.client.sim().startTls("capulet.example");
    };
    world.client.transport->send("<starttls/>");
    world.simulation.runUntilIdle();
    REQUIRE(world.server.isSecured);
    REQUIRE(world.client.isSecured);
    CHECK(world.client.data == "<proceed/>secret");
    const auto& ours = *world.server.transport->tls();
    CHECK(ours.serverName == "capulet.example");
    CHECK(ours.exporter.size() == 32);
    CHECK(ours.exporter == world.client.transport->tls()->exporter);
    CHECK(ours.peerCertificate == "DER");
    CHECK(ours.peerVerified);

    world.server.transport->forgetLoginSecrets();
    CHECK(ours.exporter.empty());
    CHECK(ours.version == "TLSv1.3");
}

TEST_CASE("bytes before the simulated handshake are never processed") {
    World world;
    world.server.whenData = [&](std::string_view bytes) {
        if (bytes != "<starttls/>") return;
        world.server.transport->send("<proceed/>");
        world.server.transport->startTls(noCertificate);
        world.client.transport->send("<message/>");
        world.client.transport->wantFlush();
    };
    world.client.whenData = [&](std::string_view) { world.client.sim().startTls(""); };
    world.client.transport->send("<starttls/>");
    world.simulation.runUntilIdle();
    CHECK(world.server.data == "<starttls/>");
}

TEST_CASE("a simulated connection moves between executors and loses nothing") {
    World world{{.delay = std::chrono::milliseconds{1}, .chunkMax = 20, .window = 500},
                GENERATE(range(std::uint64_t{1}, std::uint64_t{30}))};
    auto& other = world.simulation.addExecutor();
    Executor* here = &world.servers;
    int moves = 0;
    bool isMisplaced = false;
    world.server.whenData = [&](std::string_view bytes) {
        if (Executor::current() != here) isMisplaced = true;
        world.server.transport->send(bytes);
        if (world.simulation.random(4) != 0) return;
        auto& there = here == &other ? world.servers : other;
        Transport::move(std::move(world.server.transport), there,
                        [&](std::unique_ptr<Transport> arrived) {
                            here = &there;
                            ++moves;
                            if (Executor::current() != here) isMisplaced = true;
                            world.server.take(std::move(arrived));
                        });
    };
    const auto bytes = pattern(5000);
    world.client.transport->send(bytes);
    world.simulation.advance(std::chrono::minutes{1});
    CHECK(world.client.data == bytes);
    CHECK(moves > 10);
    CHECK_FALSE(isMisplaced);
    world.client.transport.reset();
    world.simulation.advance(std::chrono::minutes{1});
    CHECK(world.server.closes == 1);
    CHECK(world.server.on == here);
}

TEST_CASE("a simulated transport may be destroyed in its callbacks") {
    World world;
    world.server.whenData = [&](std::string_view) { world.server.transport.reset(); };
    world.client.whenClosed = [&] { world.client.transport.reset(); };
    world.client.transport->send("x");
    world.simulation.runUntilIdle();
    CHECK(world.client.closeReason == "closed by peer");
    CHECK_FALSE(world.client.transport);
}
