#include "plugin/plugin_host.h"

#include "core/log.h"
#include "core/metric.h"
#include "route/shard.h"
#include "store/stores.h"

#include <algorithm>
#include <set>

namespace epode {

namespace {

const Log pluginLog{"plugin"};

const Option<std::string> directory{
    .key = "plugins.directory",
    .fallback = "",
    .help =
        "The folder of the plugins' shared objects; empty: the one that was installed, or built, "
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

// Names come from commands: a plugin's is that of its file, and nothing else.
bool isName(std::string_view name) {
    return !name.empty() && name.size() <= 100 &&
           std::all_of(name.begin(), name.end(), [](char letter) {
               return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') ||
                      letter == '_' || letter == '-';
           });
}

std::string reasonOf(const std::exception_ptr& thrown) {
    try {
        std::rethrow_exception(thrown);
    } catch (const std::exception& known) {
        return known.what();
    } catch (...) {
        return "unknown";
    }
}

// Commands are metered like all that a plugin does.
Task<CommandResult> metered(const Command& command, PluginMeter& meter, CommandCall& call) {
    PluginMeter::Call counted{&meter, PluginMeter::Kind::Command};
    try {
        auto task = command.run(call);
        auto result = co_await task;
        co_return result;
    } catch (...) {
        counted.failed();
        throw;
    }
}

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
    for (const Elsewhere* elsewhere : server_.elsewhere())
        if (elsewhere->owns(jid->text())) return refuse("it is a component's");
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

// The plugins of one host and what they have wired live and die together: who holds the services
// holds the plugins.
struct PluginHost::Wiring {
    std::vector<std::unique_ptr<Plugin>> plugins;
    Services services;
};

PluginHost::PluginHost(const std::string& folder) : directory_{folder} {
    for (const PluginEntry* entry : staticPlugins()) linked_.emplace(entry->info->name, entry);
    if (folder.empty()) return;
    std::error_code ignored;
    for (const auto& file : std::filesystem::directory_iterator{directory_, ignored}) {
        if (file.path().extension() != ".so") continue;
        auto library = std::make_shared<PluginLibrary>(file.path(), PluginLibrary::Mapping::File);
        libraries_.emplace(file.path().stem().string(), std::move(library));
    }
}

PluginHost::~PluginHost() = default;

PluginHost::Available PluginHost::available() const {
    const std::lock_guard lock{mutex_};
    Available all = linked_;
    for (const auto& [name, library] : libraries_) all.insert_or_assign(name, &library->entry());
    return all;
}

const PluginEntry* PluginHost::find(std::string_view name) const {
    const auto all = available();
    const auto found = all.find(name);
    return found == all.end() ? nullptr : found->second;
}

std::vector<OptionRef> PluginHost::options() const {
    std::vector<OptionRef> all;
    for (const auto& [name, entry] : available())
        all.insert(all.end(), entry->info->options.begin(), entry->info->options.end());
    return all;
}

std::vector<Migration> PluginHost::migrations() const {
    std::vector<Migration> all;
    for (const auto& [name, entry] : available())
        for (const Migration* migration : entry->info->migrations) all.push_back(*migration);
    return all;
}

std::vector<Command> PluginHost::commands(const PluginEntry& entry, Server& server) const {
    if (!entry.info->commands) return {};
    auto commands = entry.info->commands(server);
    for (Command& command : commands) {
        command.plugin = entry.info->name;
        if (!command.run) continue;
        auto inner = std::make_shared<const Command>(command);
        command.run = [inner, &counter = meter(entry.info->name)](CommandCall& call) {
            return metered(*inner, counter, call);
        };
    }
    return commands;
}

PluginMeter& PluginHost::meter(std::string_view plugin) const {
    const std::lock_guard lock{mutex_};
    auto& found = meters_[std::string{plugin}];
    if (!found) found = std::make_unique<PluginMeter>();
    return *found;
}

// ---- files

std::filesystem::path PluginHost::fileOf(std::string_view name) const {
    return directory_ / (std::string{name} + ".so");
}

std::shared_ptr<const PluginLibrary> PluginHost::open(std::string_view name) const {
    if (!isName(name)) throw PluginError{"\"" + std::string{name} + "\" is no name of a plugin."};
    if (directory_.empty())
        throw PluginError{
            "This server has no folder of plugins; it has only those it was built with."};
    return std::make_shared<PluginLibrary>(fileOf(name), PluginLibrary::Mapping::Copy);
}

std::shared_ptr<const PluginLibrary> PluginHost::adopt(
    std::string_view name, std::shared_ptr<const PluginLibrary> library) {
    const std::lock_guard lock{mutex_};
    std::shared_ptr<const PluginLibrary> before;
    if (const auto found = libraries_.find(name); found != libraries_.end()) {
        before = found->second;
        libraries_.erase(found);
    }
    if (library) libraries_.emplace(name, std::move(library));
    return before;
}

bool PluginHost::isLinkedIn(std::string_view name) const {
    const std::lock_guard lock{mutex_};
    return !libraries_.contains(name) && linked_.contains(name);
}

std::vector<std::string> PluginHost::unknownFiles() const {
    std::vector<std::string> names;
    if (directory_.empty()) return names;
    const auto known = available();
    std::error_code ignored;
    for (const auto& file : std::filesystem::directory_iterator{directory_, ignored})
        if (file.path().extension() == ".so" && !known.contains(file.path().stem().string()))
            names.push_back(file.path().stem().string());
    std::sort(names.begin(), names.end());
    return names;
}

// ---- who has what

void PluginHost::setOverride(const std::string& host, std::string_view plugin, bool isLoaded) {
    if (host.empty()) clearOverridesOf(plugin);
    overrides_[{host, std::string{plugin}}] = isLoaded;
}

void PluginHost::clearOverridesOf(std::string_view plugin) {
    std::erase_if(overrides_, [plugin](const auto& entry) { return entry.first.second == plugin; });
}

bool PluginHost::isWanted(const std::string& host, std::string_view plugin,
                          const Settings& settings) const {
    for (const auto& of : {host, std::string{}})
        if (const auto found = overrides_.find({of, std::string{plugin}});
            found != overrides_.end())
            return found->second;
    const PluginEntry* entry = find(plugin);
    return entry && (entry->info->byDefault || contains(settings.get(enabled, host), plugin)) &&
           !contains(settings.get(disabled, host), plugin);
}

// What the constructor of a failing plugin has wired can't be told from what others have: it is all
// done again without it.
std::shared_ptr<PluginHost::Wiring> PluginHost::make(
    Server& server, const std::string& host, const Settings& settings,
    std::vector<Failure>& failures, WiredPlugins& made,
    const std::map<std::string, std::string, std::less<>>& firstHosts) {
    std::set<std::string, std::less<>> failed;
    for (;;) {
        auto wiring = std::make_shared<Wiring>();
        made.clear();
        bool isComplete = true;
        for (const auto& [name, entry] : available()) {
            if (failed.contains(name) || !isWanted(host, name, settings)) continue;
            PluginContext context{server,           host, settings,
                                  wiring->services, name, firstHosts.find(name)->second == host,
                                  &meter(name)};
            try {
                wiring->plugins.push_back(entry->make(context));
            } catch (...) {
                failures.push_back({host, name, reasonOf(std::current_exception())});
                failed.insert(name);
                isComplete = false;
                break;
            }
            const std::lock_guard lock{mutex_};
            const auto library = libraries_.find(name);
            made[name] = {entry, library == libraries_.end() ? nullptr : library->second};
        }
        if (isComplete) return wiring;
    }
}

namespace {

bool isIn(const PluginLibrary& library, const void* code) {
    const std::less<const void*> isBefore;
    return !isBefore(code, library.codeBegin()) && isBefore(code, library.codeEnd());
}

// A session's slots that the library's plugin saves go over to the version that takes its place, as they
// do over a restart.
void passOn(StateSlots& slots, const PluginLibrary& library, const Services& before, const Services& after) {
    std::vector<std::pair<std::string_view, std::string>> saved;
    for (const SavedSlot& slot : before.savedStates)
        if (isIn(library, reinterpret_cast<const void*>(slot.save)))
            if (auto text = slot.save(slots)) saved.emplace_back(slot.name, std::move(*text));
    slots.dropThoseOf(library.codeBegin(), library.codeEnd());
    for (const auto& [name, text] : saved)
        for (const SavedSlot& slot : after.savedStates)
            if (slot.name == name) slot.restore(slots, text);
}

// On each shard, right after it has taken the new services of a host.
void forgetState(Shard& shard, Host& host, const Services& before, const PluginLibrary& library) {
    host.slots().dropThoseOf(library.codeBegin(), library.codeEnd());
    shard.eachAccount([&](Account& account) {
        if (&account.host() != &host) return;
        account.slots().dropThoseOf(library.codeBegin(), library.codeEnd());
        for (const auto& session : account.sessions())
            passOn(session->slots(), library, before, host.services());
    });
}

}  // namespace

std::vector<PluginHost::Failure> PluginHost::wire(Server& server, const Settings& settings,
                                                  Mistakes mistakes, std::function<void()> done) {
    const auto all = available();
    std::map<std::string, std::string, std::less<>> firstHosts;
    for (const auto& host : server.hosts()) {
        for (const auto& name : settings.get(enabled, host))
            if (!all.contains(name))
                pluginLog.error("a plugin that is enabled does not exist",
                                {{"plugin", name}, {"host", host}});
        for (const auto& [name, entry] : all)
            if (isWanted(host, name, settings)) firstHosts.emplace(name, host);
    }

    // Everything is made before anything is changed.
    std::vector<Failure> failures;
    std::map<std::string, WiredPlugins, std::less<>> wired;
    std::vector<std::pair<std::string, std::shared_ptr<Wiring>>> wirings;
    for (const auto& host : server.hosts())
        wirings.emplace_back(host, make(server, host, settings, failures, wired[host], firstHosts));
    for (const Failure& failure : failures)
        pluginLog.error(
            "a plugin can't be started",
            {{"plugin", failure.plugin}, {"host", failure.host}, {"failure", failure.reason}});
    if (!failures.empty() && mistakes == Mistakes::Strict) return failures;

    // Also of plugins that no host has at the moment: their rows are still there.
    for (const auto& [name, entry] : all)
        for (const AccountTable& table : entry->info->accountTables)
            server.stores().accounts.addTable(table);

    std::map<std::string, WiredPlugins, std::less<>> before;
    {
        const std::lock_guard lock{mutex_};
        before = std::exchange(wired_, wired);
    }
    const auto last = done ? std::shared_ptr<void>{nullptr, [done](void*) { done(); }} : nullptr;
    for (auto& [host, wiring] : wirings) {
        std::vector<std::shared_ptr<const PluginLibrary>> gone;
        auto change = std::make_shared<ServicesChange>();
        for (const auto& [name, plugin] : before[host]) {
            const auto now = wired[host].find(name);
            if (now != wired[host].end() && now->second.library == plugin.library) continue;
            if (plugin.library) gone.push_back(plugin.library);
            if (now != wired[host].end()) change->anew.push_back(name);
        }
        if (!gone.empty())
            change->taken = [gone](Shard& shard, Host& of, const Services& old) {
                for (const auto& library : gone) forgetState(shard, of, old, *library);
            };
        server.replace(host, std::shared_ptr<const Services>{wiring, &wiring->services}, [last] {}, change);
    }
    // Metrics of what nobody uses are not told.
    const std::lock_guard lock{mutex_};
    std::set<const PluginLibrary*> used;
    for (const auto& [host, plugins] : wired_)
        for (const auto& [name, plugin] : plugins) used.insert(plugin.library.get());
    const auto show = [&used](const PluginLibrary& library) {
        for (Metric* metric : library.metrics()) metric->setHidden(!used.contains(&library));
    };
    for (const auto& [name, library] : libraries_) show(*library);
    for (const auto& [host, plugins] : before)
        for (const auto& [name, plugin] : plugins)
            if (plugin.library) show(*plugin.library);
    return failures;
}

std::vector<std::string> PluginHost::wired(std::string_view host) const {
    const std::lock_guard lock{mutex_};
    std::vector<std::string> names;
    const auto found = wired_.find(host);
    if (found == wired_.end()) return names;
    for (const auto& [name, plugin] : found->second) names.push_back(name);
    return names;
}

bool PluginHost::isWired(std::string_view plugin) const {
    const std::lock_guard lock{mutex_};
    return std::any_of(wired_.begin(), wired_.end(),
                       [plugin](const auto& host) { return host.second.contains(plugin); });
}

std::vector<OptionRef> pluginHostOptions() { return {&directory, &enabled, &disabled}; }

const std::string& pluginDirectory(const Settings& settings) { return settings.get(directory); }

}  // namespace epode
