#include "core/digest.h"
#include "net/sim.h"
#include "plugins/proxy65/proxy.h"
#include "plugins/proxy65/socks5.h"
#include "tests/plugins/answers.h"

#include <memory>

using namespace epode;
using proxy65::Proxy;
using proxy65::Socks5Server;

namespace {

using namespace std::string_literals;

const std::string hash =
    proxy65::streamHash("sid", "romeo@montague.example/orchard", "juliet@capulet.example/balcony");
const std::string otherHash =
    proxy65::streamHash("sid2", "romeo@montague.example/orchard", "juliet@capulet.example/balcony");

std::string request(const std::string& address, char command = 1, char kind = 3,
                    const std::string& port = "\0\0"s) {
    return "\5"s + command + "\0"s + kind + char(address.size()) + address + port;
}
const std::string greeting = "\5\1\0"s;

// A client that talks to the proxy, and keeps what it gets.
class Peer : public TransportUser {
public:
    Peer(Simulation& simulation, SimExecutor& executor, Proxy& proxy, SimExecutor& there,
         SimLinkSettings settings = {})
        : simulation_{simulation}, executor_{executor} {
        auto connection = SimTransport::connect(executor, there, settings);
        transport_ = std::move(connection.client);
        link = connection.link;
        transport_->setUser(*this);
        there.post([&proxy, server = std::make_shared<std::unique_ptr<Transport>>(std::move(
                                connection.server))] { proxy.accept(std::move(*server)); });
        simulation_.runUntilIdle();
    }
    Peer& send(std::string bytes) {
        executor_.post([this, bytes = std::move(bytes)] {
            if (!isClosed) transport_->send(bytes);
        });
        simulation_.runUntilIdle();
        return *this;
    }
    Peer& connect(const std::string& name) { return send(greeting).send(request(name)); }
    void close() {
        executor_.post([this] { transport_->closeGracefully(); });
        simulation_.runUntilIdle();
    }
    void pause() {
        executor_.post([this] { transport_->pauseReading(); });
        simulation_.runUntilIdle();
    }
    void resume() {
        executor_.post([this] { transport_->resumeReading(); });
        simulation_.runUntilIdle();
    }
    std::string take() { return std::exchange(received, {}); }
    std::size_t unsent() const { return transport_->unsentBytes(); }

    std::string received;
    bool isClosed = false;
    std::shared_ptr<SimLink> link;

private:
    void onData(std::string_view bytes) override { received += bytes; }
    void onClosed(std::string_view) override { isClosed = true; }

    Simulation& simulation_;
    SimExecutor& executor_;
    std::unique_ptr<Transport> transport_;
};

struct Stage {
    explicit Stage(Proxy::Settings settings = {}, std::uint64_t seed = 1) : simulation{seed} {
        here.post([&] { proxy->configure(settings); });
        simulation.runUntilIdle();
    }
    ~Stage() {
        here.post([&] { proxy.reset(); });
        simulation.runUntilIdle();
    }
    Peer peer(SimLinkSettings settings = {}) {
        return Peer{simulation, clients, *proxy, here, settings};
    }
    Proxy::Activation activate(const std::string& name,
                               const std::string& account = "romeo@montague.example") {
        auto done = Proxy::Activation::Unknown;
        here.post([&] { done = proxy->activate(name, account); });
        simulation.runUntilIdle();
        return done;
    }

    Simulation simulation;
    SimExecutor& clients = simulation.addExecutor();
    SimExecutor& here = simulation.addExecutor();
    std::shared_ptr<Proxy> proxy = Proxy::make(here);
};

std::string pattern(std::size_t bytes, unsigned seed) {
    std::string text(bytes, 0);
    for (auto& c : text) c = char((seed = seed * 1103515245 + 12345) >> 16);
    return text;
}

}  // namespace

TEST_CASE("a stream's hash is the SHA-1 of its id and both addresses") {
    // XEP-0065, 5.3.2: computed by hand with sha1sum.
    CHECK(proxy65::streamHash("mySID", "requester@example.com/foo", "target@example.org/bar") ==
          "2e45ce941bf465393585e33be9ccff347e00b430");
}

