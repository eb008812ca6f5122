#include "control/application.h"

#include "control/account_commands.h"
#include "control/cert_commands.h"
#include "control/component_commands.h"
#include "control/listen_options.h"
#include "control/notify.h"
#include "control/plugin_admin.h"
#include "control/proxy_config.h"
#include "control/s2s_commands.h"
#include "control/schema.h"
#include "control/schema_command.h"
#include "control/server_options.h"
#include "control/store_commands.h"
#include "control/user_commands.h"
#include "core/log.h"
#include "core/random.h"
#include "core/version.h"
#include "net/address_limit.h"
#include "route/every_shard.h"
#include "route/login_limiter.h"
#include "route/presence_options.h"
#include "route/session_options.h"
#include "store/open_database.h"
#include "store/stores.h"
#include "stream/client_options.h"
#include "stream/component_options.h"
#include "stream/component_streams.h"
#include "stream/remote_options.h"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>

namespace epode {

namespace {

const Log serverLog{"server"};

constexpr unsigned workerThreads = 2;
constexpr std::size_t saltSecretBytes = 32;

void giveBackMemory() {
#ifdef __GLIBC__
    ::malloc_trim(0);
#endif
}

// Without a component there is nobody to listen for.
ComponentListen componentListenOf(const Config& config) {
    ComponentListen where{*config.settings};
    if (config.components.empty()) where.port = 0;
    return where;
}

// Runs `work` on each loop in turn and waits until it is done there.
template <typename Work>
void onEachLoop(const std::vector<std::unique_ptr<EventLoop>>& loops, Work work) {
    for (std::size_t i = 0; i < loops.size(); ++i) {
        std::promise<void> done;
        loops[i]->post([&, i] {
            work(i);
            done.set_value();
        });
        done.get_future().wait();
    }
}

}  // namespace

OptionList allOptions(const PluginHost& plugins) {
    OptionList all;
    for (const auto& some : {serverOptions(), listenOptions(), databaseOptions(), schemaOptions(), clientOptions(), sessionOptions(), httpOptions(),
                             presenceOptions(), loginOptions(), componentOptions(), remoteOptions(), pluginHostOptions(), plugins.options()})
        all.insert(all.end(), some.begin(), some.end());
    all.push_back(&connectionsPerAddressMax);
    return all;
}

std::string findPluginDirectory(const StartRequest& request) {
    if (const char* given = std::getenv("EPODE_PLUGINS")) return given;
    // Before the other options can be read: plugins declare some of them. Mistakes are told later.
    const auto config = loadConfig(request, pluginHostOptions());
    if (config.understood)
        if (const auto& folder = pluginDirectory(*config.understood->settings); !folder.empty()) return folder;
    std::error_code ignored;
    const auto program = std::filesystem::read_symlink("/proc/self/exe", ignored);
    // In a build folder, or installed below some prefix.
    const auto prefix = program.parent_path().parent_path();
    for (const char* place : {"plugins", EPODE_PLUGIN_SUBDIRECTORY})
        if (std::filesystem::is_directory(prefix / place, ignored)) return (prefix / place).string();
    return EPODE_PLUGIN_DIRECTORY;
}

Application::Application(StartRequest request, ConfigPtr config, std::unique_ptr<PluginHost> plugins,
                         Signals& signals)
    : request_{std::move(request)},
      config_{std::move(config)},
      signals_{signals},
      data_{dataFolder(*config_->settings)},
      lock_{data_},
      log_{logTarget(config_->settings->get(options::logTarget), config_->settings->get(options::logFormat))},
      started_{std::chrono::steady_clock::now()},
      plugins_{std::move(plugins)},
      workers_{workerThreads} {
    applyLogLevels(*config_->settings);
    const auto files = raiseFileLimit();
    serverLog.info("starting", {{"version", version}, {"data", data_}, {"files", std::int64_t(files)}});
    database_ = openDatabase(databaseSettings(*config_->settings, data_));
    tls_ = std::make_unique<TlsStore>(certificateFiles(*config_->settings, config_->hosts, data_),
                                      clientAuthorities(*config_->settings));
    addressLimit_ = AddressLimit::make(config_->settings->get(connectionsPerAddressMax));
    startServer();
    startLoops();
    listen();
    startControl();
    // What was only needed to start is a third of the memory of a small server.
    giveBackMemory();
    serverLog.notice("serving", {{"host", config_->hosts.front()}, {"shards", std::int64_t(loops_.size())}});
    notifyReady("Serving " + config_->hosts.front());
    if (const auto interval = watchdogInterval())
        loops_.front()->post([this, interval = *interval] { watch(interval); });
}

Application::~Application() = default;

void Application::startServer() {
    std::vector<Executor*> executors;
    for (int i = 0; i < shardCount(*config_->settings); ++i) {
        loops_.push_back(std::make_unique<EventLoop>());
        executors.push_back(loops_.back().get());
    }
    prepareSchema(*database_, allMigrations(*plugins_), *config_->settings);
    server_ = std::make_unique<Server>(*database_, workers_, config_->settings, config_->hosts, executors);
    server_->setSaltSecret(readSaltSecret());
    server_->setCommands(&registry_);
    components_ = std::make_unique<Components>(*server_);
    components_->configure(*config_->settings, config_->components);
    server_->addElsewhere(*components_);
    federation_ = std::make_unique<FederationControl>(*server_, loops_, *config_, data_);
    plugins_->wire(*server_, *config_->settings);

    TlsProfile profile{.alpn = {"xmpp-client"},
                       .askClientCertificate = !clientAuthorities(*config_->settings).empty()};
    const TlsServerContext& tls = tls_->context(profile);
    for (unsigned i = 0; i < loops_.size(); ++i)
        streams_.push_back(std::make_unique<ClientStreams>(server_->shard(i), streams_, &tls));
    http_ = std::make_unique<HttpFace>(*server_, streams_, config_->settings);
}

void Application::startLoops() {
    for (auto& loop : loops_) threads_.emplace_back([&loop = *loop] { loop.run(); });
    // Sessions of before the restart are back before their clients are.
    std::promise<void> restored;
    server_->restore([&restored] { restored.set_value(); });
    restored.get_future().wait();
    std::promise<void> queued;
    federation_->restore([&queued] { queued.set_value(); });
    queued.get_future().wait();
    std::promise<void> finished;
    loops_.front()->post([this, &finished] {
        start(server_->stores().accounts.finishRemovals(),
              [&finished](std::exception_ptr) { finished.set_value(); });
    });
    finished.get_future().wait();
}

void Application::listen() {
    std::exception_ptr failure;
    listeners_.resize(loops_.size());
    componentListeners_.resize(loops_.size());
    componentListen_ = componentListenOf(*config_);
    onEachLoop(loops_, [&](std::size_t i) {
        if (failure) return;
        try {
            listenOn(i);
            listenForComponents(i, componentListen_);
            federation_->listen(unsigned(i));
        } catch (...) {
            failure = std::current_exception();
        }
    });
    if (failure) {
        stop();
        std::rethrow_exception(failure);
    }
}

void Application::listenForComponents(std::size_t loop, const ComponentListen& where) {
    auto& listeners = componentListeners_[loop];
    listeners.clear();
    if (where.port == 0) return;
    for (const auto& text : where.addresses) {
        const auto address = IpAddress::parse(text, where.port);
        if (!address) throw std::runtime_error{"component.addresses: " + text + " is no address."};
        listeners.push_back(std::make_unique<Listener>(
            *loops_[loop],
            Listener::Settings{.address = *address, .limit = addressLimit_, .isFirst = loop == 0},
            [&streams = components_->streams(unsigned(loop))](std::unique_ptr<Transport> transport) {
                streams.accept(std::move(transport));
            }));
    }
}

Task<std::string> Application::listenForComponentsAnew(ConfigPtr config) {
    const auto where = componentListenOf(*config);
    if (where == componentListen_) co_return std::string{};
    componentListen_ = where;
    // Everywhere before anywhere: the first who listens makes sure that the port is free.
    std::function<bool(Shard&)> hush = [this](Shard& shard) {
        componentListeners_[shard.number()].clear();
        return true;
    };
    co_await everyShard<bool>(*server_, hush);
    std::function<std::string(Shard&)> listen = [this, where](Shard& shard) -> std::string {
        try {
            listenForComponents(shard.number(), where);
            return {};
        } catch (const std::exception& failure) {
            return failure.what();
        }
    };
    const auto problems = co_await everyShard<std::string>(*server_, listen);
    for (const auto& problem : problems) {
        if (problem.empty()) continue;
        componentListen_ = ComponentListen{Settings{}};  // the next reload tries again
        componentListen_.addresses.clear();
        co_return problem;
    }
    co_return std::string{};
}

void Application::listenOn(std::size_t loop) {
    using Accept = Listener::Accepted;
    const auto open = [&](const std::vector<std::string>& addresses, std::uint16_t port, const char* option,
                          const TlsServerContext* directTls, const Accept& accept) {
        if (port == 0) return;
        for (const auto& text : addresses) {
            const auto address = IpAddress::parse(text, port);
            if (!address) throw std::runtime_error{std::string{option} + ": " + text + " is no address."};
            listeners_[loop].push_back(std::make_unique<Listener>(
                *loops_[loop],
                Listener::Settings{.address = *address, .directTls = directTls, .limit = addressLimit_,
                                   .isFirst = loop == 0},
                accept));
        }
    };
    ClientStreams& streams = *streams_[loop];
    const Accept acceptStream = [&streams](std::unique_ptr<Transport> transport) {
        streams.accept(std::move(transport));
    };
    const ListenSettings settings{*config_->settings};
    open(settings.addresses, settings.starttlsPort, "listen.addresses", nullptr, acceptStream);
    open(settings.addresses, settings.tlsPort, "listen.addresses", streams.tls(), acceptStream);
    const auto acceptHttp = [this, loop](HttpFace::Door door) -> Accept {
        return [this, loop, door](std::unique_ptr<Transport> transport) {
            http_->accept(unsigned(loop), std::move(transport), door);
        };
    };
    const HttpPorts http{*config_->settings};
    const TlsServerContext& httpTls = tls_->context({.alpn = {"http/1.1"}});
    open(http.tlsAddresses.empty() ? settings.addresses : http.tlsAddresses, http.tlsPort, "http.addresses", &httpTls, acceptHttp(HttpFace::Door::Tls));
    open(http.plainAddresses, http.plainPort, "http.plain_addresses", nullptr, acceptHttp(HttpFace::Door::Plain));
}

// Kept beside the database: it has to be the same after a restart.
std::string Application::readSaltSecret() const {
    const auto path = std::filesystem::path{data_} / "salt.secret";
    std::ifstream file{path, std::ios::binary};
    std::string secret{std::istreambuf_iterator<char>{file}, {}};
    if (secret.size() == saltSecretBytes) return secret;
    secret = randomBytes(saltSecretBytes);
    const int out = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const bool written = out >= 0 && ::write(out, secret.data(), secret.size()) == ssize_t(secret.size());
    if (out >= 0) ::close(out);
    if (!written) throw std::runtime_error{path.string() + " can't be written."};
    return secret;
}

// ---- control

void Application::startControl() {
    controls_ = std::make_shared<ServerControls>();
    controls_->version = version;
    controls_->started = started_;
    controls_->config = [this] { return currentConfig(); };
    controls_->options = [this] { return allOptions(*plugins_); };
    controls_->read = [this](const std::optional<NamedText>& text) {
        if (text) return readConfig(text->text, text->name, allOptions(*plugins_));
        return loadConfig(request_, allOptions(*plugins_));
    };
    controls_->apply = [this](ConfigPtr config, const ConfigChanges& changes) {
        return apply(std::move(config), changes);
    };
    controls_->stop = [this] { signals_.raise(Signals::Event::Stop); };
    controls_->restart = [this] {
        wantsRestart_ = true;
        signals_.raise(Signals::Event::Stop);
    };
    controls_->addStatus = [this](CommandResult& result) {
        const auto health = database_->health();
        result.fact("shards", loops_.size());
        result.fact("database", health.available ? std::string{"available"} : health.problem);
        result.fact("waiting-writes", health.waitingWrites);
        const std::string whyOff = federation_->whyOff();
        result.fact("federation", whyOff.empty() ? std::string{"on"} : "off: " + whyOff);
    };
    commands_ = addServerCommands(registry_, controls_);
    for (auto& command : addUserCommands(registry_, *server_)) commands_.push_back(std::move(command));
    for (auto& command : addStoreCommands(registry_, *server_)) commands_.push_back(std::move(command));
    for (auto& command : addComponentCommands(registry_, *components_)) commands_.push_back(std::move(command));
    for (auto& command : addCertCommands(registry_, *server_, [this] { return tls_->presented(); },
                                         remoteAuthorities(*config_->settings)))
        commands_.push_back(std::move(command));
    for (auto& command : addS2sCommands(registry_, *server_, federation_->federation(),
                                        [this] { return federation_->whyOff(); }))
        commands_.push_back(std::move(command));
    for (auto& command : addWebCommands(registry_, *server_)) commands_.push_back(std::move(command));
    for (auto& command : addAccountCommands(registry_, *server_, *plugins_,
                                            (std::filesystem::path{data_} / "exports").string()))
        commands_.push_back(std::move(command));
    pluginCommands_ = std::make_unique<PluginCommands>(registry_, *server_, *plugins_);
    pluginCommands_->update();
    auto pluginControls = std::make_shared<PluginControls>(PluginControls{
        .plugins = *plugins_,
        .server = *server_,
        .config = [this] { return currentConfig(); },
        .read = [this] { return loadConfig(request_, allOptions(*plugins_)); },
        .setConfig = [this](ConfigPtr config) {
            server_->replace(config->settings);
            const std::lock_guard lock{configMutex_};
            config_ = std::move(config);
        },
        .changed = [this] { return pluginCommands_->update(); },
    });
    for (auto& command : addPluginCommands(registry_, std::move(pluginControls)))
        commands_.push_back(std::move(command));
    commands_.push_back(addSchemaCommand(registry_, *database_, allMigrations(*plugins_)));
    socket_ = std::make_unique<ControlSocket>(
        registry_, *loops_.front(),
        ControlSocketSettings{.path = controlSocketPath(*config_->settings),
                              .allow = config_->settings->get(options::controlAllow),
                              .program = "epoded " + std::string{version}});
}

ConfigPtr Application::currentConfig() const {
    const std::lock_guard lock{configMutex_};
    return config_;
}

Task<> Application::apply(ConfigPtr config, const ConfigChanges& changes) {
    for (const auto& problem : tls_->reload(certificateFiles(*config->settings, config_->hosts, data_)))
        serverLog.error("a certificate could not be loaded; the one before stays", {{"problem", problem}});
    addressLimit_->setMost(config->settings->get(connectionsPerAddressMax));
    server_->replace(config->settings);
    for (std::size_t i = 0; i < loops_.size(); ++i)
        loops_[i]->post([this, i, settings = config->settings] {
            streams_[i]->settingsChanged();
            http_->replace(unsigned(i), settings);
        });
    // Before the plugins, which may want a domain that is a component's, or is none any more.
    components_->configure(*config->settings, config->components);
    // What was loaded or unloaded by hand holds until now.
    plugins_->clearOverrides();
    plugins_->wire(*server_, *config->settings);
    pluginCommands_->update();
    {
        const std::lock_guard lock{configMutex_};
        config_ = config;
    }
    log_.writer().reopen();
    co_await federation_->apply(config);
    const std::string problem = co_await listenForComponentsAnew(config);
    if (!problem.empty()) throw std::runtime_error{"All was applied but this: " + problem};
}

// Asked for by a signal. It goes on while this thread waits for the next one, which may be the end.
void Application::reload() {
    loops_.front()->post([controls = controls_] {
        start(reloadConfig(*controls), [controls](std::optional<CommandResult>, std::exception_ptr) {});
    });
}

// Systemd restarts a server that doesn't give a sign of life in time: only when every loop has taken a
// turn is there one.
void Application::watch(Duration interval) {
    watch_ = loops_.front()->after(interval / 3, [this, interval] {
        auto all = std::shared_ptr<void>{nullptr, [](void*) { notifyWatchdog(); }};
        for (auto& loop : loops_) loop->post([all] {});
        watch(interval);
    });
}

bool Application::run() {
    while (signals_.wait() == Signals::Event::Reload) reload();
    stop();
    return wantsRestart_;
}

// The reverse of the start. Clients are told, and what they can resume is saved, before anything ends.
void Application::stop() {
    serverLog.notice("stopping");
    // For systemd a restart within the process is a reload: a service that stops is waited for, and
    // killed when it goes on.
    if (wantsRestart_) {
        notifyReloading();
        notifyStatus("Restarting");
    } else {
        notifyStopping("Saying goodbye to clients");
    }
    socket_.reset();
    onEachLoop(loops_, [this](std::size_t i) {
        if (i == 0) watch_ = {};
        if (i < listeners_.size()) listeners_[i].clear();
        federation_->closeListeners(unsigned(i));
        if (i < componentListeners_.size()) componentListeners_[i].clear();
    });
    // Before the clients, who may hear that something has not arrived.
    std::promise<void> closed;
    components_->closeAll([&closed] { closed.set_value(); });
    closed.get_future().wait();
    std::promise<void> saved;
    server_->shutdown([&saved] { saved.set_value(); });
    saved.get_future().wait();
    // Other servers hear that the clients have gone; what they haven't got is stored.
    if (Federation* const federation = federation_->federation()) {
        std::promise<void> stored;
        federation->closeAll([&stored] { stored.set_value(); });
        stored.get_future().wait();
    }
    onEachLoop(loops_, [this](std::size_t i) {
        streams_[i]->closeAll();
        http_->close(unsigned(i));
    });
    // A turn more, so that the last words leave.
    onEachLoop(loops_, [](std::size_t) {});
    database_->close();
    for (auto& loop : loops_) loop->stop();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
    serverLog.notice("stopped");
}

}  // namespace epode
