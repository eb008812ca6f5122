// A whole server in the test's own process: virtual time, simulated connections, a database in memory.
//
//     TestServer server{"[archive]\ndefault = 'never'"};
//     auto juliet = server.login("juliet@capulet.example/balcony");
//     juliet.send("<iq type='get' id='1'><ping xmlns='urn:xmpp:ping'/></iq>");
//     CHECK(juliet.next() == "<iq type='result' id='1' …/>");
#pragma once

#include "core/worker_pool.h"
#include "core/xml_stream.h"
#include "net/dialer.h"
#include "net/dns.h"
#include "net/sim.h"
#include "net/tls_context.h"
#include "plugin/plugin_host.h"
#include "route/server.h"
#include "store/database.h"
#include "stream/client_streams.h"
#include "stream/components.h"
#include "stream/federation.h"
#include "tests/support/test_database.h"

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

class HttpFace;
class TestServer;

// A client: sends what it is told to, and keeps what it gets.
class TestClient : public TransportUser {
public:
    TestClient(TestServer& server, SimLinkSettings settings, bool directTls);
    // A component's connection to a shard, or another server's: it sends its header and whatever
    // follows itself.
    enum class Door { Components, Servers };
    TestClient(TestServer& server, const SimLinkSettings& settings, Door door, unsigned shard);
    ~TestClient() override;

    // Bytes, and the server's turns until nothing happens any more.
    TestClient& send(std::string_view bytes);
    // The same without the server's turns: what several clients do at the same time.
    TestClient& sendSoon(std::string_view bytes);
    TestClient& sendHeader(std::string_view to = "capulet.example");
    TestClient& sendHeader(std::string_view to, std::string_view furtherAttributes);

    // The next element that came and was not looked at, as XML; "" when there is none. Stream
    // management elements of the server (<r/>) are left out unless `showsRequests` is set.
    std::string next();
    // Everything that came and was not looked at.
    std::vector<std::string> all();
    // Drops what came.
    TestClient& forget();
    // Sends an iq and returns its answer, keeping what else came.
    std::string ask(std::string_view type, std::string_view payload, std::string_view to = {});

    // The way in, step by step as a client goes it; each returns what the server said last.
    TestClient& logIn(std::string_view local, std::string_view password = "secret");
    TestClient& startTls();
    TestClient& bind(std::string_view resource);
    TestClient& available(int priority = 0);

    const std::string& jid() const { return jid_; }
    SimLink& link() { return *link_; }
    bool isClosed() const { return isClosed_; }
    bool isStreamClosed() const { return isStreamClosed_; }
    bool isSecured() const { return isSecured_; }
    const std::string& streamError() const { return streamError_; }  // "conflict", or ""
    const std::string& streamErrorXml() const { return streamErrorXml_; }
    // The header of the server's stream, and every byte that came.
    const StreamHeader& header() const { return xml_.header(); }
    const std::string& bytes() const { return bytes_; }
    Transport& transport() { return *transport_; }
    // How many stanzas came since stream management is on, or since the session was resumed.
    std::uint32_t handled() const { return handled_; }
    bool showsRequests = false;

    // Drops the connection without a word.
    void cut();

    void onData(std::string_view bytes) override;
    void onSecured() override { isSecured_ = true; }
    void onClosed(std::string_view reason) override { isClosed_ = true; }

private:
    friend class TestServer;
    TestServer& server_;
    std::unique_ptr<Transport> transport_;
    std::shared_ptr<SimLink> link_;
    XmlParserPool pool_;
    XmlStream xml_;
    std::deque<std::string> received_;
    std::string jid_;
    std::string domain_ = "capulet.example";
    std::string streamError_;
    std::string streamErrorXml_;
    std::string bytes_;
    int asked_ = 0;
    std::uint32_t handled_ = 0;
    bool isSecured_ = false;
    bool isClosed_ = false;
    bool isStreamClosed_ = false;
};

class TestServer {
public:
    // `toml` is the configuration file; the hosts are capulet.example and montague.example.
    explicit TestServer(std::string_view toml = {}, unsigned shards = 1, std::uint64_t seed = 1);
    // One of several servers in a simulation that ends after them, which talk with each other.
    struct Neighbourhood {
        Simulation& simulation;
        Resolver& resolver;
        Dialer& dialer;
    };
    TestServer(const Neighbourhood& neighbourhood, std::vector<std::string> hosts,
               std::string_view toml, unsigned shards = 1);
    ~TestServer();