TEST_CASE("SOCKS5 is spoken as RFC 1928 says, in whatever pieces it comes") {
    const std::string all = greeting + request(hash);
    for (std::size_t piece = 1; piece <= all.size(); ++piece) {
        INFO(piece);
        Socks5Server server;
        std::string reply;
        std::optional<std::string> got;
        for (std::size_t at = 0; at < all.size(); at += piece) {
            auto outcome = server.take(std::string_view{all}.substr(at, piece));
            CHECK(!outcome.isRefused);
            reply += outcome.reply;
            if (outcome.hash) got = outcome.hash;
        }
        CHECK(got == hash);
        CHECK((reply == "\5\0"s + "\5\0\0\3\x28"s + hash + "\0\0"s));
        CHECK(server.takeRest().empty());
    }
    Socks5Server eager;
    const auto outcome = eager.take("\5\3\2\1\0"s + request(hash) + "first bytes");
    CHECK(outcome.hash == hash);
    CHECK(eager.takeRest() == "first bytes");
}

TEST_CASE("what is no SOCKS5, or not what this proxy does, is refused with its code") {
    const std::string upper = "ABCDEF0123456789ABCDEF0123456789ABCDEF01";
    struct Row {
        std::string bytes, reply;
    };
    const auto refused = [](char why) { return "\5\0"s + "\5"s + why + "\0\3\0\0\0"s; };
    for (const auto& [bytes, reply] : std::vector<Row>{
             {"\4\1\0\0"s, ""},                          // SOCKS4
             {"GET / HTTP/1.1\r\n", ""},                 // a browser
             {"\5\0"s, "\5\xFF"s},                       // no method at all
             {"\5\1\2"s, "\5\xFF"s},                     // a password alone
             {greeting + request(hash, 2), refused(7)},  // BIND
             {greeting + request(hash, 3), refused(7)},  // UDP ASSOCIATE
             {greeting + "\5\1\0\1\x7F\0\0\1\0\x50"s,
              refused(8)},  // an IPv4 address: no open proxy
             {greeting + "\5\1\0\4"s + std::string(18, 'x'), refused(8)},
             {greeting + request("example.com"), refused(2)},  // a domain
             {greeting + request(""), refused(2)},
             {greeting + request(hash + "0"), refused(2)},
             {greeting + request(std::string(40, 'g')), refused(2)},
             {greeting + request(hash, 1, 3, "\0\x50"s), refused(2)},  // a port
             {greeting + "\4"s + request(hash), "\5\0"s},              // another version
         }) {
        INFO(encodeHex(bytes));
        Socks5Server server;
        const auto outcome = server.take(bytes);
        CHECK(outcome.isRefused);
        CHECK(!outcome.hash);
        CHECK((outcome.reply == reply));
    }
    Socks5Server server;
    CHECK(server.take(greeting + request(upper)).hash ==
          "abcdef0123456789abcdef0123456789abcdef01");
    for (const auto& incomplete : {""s, "\5"s, "\5\2\0"s}) {
        Socks5Server waiting;
        const auto outcome = waiting.take(incomplete);
        CHECK(!outcome.isRefused);
        CHECK(outcome.reply.empty());
    }
}

TEST_CASE(
    "two connections with the same hash become a stream when they are activated, and not before") {
    Stage stage;
    auto target = stage.peer();
    auto requester = stage.peer();
    CHECK((stage.activate(hash) == Proxy::Activation::Unknown));
    target.connect(hash);
    CHECK((stage.activate(hash) == Proxy::Activation::OnlyOneIsThere));
    requester.connect(hash);
    CHECK(target.take().size() == 2 + 47);
    CHECK(requester.take().size() == 2 + 47);
    CHECK((stage.activate(otherHash) == Proxy::Activation::Unknown));
    // Whoever talks early is heard when the stream begins.
    target.send("early");
    CHECK(requester.received.empty());
    CHECK((stage.activate(hash) == Proxy::Activation::Done));
    stage.simulation.runUntilIdle();
    CHECK(requester.take() == "early");
    CHECK((stage.activate(hash) == Proxy::Activation::Unknown));
    requester.send("But soft");
    target.send("Ay me");
    CHECK(target.take() == "But soft");
    CHECK(requester.take() == "Ay me");
    CHECK(stage.proxy->streamCount() == 1);

    requester.send("the last words");
    requester.close();
    stage.simulation.advance(std::chrono::seconds{1});
    CHECK(target.take() == "the last words");
    CHECK(target.isClosed);
    CHECK(stage.proxy->streamCount() == 0);
    CHECK(stage.proxy->connectionCount() == 0);
}

