// Finds plugins, loads them, and wires them into the virtual hosts that have them enabled.
#pragma once

#include "core/option.h"
#include "plugin/plugin.h"

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

class Server;

// A plugin can't be found or loaded, or was built for another server. The text says what to do.
class PluginError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class PluginHost {
public:
    // Every plugin that is linked in, and every shared object in `directory` ("" for none). Throws
    // PluginError for a file that is no plugin of this server.
    explicit PluginHost(const std::string& directory);
    ~PluginHost();

    // By name, in the order in which they are wired.
    const std::map<std::string, const PluginEntry*, std::less<>>& available() const { return available_; }
    // The options of all of them, for reading the configuration.
    std::vector<OptionRef> options() const;
    std::vector<Migration> migrations() const;

    // The commands of one of them, with its name in them.
    static std::vector<Command> commands(const PluginEntry& entry, Server& server);

    // Makes the plugins of each host anew with these settings, and hands them to the shards.
    void wire(Server& server, const Settings& settings);
    // The names that are wired into a host.
    std::vector<std::string> wired(std::string_view host) const;
    // Wired into any host.
    bool isWired(std::string_view plugin) const;

private:
    struct Library;
    std::vector<std::unique_ptr<Library>> libraries_;
    std::map<std::string, const PluginEntry*, std::less<>> available_;
    std::map<std::string, std::vector<std::string>, std::less<>> wired_;
};

std::vector<OptionRef> pluginHostOptions();
const std::string& pluginDirectory(const Settings& settings);

}  // namespace epode