    // Accounts are made when they are first used; their password is "secret".
    void addAccount(std::string_view bare);
    TestClient& connect(SimLinkSettings settings = {}, bool directTls = false);
    // A connection for a client of the test's own; the caller is its user. While the server is down it
    // is closed at once.
    SimTransport::Connection open(const SimLinkSettings& settings, bool directTls);
    // The same for a component (XEP-0114), on the shard given.
    TestClient& connectComponent(unsigned shard = 0, const SimLinkSettings& settings = {});
    // The same for another server (RFC 6120, 4.1).
    TestClient& connectServer(const SimLinkSettings& settings = {}, unsigned shard = 0);
    // Another server's connection, with or without TLS from its first byte.
    std::unique_ptr<Transport> openServer(SimExecutor& from, const SimLinkSettings& settings,
                                          bool directTls, std::shared_ptr<SimLink>* link = nullptr);
    Federation* federation() { return federation_.get(); }
    bool isDown() const { return isDown_; }
    bool hasExecutor(const Executor& executor) const;
    // A connection to the web server of the first shard, or of another one; the caller is its user.
    SimTransport::Connection openHttp(const SimLinkSettings& settings = {}, bool directTls = false,
                                      unsigned shard = 0);
    HttpFace& http() { return *http_; }
    // Connected, logged in, bound; `available` as well unless it is told not to.
    TestClient& login(std::string_view full, bool available = true);

    void run() { simulation_.runUntilIdle(); }
    void advance(Duration duration) { simulation_.advance(duration); }
    Simulation& simulation() { return simulation_; }
    SimExecutor& clientExecutor() { return *clientExecutor_; }
    Server& server() { return *server_; }
    std::size_t streamCount() const {
        std::size_t count = 0;
        for (const auto& streams : streams_) count += streams->count();
        return count;
    }
    TestDatabase& database() { return database_; }
    // Runs a task of a store to its end.
    template <typename T>
    T wait(Task<T> task);

    PluginHost& plugins() { return plugins_; }
    // Plugins are made anew, as by a reload.
    void rewire();
    // Another configuration file, for the next start.
    void configure(std::string_view toml);
    // The same now, as by a reload.
    void reload(std::string_view toml);
    Components& components() { return *components_; }
    // An orderly stop and start, or a crash: connections end, the database stays.
    void restart(Duration downFor = {});
    void crash(Duration downFor = {});

private:
    friend class TestClient;
    void begin(std::string_view toml);
    void startFederation();
    void boot();
    void accept(std::unique_ptr<Transport> transport, bool directTls);

    std::unique_ptr<Simulation> ownSimulation_;
    Simulation& simulation_;
    std::optional<Neighbourhood> neighbourhood_;
    std::vector<std::string> hosts_{"capulet.example", "montague.example"};
    SimExecutor* clientExecutor_;
    std::vector<SimExecutor*> executors_;
    std::vector<std::weak_ptr<SimLink>> links_;
    unsigned shards_;
    SettingsPtr settings_;
    std::vector<std::string> componentDomains_;
    TestDatabase database_;
    WorkerPool workers_{0};
    TlsServerContext tls_;
    PluginHost plugins_{""};
    std::unique_ptr<Server> server_;
    std::unique_ptr<Components> components_;
    std::unique_ptr<Federation> federation_;
    std::vector<std::unique_ptr<ClientStreams>> streams_;
    std::unique_ptr<HttpFace> http_;
    std::vector<std::unique_ptr<TestClient>> clients_;
    bool isDown_ = false;
};

template <typename T>
T TestServer::wait(Task<T> task) {
    std::optional<T> result;
    std::exception_ptr problem;
    executors_.front()->post([&, moved = std::make_shared<Task<T>>(std::move(task))] {
        start(std::move(*moved), [&](std::optional<T> value, std::exception_ptr failure) {
            result = std::move(value);
            problem = failure;
        });
    });
    run();
    if (problem) std::rethrow_exception(problem);
    return std::move(result.value());
}

}  // namespace epode