TEST_CASE("a third connection with the hash is turned away") {
    Stage stage;
    auto one = stage.peer();
    auto two = stage.peer();
    auto three = stage.peer();
    one.connect(hash);
    two.connect(hash);
    three.connect(hash);
    CHECK(three.take() == "\5\0"s);
    stage.simulation.advance(std::chrono::seconds{10});
    CHECK(three.isClosed);
    CHECK((stage.activate(hash) == Proxy::Activation::Done));
    one.send("x");
    CHECK(two.take().ends_with("x"));
}

TEST_CASE("ten million bytes pass both ways, however slowly they are read") {
    for (const std::uint64_t seed : {1, 2, 3}) {
        INFO(seed);
        Stage stage{{}, seed};
        auto one = stage.peer({.delay = std::chrono::milliseconds{5}, .chunkMax = 70000});
        auto two = stage.peer({.delay = std::chrono::milliseconds{20}, .chunkMax = 9000});
        one.connect(hash);
        two.connect(hash);
        stage.simulation.advance(std::chrono::seconds{1});
        CHECK((stage.activate(hash) == Proxy::Activation::Done));
        one.take();
        two.take();
        const auto there = pattern(10'000'000, 1), back = pattern(10'000'000, 2);
        two.pause();
        one.send(there);
        two.send(back);
        stage.simulation.advance(std::chrono::seconds{30});
        CHECK((one.take() == back));
        // Who doesn't read holds up the sender, and not the proxy's memory.
        CHECK(two.received.size() < 1'000'000);
        CHECK(one.unsent() > 9'000'000);
        one.close();
        two.resume();
        stage.simulation.advance(std::chrono::seconds{60});
        CHECK(two.received.size() <= there.size());
        CHECK((two.received == there.substr(0, two.received.size())));
    }
}

