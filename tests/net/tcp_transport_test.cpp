#include "net/tcp_transport.h"

#include "net/connector.h"
#include "tests/net/net_support.h"

#include <netinet/tcp.h>

using namespace epode;
using namespace epode::test;

namespace {

// Answers with what it got.
void echo(RecordingUser& user) {
    user.whenData = [&user](std::string_view bytes) { user.transport->send(bytes); };
}

}  // namespace

TEST_CASE("bytes come back from an echo in order, small and large") {
    Server server;
    server.whenAccepted = echo;
    RawClient client{server.port()};
    client.send("hello");
    CHECK(client.receive(5) == "hello");

    // More than the buffers of both sockets hold, so that writes are short.
    const auto bytes = pattern(8 << 20);
    std::jthread sender{[&] { client.send(bytes); }};
    CHECK((client.receive(bytes.size()) == bytes));
}

TEST_CASE("what is sent in one turn leaves as one") {
    Server server;
    RawClient client{server.port()};
    auto& user = server.only();
    server.run([&] {
        user.transport->send("one ");
        user.transport->output() += "two ";
        user.transport->wantFlush();
        user.transport->send("three");
    });
    char buffer[64];
    CHECK(::recv(client.socket.get(), buffer, sizeof buffer, 0) == 13);
}

TEST_CASE("both addresses of a connection are known") {
    Server server;
    RawClient client{server.port()};
    auto& user = server.only();
    CHECK(server.run([&] { return user.transport->peerAddress(); }) == "127.0.0.1");
    CHECK(server.run([&] { return user.transport->localAddress(); }) == "127.0.0.1");
    CHECK(server.run([&] { return user.transport->tls() == nullptr; }));
}

TEST_CASE("the end of a connection is told once, with its reason") {
    Server server;
    RawClient client{server.port()};
    auto& user = server.only();
    SECTION("the peer closes") {
        client.send("last words");
        client.socket.reset();
        REQUIRE(server.eventually([&] { return user.closes > 0; }));
        CHECK(user.data == "last words");
        CHECK(user.closeReason == "closed by peer");
    }
    SECTION("the peer ends its half alone") {
        client.send("last words");
        client.endSending();
        REQUIRE(server.eventually([&] { return user.closes > 0; }));
        CHECK(user.data == "last words");
        CHECK(user.closeReason == "closed by peer");
    }
    SECTION("the peer resets") {
        client.reset();
        REQUIRE(server.eventually([&] { return user.closes > 0; }));
        CHECK(user.closeReason == "reset by peer");
    }
    SECTION("we abort, in a later turn") {
        CHECK(server.run([&] {
            user.transport->abort();
            return user.closes;
        }) == 0);
        REQUIRE(server.eventually([&] { return user.closes > 0; }));
        CHECK(user.closeReason == "aborted");
        CHECK(client.receiveAll() == "");
    }
    server.run([&] {
        // All that may follow an end does nothing.
        user.transport->send("too late");
        user.transport->pauseReading();
        user.transport->resumeReading();
        user.transport->closeGracefully();
        user.transport->abort();
    });
    server.run([&] {});
    CHECK(server.run([&] { return user.closes; }) == 1);
}

TEST_CASE("a graceful close sends all that is queued and waits for the peer's end") {
    Server server;
    RawClient client{server.port()};
    auto& user = server.only();
    const auto bytes = pattern(6 << 20);
    server.run([&] {
        user.transport->send(bytes);
        user.transport->closeGracefully();
    });
    client.send("not read any more");
    CHECK((client.receiveAll() == bytes));
    CHECK(server.run([&] { return user.closes; }) == 0);
    client.socket.reset();
    REQUIRE(server.eventually([&] { return user.closes > 0; }));
    CHECK(user.closeReason == "closed");
    CHECK(user.data == "");
}

TEST_CASE("what is said with the last breath is answered") {
    // The client sends its end together with the request, as a stream that closes does.
    Server server;
    server.whenAccepted = [](RecordingUser& user) {
        user.whenData = [&user](std::string_view) {
            user.transport->send("goodbye");
            user.transport->closeGracefully();
        };
    };
    RawClient client{server.port()};
    client.send("bye");
    client.endSending();
    CHECK(client.receiveAll() == "goodbye");
    auto& user = server.only();
    REQUIRE(server.eventually([&] { return user.closes > 0; }));
    CHECK(user.closeReason == "closed");
}

