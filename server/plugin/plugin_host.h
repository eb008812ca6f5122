// Finds plugins, loads them, and wires them into the virtual hosts that have them enabled: at the
// start, when the configuration is read again, and when the operator says so.
#pragma once

#include "core/option.h"
#include "plugin/plugin.h"
#include "plugin/plugin_library.h"

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

class Server;

// Thread-safe, but for `wire` and what changes the overrides: those belong to one thread.
class PluginHost {
public:
    // Every plugin that is linked in, and every shared object in `directory` ("" for none). Throws
    // PluginError for a file that is no plugin of this server.
    explicit PluginHost(const std::string& directory);
    ~PluginHost();

    using Available = std::map<std::string, const PluginEntry*, std::less<>>;
    // By name, in the order in which they are wired.
    Available available() const;
    const PluginEntry* find(std::string_view name) const;
    // The options of all of them, for reading the configuration.
    std::vector<OptionRef> options() const;
    std::vector<Migration> migrations() const;

    // The commands of one of them, with its name in them.
    std::vector<Command> commands(const PluginEntry& entry, Server& server) const;

    // ---- at run time
    // Maps the file of a plugin, which may have changed since, or was not there at the start.
    // Nobody uses it until it is adopted. Throws PluginError. Blocks: for a worker.
    std::shared_ptr<const PluginLibrary> open(std::string_view name) const;
    // Makes it the plugin of its name from the next `wire` on; null: as if there had never been
    // one. Returns what it was before (null for none, and for what is linked in).
    std::shared_ptr<const PluginLibrary> adopt(std::string_view name,
                                               std::shared_ptr<const PluginLibrary> library);
    bool isLinkedIn(std::string_view name) const;
    // Files in the folder that were not loaded.
    std::vector<std::string> unknownFiles() const;
    std::filesystem::path fileOf(std::string_view name) const;

    // Stronger than the configuration, until `clearOverrides` or a restart. An empty host: all.
    using Overrides = std::map<std::pair<std::string, std::string>, bool>;  // (host, plugin)
    void setOverride(const std::string& host, std::string_view plugin, bool isLoaded);
    void clearOverrides() { overrides_.clear(); }
    void clearOverridesOf(std::string_view plugin);
    const Overrides& overrides() const { return overrides_; }
    void restore(Overrides overrides) { overrides_ = std::move(overrides); }
    bool isWanted(const std::string& host, std::string_view plugin, const Settings& settings) const;

    // A plugin whose constructor throws is left out. `Strict`: then nothing is changed at all.
    enum class Mistakes { LeftOut, Strict };
    struct Failure {
        std::string host;
        std::string plugin;
        std::string reason;
    };
    // Makes the plugins of each host anew with these settings, and hands them to the shards, which
    // forget what those plugins that the host had before and has no more kept of its accounts and
    // sessions. `done` runs on shard 0 when all shards have them; not at all when nothing is
    // changed.
    std::vector<Failure> wire(Server& server, const Settings& settings,
                              Mistakes mistakes = Mistakes::LeftOut,
                              std::function<void()> done = {});
    // The names that are wired into a host.
    std::vector<std::string> wired(std::string_view host) const;
    // Wired into any host.
    bool isWired(std::string_view plugin) const;

    PluginMeter& meter(std::string_view plugin) const;

private:
    struct Wiring;
    struct Wired {  // a plugin as a host has it
        const PluginEntry* entry;
        std::shared_ptr<const PluginLibrary> library;
    };
    using WiredPlugins = std::map<std::string, Wired, std::less<>>;
    std::shared_ptr<Wiring> make(Server& server, const std::string& host, const Settings& settings,
                                 std::vector<Failure>& failures, WiredPlugins& made,
                                 const std::map<std::string, std::string, std::less<>>& firstHosts);

    const std::filesystem::path directory_;
    mutable std::mutex mutex_;  // for all that follows but the overrides
    Available linked_;
    std::map<std::string, std::shared_ptr<const PluginLibrary>, std::less<>> libraries_;
    std::map<std::string, WiredPlugins, std::less<>> wired_;  // by host
    mutable std::map<std::string, std::unique_ptr<PluginMeter>, std::less<>>
        meters_;  // never removed
    Overrides overrides_;
};

std::vector<OptionRef> pluginHostOptions();
const std::string& pluginDirectory(const Settings& settings);

}  // namespace epode