TEST_CASE("what was sent before the end arrives, also at who reads late") {
    Stage stage;
    auto one = stage.peer();
    auto two = stage.peer();
    one.connect(hash);
    two.connect(hash);
    stage.activate(hash);
    two.take();
    two.pause();
    const auto text = pattern(250'000, 3);
    one.send(text);
    one.close();
    stage.simulation.advance(std::chrono::seconds{4});
    two.resume();
    stage.simulation.advance(std::chrono::seconds{60});
    CHECK((two.take() == text));
    CHECK(two.isClosed);
}

TEST_CASE("a stream and all of them together are as fast as they may be") {
    for (const bool isTotal : {false, true}) {
        Proxy::Settings settings;
        (isTotal ? settings.totalBytesPerSecond : settings.streamBytesPerSecond) = 100'000;
        Stage stage{settings};
        std::vector<std::unique_ptr<Peer>> peers;
        for (const auto& name : {hash, hash, otherHash, otherHash}) {
            peers.push_back(
                std::make_unique<Peer>(stage.simulation, stage.clients, *stage.proxy, stage.here));
            peers.back()->connect(name);
            peers.back()->take();
        }
        CHECK((stage.activate(hash) == Proxy::Activation::Done));
        CHECK((stage.activate(otherHash) == Proxy::Activation::Done));
        const auto text = pattern(3'000'000, 4);
        peers[0]->send(text);
        peers[2]->send(text);
        stage.simulation.advance(std::chrono::seconds{20});
        const auto first = peers[1]->received.size(), second = peers[3]->received.size();
        INFO(first << " " << second);
        const std::size_t expected = isTotal ? 2'000'000 : 4'000'000;
        CHECK(first + second > expected * 8 / 10);
        CHECK(first + second < expected * 12 / 10);
        // Neither starves.
        CHECK(first > expected / 5);
        CHECK(second > expected / 5);
        stage.simulation.advance(std::chrono::seconds{100});
        CHECK((peers[1]->received == text));
        CHECK((peers[3]->received == text));
    }
}

TEST_CASE("who takes too long, says nothing, or is one too many, goes") {
    Proxy::Settings settings;
    settings.activationMax = std::chrono::seconds{30};
    settings.idleMax = std::chrono::seconds{60};
    settings.connectionsMax = 4;
    settings.streamsPerAccountMax = 1;
    Stage stage{settings};
    auto silent = stage.peer();
    auto half = stage.peer();
    half.send("\5"s);
    auto one = stage.peer();
    auto two = stage.peer();
    auto tooMany = stage.peer();
    CHECK(tooMany.isClosed);
    one.connect(hash);
    two.connect(hash);
    CHECK((stage.activate(hash) == Proxy::Activation::Done));
    stage.simulation.advance(std::chrono::seconds{31});
    CHECK(silent.isClosed);
    CHECK(half.isClosed);
    CHECK(!one.isClosed);

    auto three = stage.peer();
    auto four = stage.peer();
    three.connect(otherHash);
    four.connect(otherHash);
    CHECK((stage.activate(otherHash) == Proxy::Activation::TooMany));
    CHECK((stage.activate(otherHash, "juliet@capulet.example") == Proxy::Activation::Done));
    one.send("still here");
    stage.simulation.advance(std::chrono::seconds{45});
    CHECK(!one.isClosed);
    stage.simulation.advance(std::chrono::seconds{30});
    CHECK(one.isClosed);
    CHECK(two.isClosed);
    CHECK(stage.proxy->connectionCount() == 0);
}

TEST_CASE("a waiting connection that is lost makes room for another") {
    Stage stage;
    auto one = stage.peer();
    one.connect(hash);
    one.link->cut();
    stage.simulation.runUntilIdle();
    CHECK(stage.proxy->connectionCount() == 0);
    CHECK((stage.activate(hash) == Proxy::Activation::Unknown));
}

TEST_CASE("the users of the host are told of the proxy, and they alone activate what is theirs") {
    TestServer server{
        "[plugins]\nenabled = ['proxy65']\n[proxy65]\nport = 7070\nhost = 'proxy.example.net'"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    const std::string proxy = "proxy.capulet.example";
    const std::string ask = "<query xmlns='http://jabber.org/protocol/bytestreams'/>";
    CHECK(payload(juliet.ask("get", ask, proxy)) ==
          "<query xmlns='http://jabber.org/protocol/bytestreams'><streamhost "
          "jid='proxy.capulet.example' "
          "host='proxy.example.net' port='7070'/></query>");
    CHECK(outcome(romeo.ask("get", ask, proxy)) == "auth forbidden");
    const std::string info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    CHECK(payload(juliet.ask("get", info, proxy)).find("category='proxy' type='bytestreams'") !=
          std::string::npos);

    const auto activate = [&](TestClient& who, const std::string& sid, const std::string& target) {
        return outcome(who.ask("set",
                               "<query xmlns='http://jabber.org/protocol/bytestreams' " + sid +
                                   "><activate>" + target + "</activate></query>",
                               proxy));
    };
    CHECK(activate(juliet, "sid='x'", "romeo@montague.example/orchard") == "cancel item-not-found");
    CHECK(activate(romeo, "sid='x'", "juliet@capulet.example/balcony") == "auth forbidden");
    CHECK(activate(juliet, "", "romeo@montague.example/orchard") == "modify bad-request");
    CHECK(activate(juliet, "sid=''", "romeo@montague.example/orchard") == "modify bad-request");
    CHECK(activate(juliet, "sid='x'", "") == "modify bad-request");
    CHECK(activate(juliet, "sid='x'", "@") == "modify bad-request");
    CHECK(activate(juliet, "sid='" + std::string(257, 'x') + "'", "a@b.example") ==
          "modify bad-request");
    CHECK(outcome(juliet.ask("set", ask, proxy)) == "modify bad-request");

    // Two wait; only the requester's request begins the stream.
    auto proxy65 = Proxy::of(server.server());
    SimExecutor& there = static_cast<SimExecutor&>(proxy65->executor());
    const auto name = proxy65::streamHash("x", juliet.jid(), romeo.jid());
    Peer one{server.simulation(), server.clientExecutor(), *proxy65, there};
    Peer two{server.simulation(), server.clientExecutor(), *proxy65, there};
    one.connect(name);
    CHECK(activate(juliet, "sid='x'", romeo.jid()) == "cancel not-allowed");
    two.connect(name);
    auto& elsewhere = server.login("juliet@capulet.example/garden");
    CHECK(activate(elsewhere, "sid='x'", romeo.jid()) == "cancel item-not-found");
    CHECK(activate(server.login("tybalt@capulet.example/street"), "sid='x'", romeo.jid()) ==
          "cancel item-not-found");
    CHECK(activate(juliet, "sid='x'", romeo.jid()) == "result");
    one.take();
    two.send("hello");
    CHECK(one.take() == "hello");
    // It goes on when plugins are made anew.
    server.rewire();
    one.send("still here");
    CHECK(two.take().ends_with("still here"));
}