TEST_CASE("a slow reader fills the output up and drains it under the marks") {
    Server server;
    RawClient client{server.port()};
    auto& user = server.only();
    const auto bytes = pattern(16 << 20);
    server.run([&] { user.transport->send(bytes); });
    REQUIRE(
        server.eventually([&] { return user.transport->unsentBytes() > TcpTransport::highMark; }));
    CHECK(user.drains == 0);
    server.run([&] { user.transport->send("the end"); });
    CHECK((client.receive(bytes.size()) == bytes));
    CHECK(client.receive(7) == "the end");
    REQUIRE(server.eventually([&] { return user.transport->unsentBytes() == 0; }));
    CHECK(user.drains == 1);
}

TEST_CASE("nothing is read while reading is paused, and nothing is lost by it") {
    Server server;
    server.whenAccepted = [](RecordingUser& user) { user.transport->pauseReading(); };
    RawClient client{server.port()};
    auto& user = server.only();
    client.send("waits");
    SECTION("the peer stays") {
        server.run([&] { user.transport->send("mark"); });
        CHECK(client.receive(4) == "mark");
        CHECK(server.run([&] { return user.data; }) == "");
        server.run([&] { user.transport->resumeReading(); });
        CHECK(server.eventually([&] { return user.data == "waits"; }));
    }
    SECTION("the peer has closed meanwhile") {
        client.socket.reset();
        // Our answer makes the kernel report a dead connection at each turn.
        server.run([&] { user.transport->send("anybody?"); });
        server.run([&] { user.transport->resumeReading(); });
        REQUIRE(server.eventually([&] { return user.closes == 1; }));
        CHECK((user.data == "waits" || user.closeReason == "reset by peer"));
    }
}

TEST_CASE("a dead connection that is paused does not keep the loop busy") {
    Server server;
    server.whenAccepted = [](RecordingUser& user) { user.transport->pauseReading(); };
    RawClient client{server.port()};
    auto& user = server.only();
    client.reset();
    // Twenty timers, one after the other, take about as many turns. A connection that reports
    // itself again and again would have thousands in between.
    std::promise<std::uint64_t> turns;
    Timer timer;
    int timers = 0;
    std::function<void()> next;
    server.run([&] {
        next = [&, before = server.loop.turns()] {
            if (++timers > 20) {
                turns.set_value(server.loop.turns() - before);
                return;
            }
            timer = server.loop.after(std::chrono::milliseconds{2}, [&] { next(); });
        };
        next();
    });
    CHECK(turns.get_future().get() < 100);
    server.run([&] { user.transport->resumeReading(); });
    REQUIRE(server.eventually([&] { return user.closes == 1; }));
    CHECK(user.closeReason == "reset by peer");
}

TEST_CASE("a transport may be destroyed in each callback") {
    Server server;
    SECTION("on data") {
        server.whenAccepted = [](RecordingUser& user) {
            user.whenData = [&user](std::string_view) { user.transport.reset(); };
        };
        RawClient client{server.port()};
        client.send("x");
        CHECK(client.receiveAll() == "");
    }
    SECTION("on closed, with output queued") {
        server.whenAccepted = [](RecordingUser& user) {
            user.whenClosed = [&user] {
                user.transport->send("to nobody");
                user.transport.reset();
            };
        };
        RawClient client{server.port()};
        auto& user = server.only();
        client.reset();
        CHECK(server.eventually([&] { return user.closes == 1 && !user.transport; }));
    }
    SECTION("between an abort and its end") {
        RawClient client{server.port()};
        auto& user = server.only();
        server.run([&] {
            user.transport->abort();
            user.transport.reset();
        });
        server.run([&] {});
        CHECK(server.run([&] { return user.closes; }) == 0);
    }
    SECTION("with output that waits for its flush") {
        RawClient client{server.port()};
        auto& user = server.only();
        server.run([&] {
            user.transport->send("never sent");
            user.transport.reset();
        });
        CHECK(client.receiveAll() == "");
    }
}

