#include "tests/support/test_server.h"

#include "control/config.h"
#include "control/http_face.h"
#include "core/base64.h"
#include "core/log.h"
#include "core/namespaces.h"
#include "core/sasl/credentials.h"
#include "net/address_limit.h"
#include "route/login_limiter.h"
#include "route/presence_options.h"
#include "route/session_options.h"
#include "route/shard.h"
#include "store/stores.h"
#include "stream/client_options.h"
#include "stream/client_stream.h"
#include "stream/component_options.h"
#include "stream/component_streams.h"

#include <algorithm>
#include <stdexcept>

namespace epode {

namespace {

OptionList allOptions(const PluginHost& plugins) {
    OptionList all;
    for (const auto& some : {sessionOptions(), presenceOptions(), loginOptions(), clientOptions(), componentOptions(), remoteOptions(), httpOptions(), pluginHostOptions(), plugins.options()})
        all.insert(all.end(), some.begin(), some.end());
    all.push_back(&connectionsPerAddressMax);
    return all;
}

ConfigPtr configOf(std::string_view toml, const PluginHost& plugins) {
    const auto result = readConfig(toml, "test.toml", allOptions(plugins));
    if (!result.ok()) throw std::runtime_error{result.report()};
    return result.config;
}

}  // namespace

// ---- the client

TestClient::TestClient(TestServer& server, SimLinkSettings settings, bool directTls)
    : server_{server}, xml_{pool_, XmlLimits{.elementBytesMax = 1 << 24, .nodesMax = 1 << 20, .parserBytesMax = 1 << 26}} {
    auto connection = server.open(settings, directTls);
    transport_ = std::move(connection.client);
    link_ = connection.link;
    transport_->setUser(*this);
    server.run();
    if (directTls) static_cast<SimTransport&>(*transport_).startTls("capulet.example");
    server.run();
}

TestClient::TestClient(TestServer& server, const SimLinkSettings& settings, Door door, unsigned shard)
    : server_{server}, xml_{pool_, XmlLimits{.elementBytesMax = 1 << 24, .nodesMax = 1 << 20, .parserBytesMax = 1 << 26}} {
    auto& executor = *server.executors_[shard];
    auto connection = SimTransport::connect(*server.clientExecutor_, executor, settings);
    server.links_.push_back(connection.link);
    transport_ = std::move(connection.client);
    link_ = connection.link;
    transport_->setUser(*this);
    executor.post([&server, door, shard, moved = std::move(connection.server)]() mutable {
        if (door == Door::Components)
            server.components_->streams(shard).accept(std::move(moved));
        else
            server.federation_->accept(shard, std::move(moved));
    });
    server.run();
}

TestClient::~TestClient() = default;

TestClient& TestClient::send(std::string_view bytes) {
    sendSoon(bytes);
    server_.run();
    return *this;
}

TestClient& TestClient::sendSoon(std::string_view bytes) {
    server_.clientExecutor_->post([this, text = std::string{bytes}] {
        if (!isClosed_) transport_->send(text);
    });
    return *this;
}

TestClient& TestClient::sendHeader(std::string_view to) { return sendHeader(to, {}); }

TestClient& TestClient::sendHeader(std::string_view to, std::string_view furtherAttributes) {
    domain_ = to;
    xml_.restart();
    return send("<?xml version='1.0'?><stream:stream xmlns='jabber:client' "
                "xmlns:stream='http://etherx.jabber.org/streams' version='1.0' to='" +
                domain_ + "'" + std::string{furtherAttributes} + ">");
}

TestClient& TestClient::startTls() {
    sendHeader(domain_).forget().send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>");
    forget();
    server_.clientExecutor_->post(
        [this] { static_cast<SimTransport&>(*transport_).startTls(domain_); });
    server_.run();
    return *this;
}

void TestClient::onData(std::string_view bytes) {
    bytes_.append(bytes);
    while (!bytes.empty()) {
        switch (xml_.next(bytes)) {
            case XmlStream::Event::NeedMore:
            case XmlStream::Event::Header: break;
            case XmlStream::Event::Element: {
                const Document element = xml_.takeElement();
                handled_ += element->ns() == ns::client;
                if (element->is("enabled", ns::streamManagement) ||
                    element->is("resumed", ns::streamManagement))
                    handled_ = 0;
                const bool isRequest = element->is("r", ns::streamManagement);
                if (element->is("error", ns::streams)) {
                    streamError_ = element->firstChild()->name();
                    streamErrorXml_ = toXml(*element, ns::client);
                }
                if (!isRequest || showsRequests) received_.push_back(toXml(*element, ns::client));
                // What follows is a new stream.
                if (element->is("success", ns::sasl) || element->is("proceed", ns::tls))
                    xml_.restart();
                break;
            }
            case XmlStream::Event::Close: isStreamClosed_ = true; return;
            case XmlStream::Event::Failure:
                throw std::logic_error{"the server sent bad XML: " + xml_.error().text};
        }
    }
}

std::string TestClient::next() {
    if (received_.empty()) return {};
    auto first = std::move(received_.front());
    received_.pop_front();
    return first;
}

std::vector<std::string> TestClient::all() {
    std::vector<std::string> taken(received_.begin(), received_.end());
    received_.clear();
    return taken;
}

TestClient& TestClient::forget() {
    received_.clear();
    return *this;
}

std::string TestClient::ask(std::string_view type, std::string_view payload, std::string_view to) {
    const std::string id = "ask" + std::to_string(++asked_);
    std::string xml = "<iq type='" + std::string{type} + "' id='" + id + "'";
    if (!to.empty()) xml += " to='" + std::string{to} + "'";
    send(xml + ">" + std::string{payload} + "</iq>");
    for (auto place = received_.begin(); place != received_.end(); ++place) {
        const auto element = parseXml(*place, ns::client);
        if (!element || (*element)->name() != "iq" || (*element)->get("id") != id) continue;
        auto answer = std::move(*place);
        received_.erase(place);
        return answer;
    }
    return {};
}

TestClient& TestClient::logIn(std::string_view local, std::string_view password) {
    const std::string plain = std::string{'\0'} + std::string{local} + '\0' + std::string{password};
    send("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" + encodeBase64(plain) + "</auth>");
    return *this;
}

TestClient& TestClient::bind(std::string_view resource) {
    sendHeader(domain_);
    forget();
    const auto answer = parseXml(ask("set", "<bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" +
                                                std::string{resource} + "</resource></bind>"),
                                 ns::client);
    if (const Element* bind = answer ? (*answer)->child("bind", ns::bind) : nullptr) jid_ = bind->childText("jid");
    return *this;
}

TestClient& TestClient::available(int priority) {
    return send("<presence><priority>" + std::to_string(priority) + "</priority></presence>");
}

void TestClient::cut() {
    link_->cut();
    server_.run();
}

// ---- the server

TestServer::TestServer(std::string_view toml, unsigned shards, std::uint64_t seed)
    : ownSimulation_{std::make_unique<Simulation>(seed)},
      simulation_{*ownSimulation_},
      clientExecutor_{&simulation_.addExecutor()},
      shards_{shards} {
    begin(toml);
}

TestServer::TestServer(const Neighbourhood& neighbourhood, std::vector<std::string> hosts,
                       std::string_view toml, unsigned shards)
    : simulation_{neighbourhood.simulation},
      neighbourhood_{neighbourhood},
      hosts_{std::move(hosts)},
      clientExecutor_{&simulation_.addExecutor()},
      shards_{shards} {
    begin(toml);
}

void TestServer::begin(std::string_view toml) {
    configure(toml);
    database_.migrate(plugins_.migrations());
    boot();
}

void TestServer::configure(std::string_view toml) {
    const auto config = configOf(toml, plugins_);
    settings_ = config->settings;
    componentDomains_ = config->components;
}

void TestServer::reload(std::string_view toml) {
    configure(toml);
    server_->replace(settings_);
    components_->configure(*settings_, componentDomains_);
    if (federation_) federation_->configure(*settings_, true);
    rewire();
}

TestServer::~TestServer() {
    // Who waits for a slow or hanging disk (work by the clock, maybe) would never hear of it.
    if (database_.owes()) {
        database_.setDelay({});
        database_.goOn();
        advance(std::chrono::seconds{1});
    }
    clients_.clear();
    for (auto* executor : executors_) executor->stop();
    http_.reset();
    streams_.clear();
    federation_.reset();
    components_.reset();
    server_.reset();
}

void TestServer::boot() {
    executors_.clear();
    std::vector<Executor*> executors;
    for (unsigned i = 0; i < shards_; ++i) {
        executors_.push_back(&simulation_.addExecutor());
        executors.push_back(executors_.back());
    }
    server_ = std::make_unique<Server>(database_, workers_, settings_,
                                       hosts_, executors);
    server_->setSaltSecret("not so secret of " + hosts_.front());
    components_ = std::make_unique<Components>(*server_);
    components_->configure(*settings_, componentDomains_);
    server_->addElsewhere(*components_);
    if (neighbourhood_) startFederation();
    plugins_.wire(*server_, *settings_);
    for (unsigned i = 0; i < shards_; ++i)
        streams_.push_back(std::make_unique<ClientStreams>(server_->shard(i), streams_, &tls_));
    http_ = std::make_unique<HttpFace>(*server_, streams_, settings_);
    run();
    bool isRestored = false;
    server_->restore([&isRestored] { isRestored = true; });
    run();
    for (int i = 0; i < 100 && !isRestored; ++i) advance(std::chrono::milliseconds{100});
    if (federation_) {
        federation_->restore([] {});
        run();
    }
    isDown_ = false;
    if (!isRestored) throw std::logic_error{"the sessions were not restored"};
}

void TestServer::startFederation() {
    // Simulated transports look at no context, but want one.
    static const auto clientTls =
        std::make_shared<const TlsClientContext>(TlsClientContext::Settings{});
    federation_ = std::make_unique<Federation>(
        *server_,
        Federation::Parts{.resolver = neighbourhood_->resolver,
                          .dialer = neighbourhood_->dialer,
                          .tls = tls_,
                          .clientTls = [](const std::string&, bool) { return clientTls; }},
        *settings_, true);
    server_->addElsewhere(*federation_);
}

bool TestServer::hasExecutor(const Executor& executor) const {
    return std::find(executors_.begin(), executors_.end(), &executor) != executors_.end();
}

std::unique_ptr<Transport> TestServer::openServer(SimExecutor& from, const SimLinkSettings& settings,
                                                  bool directTls, std::shared_ptr<SimLink>* link) {
    const unsigned shard = unsigned(simulation_.random(shards_));
    auto connection = SimTransport::connect(from, *executors_[shard], settings);
    std::erase_if(links_, [](const auto& one) { return one.expired(); });
    links_.push_back(connection.link);
    if (link) *link = connection.link;
    executors_[shard]->post(
        [this, directTls, shard, moved = std::move(connection.server)]() mutable {
            if (directTls) moved->startTls(tls_);
            federation_->accept(shard, std::move(moved));
        });
    return std::move(connection.client);
}

SimTransport::Connection TestServer::open(const SimLinkSettings& settings, bool directTls) {
    auto connection = SimTransport::connect(*clientExecutor_, *executors_.front(), settings);
    std::erase_if(links_, [](const auto& link) { return link.expired(); });
    links_.push_back(connection.link);
    if (!isDown_) accept(std::move(connection.server), directTls);
    connection.server.reset();
    return connection;
}

SimTransport::Connection TestServer::openHttp(const SimLinkSettings& settings, bool directTls,
                                              unsigned shard) {
    auto connection = SimTransport::connect(*clientExecutor_, *executors_[shard], settings);
    std::erase_if(links_, [](const auto& link) { return link.expired(); });
    links_.push_back(connection.link);
    if (!isDown_)
        executors_[shard]->post([this, directTls, shard, moved = std::move(connection.server)]() mutable {
            if (directTls) moved->startTls(tls_);
            http_->accept(shard, std::move(moved), directTls ? HttpFace::Door::Tls : HttpFace::Door::Plain);
        });
    connection.server.reset();
    return connection;
}

void TestServer::accept(std::unique_ptr<Transport> transport, bool directTls) {
    // SimTransport was made for the first executor.
    executors_.front()->post([this, directTls, moved = std::move(transport)]() mutable {
        if (directTls) moved->startTls(tls_);
        streams_.front()->accept(std::move(moved));
    });
}

void TestServer::addAccount(std::string_view bare) {
    auto& accounts = server_->stores().accounts;
    if (wait(accounts.find(std::string{bare}))) return;
    std::vector<StoredKeys> keys;
    // One iteration: tests don't wait for PBKDF2.
    for (const auto& [hash, name] : {std::pair{Hash::Sha1, "SHA-1"}, std::pair{Hash::Sha256, "SHA-256"}}) {
        const auto made = *sasl::makeScramKeys(hash, "secret", 1);
        keys.push_back({name, made.salt, made.iterations, made.storedKey, made.serverKey});
    }
    wait(accounts.create(std::string{bare}, std::move(keys), simulation_.wallNow()));
}

TestClient& TestServer::connect(SimLinkSettings settings, bool directTls) {
    return *clients_.emplace_back(std::make_unique<TestClient>(*this, settings, directTls));
}

TestClient& TestServer::connectComponent(unsigned shard, const SimLinkSettings& settings) {
    return *clients_.emplace_back(
        std::make_unique<TestClient>(*this, settings, TestClient::Door::Components, shard));
}

TestClient& TestServer::connectServer(const SimLinkSettings& settings, unsigned shard) {
    return *clients_.emplace_back(
        std::make_unique<TestClient>(*this, settings, TestClient::Door::Servers, shard));
}

TestClient& TestServer::login(std::string_view full, bool available) {
    const Jid jid = Jid::parse(full).value();
    addAccount(jid.bareText());
    TestClient& client = connect({}, true);
    client.sendHeader(jid.domain()).logIn(jid.local()).bind(jid.resource());
    if (client.jid() != full) throw std::logic_error{"login failed: " + client.next()};
    if (available) client.available();
    client.forget();
    return client;
}

void TestServer::rewire() {
    plugins_.wire(*server_, *settings_);
    run();
}

void TestServer::restart(Duration downFor) {
    bool closed = false;
    bool stopped = false;
    isDown_ = true;
    components_->closeAll([&closed] { closed = true; });
    run();
    for (int i = 0; i < 20 && !closed; ++i) advance(std::chrono::milliseconds{100});
    if (!closed) throw std::logic_error{"the streams of components did not end"};
    server_->shutdown([&stopped] { stopped = true; });
    run();
    // It waits for what is not stored yet, though not for ever.
    for (int i = 0; i < 100 && !stopped; ++i) advance(std::chrono::milliseconds{100});
    if (!stopped) throw std::logic_error{"the server did not stop"};
    if (federation_) {
        bool stored = false;
        federation_->closeAll([&stored] { stored = true; });
        run();
        for (int i = 0; i < 100 && !stored; ++i) advance(std::chrono::milliseconds{100});
        if (!stored) throw std::logic_error{"the links to other servers did not end"};
    }
    for (std::size_t i = 0; i < executors_.size(); ++i)
        executors_[i]->post([this, i, &streams = *streams_[i]] {
            streams.closeAll();
            http_->close(unsigned(i));
        });
    run();
    crash(downFor);
}

// The old server lives a moment longer, cut off from clients and disk, so that what waits in it
// comes to an end and frees its memory.
void TestServer::crash(Duration downFor) {
    isDown_ = true;
    for (const auto& link : std::exchange(links_, {}))
        if (const auto open = link.lock()) open->cut();
    database_.crash();
    const auto level = logLevel("route");
    setLogLevel("route", LogLevel::Error);  // that the disk is gone is no news
    run();
    setLogLevel("route", level);
    for (auto* executor : executors_) executor->stop();
    http_.reset();
    streams_.clear();
    federation_.reset();
    components_.reset();
    server_.reset();
    if (downFor.count() > 0) advance(downFor);
    database_.open();
    boot();
}

}  // namespace epode
