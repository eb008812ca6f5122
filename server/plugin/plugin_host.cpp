#include "plugin/plugin_host.h"

#include "core/log.h"
#include "store/stores.h"

#include <Poco/SharedLibrary.h>

#include <algorithm>
#include <filesystem>
#include <set>

namespace epode {

namespace {

const Log pluginLog{"plugin"};

const Option<std::string> directory{
    .key = "plugins.directory",
    .fallback = "",
    .help = "The folder of the plugins' shared objects; empty: the one that was installed, or built, "
            "with this server.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<std::vector<std::string>> enabled{
    .key = "plugins.enabled",
    .fallback = {},
    .help = "Plugins to load beyond those that are loaded by default.",
};
const Option<std::vector<std::string>> disabled{
    .key = "plugins.disabled",
    .fallback = {},
    .help = "Plugins not to load.",
};

std::vector<const PluginEntry*>& staticPlugins() {
    static std::vector<const PluginEntry*> entries;
    return entries;
}

bool contains(const std::vector<std::string>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

// The plugins of one host and what they have wired live and die together: who holds the services
// holds the plugins.
struct Wiring {
    std::vector<std::unique_ptr<Plugin>> plugins;
    Services services;
};

}  // namespace

ServedDomain& PluginContext::serve(std::string_view domain) {
    constexpr std::string_view placeholder = "{host}";
    std::string name{domain};
    if (const auto at = name.find(placeholder); at != std::string::npos)
        name.replace(at, placeholder.size(), host_);
    const auto jid = Jid::parse(name);
    const auto refuse = [&](std::string_view why) -> ServedDomain& {
        pluginLog.error("a plugin can't serve this domain",
                        {{"plugin", plugin_}, {"domain", name}, {"why", why}});
        return refused_.emplace_back();
    };
    if (!jid || !jid->isDomain()) return refuse("it is no valid domain");
    if (server_.isLocal(jid->text())) return refuse("it is a virtual host");
    for (const ServedDomain& other : services_.domains)
        if (other.domain == jid->text()) return refuse("another plugin serves it");
    ServedDomain& served = services_.domains.emplace_back();
    served.domain = jid->text();
    served.owner = plugin_;
    return served;
}

// Whether somebody serves it is known when all plugins are wired.
void PluginContext::accountFeatureWithPep(std::string_view feature) {
    services_.accountDisco.extensions.push_back(
        [services = &services_, feature = std::string{feature}](Element& query) {
            if (services->pep) query.add("feature").set("var", feature);
        });
}

StaticPlugin::StaticPlugin(const PluginEntry* entry) { staticPlugins().push_back(entry); }

struct PluginHost::Library {
    Poco::SharedLibrary library;
};

PluginHost::PluginHost(const std::string& directory) {
    for (const PluginEntry* entry : staticPlugins()) available_.emplace(entry->info->name, entry);
    if (directory.empty()) return;
    std::error_code ignored;
    for (const auto& file : std::filesystem::directory_iterator{directory, ignored}) {
        if (file.path().extension() != ".so") continue;
        const std::string path = file.path().string();
        auto library = std::make_unique<Library>();
        try {
            library->library.load(path);
        } catch (const Poco::Exception& failure) {
            throw PluginError{"The plugin " + path + " can't be loaded: " + failure.displayText()};
        }
        if (!library->library.hasSymbol("epodePlugin"))
            throw PluginError{path + " is no plugin of Epode (it has no epodePlugin); remove it from " +
                              directory + "."};
        const auto* entry = reinterpret_cast<const PluginEntry* (*)()>(
            library->library.getSymbol("epodePlugin"))();
        if (entry->abi != pluginAbi)
            throw PluginError{"The plugin " + path + " was built for plugin interface " +
                              std::to_string(entry->abi) + ", this server has " +
                              std::to_string(pluginAbi) + "; build it anew against its headers."};
        available_.emplace(entry->info->name, entry);
        libraries_.push_back(std::move(library));
    }
}

// Shared objects stay mapped: what they have wired may still be held by work that ends later.
PluginHost::~PluginHost() = default;

std::vector<OptionRef> PluginHost::options() const {
    std::vector<OptionRef> all;
    for (const auto& [name, entry] : available_)
        all.insert(all.end(), entry->info->options.begin(), entry->info->options.end());
    return all;
}

std::vector<Migration> PluginHost::migrations() const {
    std::vector<Migration> all;
    for (const auto& [name, entry] : available_)
        for (const Migration* migration : entry->info->migrations) all.push_back(*migration);
    return all;
}

std::vector<Command> PluginHost::commands(const PluginEntry& entry, Server& server) {
    if (!entry.info->commands) return {};
    auto commands = entry.info->commands(server);
    for (Command& command : commands) command.plugin = entry.info->name;
    return commands;
}

void PluginHost::wire(Server& server, const Settings& settings) {
    // Also of plugins that no host has at the moment: their rows are still there.
    for (const auto& [name, entry] : available_)
        for (const AccountTable& table : entry->info->accountTables)
            server.stores().accounts.addTable(table);
    std::set<std::string_view> seen;
    for (const auto& host : server.hosts()) {
        auto wiring = std::make_shared<Wiring>();
        auto& names = wired_[host];
        names.clear();
        for (const auto& name : settings.get(enabled, host))
            if (!available_.contains(name))
                pluginLog.error("a plugin that is enabled does not exist", {{"plugin", name}, {"host", host}});
        for (const auto& [name, entry] : available_) {
            const bool wanted = (entry->info->byDefault || contains(settings.get(enabled, host), name)) &&
                                !contains(settings.get(disabled, host), name);
            if (!wanted) continue;
            const bool isFirstHost = seen.insert(name).second;
            PluginContext context{server, host, settings, wiring->services, name, isFirstHost};
            wiring->plugins.push_back(entry->make(context));
            names.push_back(name);
        }
        server.replace(host, std::shared_ptr<const Services>{wiring, &wiring->services});
    }
}

std::vector<std::string> PluginHost::wired(std::string_view host) const {
    const auto found = wired_.find(host);
    return found == wired_.end() ? std::vector<std::string>{} : found->second;
}

bool PluginHost::isWired(std::string_view plugin) const {
    return std::any_of(wired_.begin(), wired_.end(),
                       [plugin](const auto& host) { return contains(host.second, plugin); });
}

std::vector<OptionRef> pluginHostOptions() { return {&directory, &enabled, &disabled}; }

const std::string& pluginDirectory(const Settings& settings) { return settings.get(directory); }

}  // namespace epode
