// The running server: its parts in the order in which they start, and their end in the reverse order.
#pragma once

#include "control/command_registry.h"
#include "control/config.h"
#include "control/control_socket.h"
#include "control/daemon.h"
#include "control/federation_control.h"
#include "control/http_face.h"
#include "control/log_sink.h"
#include "control/plugin_commands.h"
#include "control/server_commands.h"
#include "core/worker_pool.h"
#include "net/event_loop.h"
#include "net/listener.h"
#include "net/tls_context.h"
#include "plugin/plugin_host.h"
#include "route/server.h"
#include "store/database.h"
#include "stream/client_streams.h"
#include "stream/components.h"

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace epode {

// The options of everything that is linked in or loaded.
OptionList allOptions(const PluginHost& plugins);

// Where the plugins' shared objects are: $EPODE_PLUGINS, else plugins.directory of the configuration,
// else beside the program (in a build folder), else where they were installed.
std::string findPluginDirectory(const StartRequest& request);

class Application {
public:
    // Starts everything; serves when it returns. Throws std::exception with a sentence for people.
    Application(StartRequest request, ConfigPtr config, std::unique_ptr<PluginHost> plugins, Signals& signals);
    ~Application();

    // Until a signal or command asks for the end. Reloads meanwhile when asked. True: the server is to be
    // started anew.
    bool run();

private:
    void startLoops();
    void startServer();
    void listen();
    void listenForComponents(std::size_t loop, const ComponentListen& where);
    // Anew, when a reload has changed where or whether. Tells what went wrong.
    Task<std::string> listenForComponentsAnew(ConfigPtr config);
    void listenOn(std::size_t loop);
    void startControl();
    void stop();
    ConfigPtr currentConfig() const;
    Task<> apply(ConfigPtr config, const ConfigChanges& changes);
    void reload();
    void watch(Duration interval);
    std::string readSaltSecret() const;

    const StartRequest request_;
    // Replaced by a reload on the first loop; the control thread asks for it by currentConfig().
    ConfigPtr config_;
    mutable std::mutex configMutex_;
    Signals& signals_;
    const std::string data_;
    InstanceLock lock_;
    LogInstallation log_;
    const SteadyTime started_;
    std::unique_ptr<PluginHost> plugins_;
    std::unique_ptr<Database> database_;
    WorkerPool workers_;
    std::unique_ptr<TlsStore> tls_;
    std::shared_ptr<AddressLimit> addressLimit_;
    std::vector<std::unique_ptr<EventLoop>> loops_;
    std::unique_ptr<Server> server_;
    std::unique_ptr<Components> components_;
    std::unique_ptr<FederationControl> federation_;
    std::vector<std::unique_ptr<ClientStreams>> streams_;
    std::unique_ptr<HttpFace> http_;
    std::vector<std::vector<std::unique_ptr<Listener>>> listeners_;  // of each loop
    std::vector<std::vector<std::unique_ptr<Listener>>> componentListeners_;
    ComponentListen componentListen_{Settings{}};  // where those are
    std::vector<std::thread> threads_;
    Timer watch_;  // of the first loop
    CommandRegistry registry_;
    std::shared_ptr<ServerControls> controls_;
    std::vector<CommandRegistry::Registration> commands_;
    std::unique_ptr<PluginCommands> pluginCommands_;
    std::unique_ptr<ControlSocket> socket_;
    std::atomic<bool> wantsRestart_{false};
};

}  // namespace epode
