#include "net/listener.h"

#include "tests/net/net_support.h"

#include <sys/resource.h>

#include <system_error>

using namespace epode;
using namespace epode::test;

TEST_CASE("an address that has as many connections as it may gets no more until one ends") {
    Server server{{.address = {},
                   .directTls = nullptr,
                   .limit = AddressLimit::make(2, AddressLimit::Loopback::Counted)}};
    server.whenAccepted = [](RecordingUser& user) { user.transport->send("welcome"); };
    RawClient one{server.port()};
    RawClient two{server.port()};
    CHECK(one.receive(7) == "welcome");
    CHECK(two.receive(7) == "welcome");
    RawClient three{server.port()};
    CHECK(three.receiveAll() == "");

    server.run([&] { server.users.front()->transport.reset(); });
    RawClient four{server.port()};
    CHECK(four.receive(7) == "welcome");
}

TEST_CASE("an address that is not ours is refused with its name") {
    EventLoop loop;
    try {
        const Listener listener{loop, {.address = *IpAddress::parse("192.0.2.1", 5222)}, nullptr};
        FAIL("listens on a foreign address");
    } catch (const std::system_error& error) {
        CHECK(std::string{error.what()}.find("192.0.2.1:5222") != std::string::npos);
    }
}

TEST_CASE("the first to listen makes sure that nobody else does") {
    EventLoop loop;
    const auto listen = [&](const char* address, std::uint16_t port, bool isFirst) {
        return std::make_unique<Listener>(
            loop,
            Listener::Settings{.address = *IpAddress::parse(address, port), .isFirst = isFirst},
            nullptr);
    };
    auto one = listen("127.0.0.1", 0, true);
    const auto port = one->port();
    CHECK_NOTHROW(listen("127.0.0.1", port, false));  // as the second loop does
    CHECK_NOTHROW(listen("127.0.0.2", port, true));
    for (const auto* taken : {"127.0.0.1", "0.0.0.0"}) {
        INFO(taken);
        try {
            listen(taken, port, true);
            FAIL("shares the port");
        } catch (const std::system_error& error) {
            CHECK(error.code() == std::errc::address_in_use);
        }
    }
    one.reset();
    CHECK_NOTHROW(listen("0.0.0.0", port, true));
}

TEST_CASE("two loops listen on one port, and each connection goes to one of them") {
    Server first;
    LoopThread second;
    std::atomic<int> there{0};
    std::vector<std::unique_ptr<RecordingUser>> users;
    std::unique_ptr<Listener> listener;
    second.run([&] {
        listener = std::make_unique<Listener>(
            second.loop,
            Listener::Settings{.address = *IpAddress::parse("127.0.0.1", first.port())},
            [&](std::unique_ptr<Transport> transport) {
                users.push_back(std::make_unique<RecordingUser>(std::move(transport)));
                ++there;
            });
    });
    constexpr std::size_t count = 64;
    std::vector<std::unique_ptr<RawClient>> clients;
    for (std::size_t i = 0; i < count; ++i) {
        clients.push_back(std::make_unique<RawClient>(first.port()));
    }
    // The kernel deals them out by a hash: that one of two gets none of 64 doesn't happen.
    CHECK(first.eventually(
        [&] { return first.users.size() + static_cast<std::size_t>(there) == count; }));
    CHECK(there > 0);
    CHECK(there < static_cast<int>(count));
    second.run([&] {
        users.clear();
        listener.reset();
    });
}

TEST_CASE("without descriptors a client is turned away, and later ones are welcome again") {
    Server server;
    server.whenAccepted = [](RecordingUser& user) { user.transport->send("welcome"); };
    // Also: UBSan looks at an object that it hasn't seen before through a pipe, for which there
    // will be no descriptor.
    RawClient first{server.port()};
    CHECK(first.receive(7) == "welcome");
    CHECK(std::generic_category().message(EMFILE) != "");
    RawClient early;
    RawClient late;
    const Fd highest{::dup(0)};
    rlimit before{};
    ::getrlimit(RLIMIT_NOFILE, &before);
    rlimit none = before;
    none.rlim_cur = static_cast<rlim_t>(highest.get());
    // Every number below the limit has to be taken, whatever this process has closed before.
    std::vector<Fd> filling;
    while (true) {
        Fd fd{::dup(0)};
        if (!fd || fd.get() > highest.get()) break;
        filling.push_back(std::move(fd));
    }
    ::setrlimit(RLIMIT_NOFILE, &none);
    early.connect(server.port());
    const auto answer = early.receiveAll();
    ::setrlimit(RLIMIT_NOFILE, &before);
    CHECK(answer == "");
    late.connect(server.port());
    CHECK(late.receive(7) == "welcome");
}

TEST_CASE("a listener may end while connections wait for it") {
    LoopThread loop;
    std::unique_ptr<Listener> listener;
    std::vector<std::unique_ptr<RecordingUser>> users;
    const auto port = loop.run([&] {
        listener = std::make_unique<Listener>(
            loop.loop, Listener::Settings{.address = *IpAddress::parse("127.0.0.1")},
            [&](std::unique_ptr<Transport> transport) {
                users.push_back(std::make_unique<RecordingUser>(std::move(transport)));
                listener.reset();
            });
        return listener->port();
    });
    // Both are accepted by the kernel before the loop looks.
    std::promise<void> go;
    loop.loop.post([future = go.get_future()]() mutable { future.wait(); });
    RawClient one{port};
    RawClient two{port};
    go.set_value();
    CHECK(loop.eventually([&] { return users.size() == 1; }));
    CHECK(two.receiveAll() == "");
    loop.run([&] { users.clear(); });
}