TEST_CASE("a connection moves between loops under traffic, in order and without loss") {
    Server server;
    LoopThread other;
    // It goes to and fro all the time, at each read.
    std::atomic<int> moves{0};
    struct Wanderer : TransportUser {
        void onData(std::string_view bytes) override {
            if (!here->loop.isCurrent() || !transport) isMisplaced = true;
            transport->send(bytes);
            auto* there = here == first ? second : first;
            Transport::move(std::move(transport), there->loop,
                            [this, there](std::unique_ptr<Transport> arrived) {
                                here = there;
                                ++*moves;
                                transport = std::move(arrived);
                                transport->setUser(*this);
                                transport->send("");
                            });
        }
        void onClosed(std::string_view) override { isClosed = true; }
        LoopThread* first = nullptr;
        LoopThread* second = nullptr;
        LoopThread* here = nullptr;
        std::atomic<int>* moves = nullptr;
        std::unique_ptr<Transport> transport;
        std::atomic<bool> isClosed{false};
        std::atomic<bool> isMisplaced{false};
    } wanderer;
    wanderer.first = &server;
    wanderer.second = &other;
    wanderer.here = &server;
    wanderer.moves = &moves;
    server.whenAccepted = [&](RecordingUser& user) {
        wanderer.transport = std::move(user.transport);
        wanderer.transport->setUser(wanderer);
    };
    RawClient client{server.port()};
    const auto bytes = pattern(4 << 20);
    std::jthread sender{[&] { client.send(bytes); }};
    CHECK((client.receive(bytes.size()) == bytes));
    client.endSending();
    CHECK(moves > 10);
    CHECK_FALSE(wanderer.isMisplaced);
    while (!wanderer.isClosed) settle(server, other);
    wanderer.here->run([&] { wanderer.transport.reset(); });
    settle(server, other);
}

TEST_CASE("what a slow reader has not taken goes along to another loop") {
    Server server;
    LoopThread other;
    RawClient client{server.port()};
    auto& user = server.only();
    const auto bytes = pattern(8 << 20);
    std::promise<void> arrived;
    server.run([&] {
        user.transport->send(bytes);
        user.transport->send("first ");
    });
    server.run([&] {
        user.transport->send("second ");
        Transport::move(std::move(user.transport), other.loop,
                        [&](std::unique_ptr<Transport> transport) {
                            user.take(std::move(transport));
                            user.transport->send("third");
                            arrived.set_value();
                        });
    });
    arrived.get_future().get();
    CHECK((client.receive(bytes.size()) == bytes));
    CHECK(client.receive(18) == "first second third");
    other.run([&] { user.transport.reset(); });
    settle(server, other);
}

TEST_CASE("a connection that ends while it moves is told at its new place") {
    Server server;
    LoopThread other;
    RawClient client{server.port()};
    auto& user = server.only();
    bool isOther = false;
    user.whenClosed = [&] { isOther = other.loop.isCurrent(); };
    server.run([&] {
        user.transport->abort();
        Transport::move(
            std::move(user.transport), other.loop,
            [&](std::unique_ptr<Transport> transport) { user.take(std::move(transport)); });
    });
    REQUIRE(other.eventually([&] { return user.closes == 1; }));
    CHECK(isOther);
    other.run([&] { user.transport.reset(); });
    settle(server, other);
}

TEST_CASE("a connection that moves to a stopped loop is closed") {
    Server server;
    EventLoop stopped;
    stopped.stop();
    stopped.run();
    RawClient client{server.port()};
    auto& user = server.only();
    server.run([&] {
        Transport::move(std::move(user.transport), stopped,
                        [](std::unique_ptr<Transport>) { FAIL("arrived nowhere"); });
    });
    CHECK(client.receiveAll() == "");
}

TEST_CASE("a connector gives a connection or the reason why there is none") {
    Server server;
    server.whenAccepted = echo;
    LoopThread clients;
    std::unique_ptr<Connector> connector;
    RecordingUser user;
    std::promise<std::string> outcome;
    const auto connect = [&](std::uint16_t port) {
        clients.run([&] {
            connector = std::make_unique<Connector>(
                clients.loop, *IpAddress::parse("127.0.0.1", port), patience,
                [&](std::unique_ptr<Transport> transport, std::string_view problem) {
                    if (transport) user.take(std::move(transport));
                    connector.reset();
                    outcome.set_value(std::string{problem});
                });
        });
        return outcome.get_future().get();
    };
    SECTION("somebody listens") {
        CHECK(connect(server.port()) == "");
        clients.run([&] { user.transport->send("to and fro"); });
        CHECK(clients.eventually([&] { return user.data == "to and fro"; }));
    }
    SECTION("nobody listens") {
        // A port that was ours a moment ago, bound but not listening.
        RawClient bound;
        sockaddr_storage storage;
        const auto length = IpAddress::parse("127.0.0.1")->toSockaddr(storage);
        REQUIRE(::bind(bound.socket.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0);
        CHECK(connect(IpAddress::ofLocal(bound.socket.get()).port()) == "Connection refused");
        CHECK_FALSE(user.transport);
    }
    clients.run([&] { user.transport.reset(); });
}
