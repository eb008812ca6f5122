#include "control/plugin_admin.h"

#include "control/nearest.h"
#include "core/log.h"
#include "core/metric.h"
#include "core/worker_pool.h"
#include "route/server.h"
#include "store/database.h"

#include <algorithm>

namespace epode {

namespace {

const Log pluginLog{"plugin"};

using Controls = std::shared_ptr<PluginControls>;

constexpr const char* untilReload =
    "This holds until the next restart or `epodectl reload`; plugins.enabled and plugins.disabled "
    "in "
    "the configuration last.";

std::string joined(const std::vector<std::string>& words) {
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
    return text;
}

struct PluginAdmin {
    Controls controls;
    // Of the changes one after the other: a second waits for the first to be told as refused.
    bool isBusy = false;
    // With the commands of what was wired last.
    std::vector<std::string> problems{};

    PluginHost& plugins() const { return controls->plugins; }
    Server& server() const { return controls->server; }

    std::vector<std::string> hostsWith(std::string_view name) const {
        std::vector<std::string> hosts;
        for (const auto& host : server().hosts()) {
            const auto names = plugins().wired(host);
            if (std::find(names.begin(), names.end(), name) != names.end()) hosts.push_back(host);
        }
        return hosts;
    }

    CommandResult unknown(const std::string& name) const {
        std::vector<std::string> names;
        for (const auto& [known, entry] : plugins().available()) names.push_back(known);
        return CommandResult::refusal(
            "not-found", "There is no plugin \"" + name + "\"." + didYouMean(name, names),
            "`epodectl plugin list` shows all plugins.");
    }

    std::optional<CommandResult> problemWith(const CommandCall& call) const {
        if (!call.has("host") || server().isLocal(call.text("host"))) return std::nullopt;
        return CommandResult::refusal("not-found",
                                      "This server has no host " + call.text("host") + ".");
    }

    CommandResult list() const {
        auto result =
            CommandResult::table({"plugin", "hosts", "calls", "time", "failures", "summary"});
        const auto all = server().hosts().size();
        for (const auto& [name, entry] : plugins().available()) {
            const auto hosts = hostsWith(name);
            const auto reading = plugins().meter(name).read();
            result.row({name,
                        hosts.empty()         ? std::string{"none"}
                        : hosts.size() == all ? std::string{"all"}
                                              : joined(hosts),
                        reading.calls, reading.time, reading.failures,
                        std::string{entry->info->summary}});
        }
        if (const auto files = plugins().unknownFiles(); !files.empty())
            result.warn("There are files of plugins that were not loaded yet: " + joined(files) +
                        ". `epodectl plugin load NAME` loads one.");
        for (const auto& [where, isLoaded] : plugins().overrides())
            result.warn(where.second + " was " + (isLoaded ? "loaded" : "unloaded") + " by hand" +
                        (where.first.empty() ? "" : " for " + where.first) + ". " + untilReload);
        return result;
    }

    CommandResult info(const CommandCall& call) const {
        const std::string& name = call.text("plugin");
        const PluginEntry* entry = plugins().find(name);
        if (!entry) return unknown(name);
        const PluginInfo& about = *entry->info;
        CommandResult result;
        result.fact("plugin", name);
        result.fact("summary", std::string{about.summary});
        result.fact("by default", about.byDefault);
        result.fact("file",
                    plugins().isLinkedIn(name) ? Cell{} : Cell{plugins().fileOf(name).string()});
        result.fact("hosts", hostsWith(name));
        std::vector<std::string> lines;
        for (const auto& one : about.implements)
            lines.push_back(std::string{one.document} +
                            (one.version.empty() ? "" : " " + std::string{one.version}));
        result.fact("implements", lines);
        lines.clear();
        for (const auto& option : about.options) lines.emplace_back(option.key());
        result.fact("options", lines);
        lines.clear();
        for (const auto& command : plugins().commands(*entry, server()))
            lines.push_back(command.name);
        result.fact("commands", lines);
        lines.clear();
        for (const auto& table : about.accountTables) lines.emplace_back(table.table);
        result.fact("tables of accounts", lines);
        using Kind = PluginMeter::Kind;
        for (const auto& [kind, what] :
             {std::pair{Kind::Hook, "hooks"}, std::pair{Kind::Request, "requests"},
              std::pair{Kind::Background, "background"},
              std::pair{Kind::Command, "commands run"}}) {
            const auto reading = plugins().meter(name).read(kind);
            if (reading.calls == 0) continue;
            result.fact(std::string{what} + ": calls", reading.calls);
            result.fact(std::string{what} + ": time each",
                        Duration{reading.time.count() / std::int64_t(reading.calls)});
            if (reading.failures > 0)
                result.fact(std::string{what} + ": failures", reading.failures);
        }
        return result;
    }

    // Wires all hosts, and waits until all shards have it; on a mistake everything is as it was.
    Task<std::optional<CommandResult>> wire(PluginHost::Overrides before) {
        struct Taken {
            bool isDone = false;
            UniqueFunction<void(bool)> resume;
        };
        const auto taken = std::make_shared<Taken>();
        const auto config = controls->config();
        const auto failures =
            plugins().wire(server(), *config->settings, PluginHost::Mistakes::Strict, [taken] {
                taken->isDone = true;
                if (taken->resume) std::exchange(taken->resume, {})(true);
            });
        if (!failures.empty()) {
            plugins().restore(std::move(before));
            const auto& first = failures.front();
            co_return CommandResult::refusal("failed",
                                             "The plugin " + first.plugin +
                                                 " can't be started for " + first.host + ": " +
                                                 first.reason,
                                             "Nothing was changed.");
        }
        problems = controls->changed();
        if (!taken->isDone) {
            auto wait = [taken](UniqueFunction<void(bool)> resume) {
                taken->resume = std::move(resume);
            };
            Callback<bool> all(std::move(wait));
            co_await all;
        }
        co_return std::nullopt;
    }

    // Makes a file's plugin the one of its name: its options, its tables, then itself.
    Task<std::optional<CommandResult>> take(std::shared_ptr<const PluginLibrary> library) {
        const PluginInfo& about = *library->entry().info;
        const std::string name{about.name};
        const PluginEntry* present = plugins().find(name);
        const auto before = present ? present->info->options : std::vector<OptionRef>{};
        // A key may be declared once.
        for (const auto& [other, entry] : plugins().available())
            for (const auto& option : entry->info->options)
                for (const auto& mine : about.options)
                    if (other != name && option.key() == mine.key())
                        co_return CommandResult::refusal(
                            "invalid", "The option " + std::string{mine.key()} + " of " + name +
                                           " is one of the plugin " + other + " already.");

        const auto replaced = plugins().adopt(name, library);
        const auto back = [&] { plugins().adopt(name, replaced); };
        std::optional<CommandResult> problem;
        ConfigPtr config;
        try {
            const auto read = controls->read();
            if (!read.ok())
                problem = CommandResult::refusal("invalid", read.report(), "Nothing was changed.");
            else
                config = withOptionsOf(*controls->config(), *read.config, before, about.options);
            if (!problem) {
                auto migrate = [this] {
                    server().database().migrate(plugins().migrations());
                    return true;
                };
                co_await offload(server().workers(), migrate);
            }
        } catch (const std::exception& failure) {
            problem = CommandResult::refusal("failed", failure.what(), "Nothing was changed.");
        }
        if (problem) {
            back();
            co_return problem;
        }
        const auto old = controls->config();
        controls->setConfig(config);
        auto overrides = plugins().overrides();
        problem = co_await wire(std::move(overrides));
        if (problem) {
            back();
            controls->setConfig(old);
        }
        co_return problem;
    }

    Task<std::shared_ptr<const PluginLibrary>> open(std::string name) {
        auto map = [this, name] { return plugins().open(name); };
        auto library = co_await offload(server().workers(), map);
        co_return library;
    }

    Task<CommandResult> load(CommandCall& call) {
        const std::string name = call.text("plugin");
        const std::string host = call.has("host") ? call.text("host") : std::string{};
        if (auto problem = problemWith(call)) co_return *problem;
        const auto before = plugins().overrides();
        std::shared_ptr<const PluginLibrary> library;
        if (!plugins().find(name)) {
            library = co_await open(name);
            plugins().setOverride(host, name, true);
            auto problem = co_await take(library);
            if (problem) plugins().restore(before);
            if (problem) co_return *problem;
        } else {
            plugins().setOverride(host, name, true);
            auto problem = co_await wire(before);
            if (problem) co_return *problem;
        }
        pluginLog.notice("plugin loaded",
                         {{"plugin", name}, {"host", host}, {"caller", call.caller().name}});
        co_return told(call, "The plugin " + name + " was loaded", name);
    }

    Task<CommandResult> unload(CommandCall& call) {
        const std::string name = call.text("plugin");
        const std::string host = call.has("host") ? call.text("host") : std::string{};
        if (auto problem = problemWith(call)) co_return *problem;
        if (!plugins().find(name)) co_return unknown(name);
        const auto before = plugins().overrides();
        plugins().setOverride(host, name, false);
        auto problem = co_await wire(before);
        if (problem) co_return *problem;
        pluginLog.notice("plugin unloaded",
                         {{"plugin", name}, {"host", host}, {"caller", call.caller().name}});
        co_return told(call, "The plugin " + name + " was unloaded", name);
    }

    Task<CommandResult> reload(CommandCall& call) {
        const std::string name = call.text("plugin");
        if (!plugins().find(name)) co_return unknown(name);
        if (plugins().isLinkedIn(name)) {
            auto overrides = plugins().overrides();
            auto problem = co_await wire(std::move(overrides));
            if (problem) co_return *problem;
        } else {
            const auto library = co_await open(name);
            auto problem = co_await take(library);
            if (problem) co_return *problem;
        }
        pluginLog.notice("plugin reloaded", {{"plugin", name}, {"caller", call.caller().name}});
        co_return CommandResult::message(
            "The plugin " + name +
            " was made anew from its file. What it kept of sessions that are "
            "connected now began anew.");
    }

    CommandResult told(const CommandCall& call, std::string text, const std::string& name) const {
        text += call.has("host") ? " for " + call.text("host") + "." : " for all hosts.";
        auto result = CommandResult::message(std::move(text));
        result.fact("plugin", name);
        result.fact("hosts", hostsWith(name));
        result.warn(untilReload);
        return result;
    }

    // One change at a time; what a file or its author did wrong is a refusal.
    Task<CommandResult> change(CommandCall& call,
                               Task<CommandResult> (PluginAdmin::*what)(CommandCall&)) {
        if (isBusy)
            co_return CommandResult::refusal(
                "unavailable", "Another change of plugins is under way.", "Try again in a moment.");
        isBusy = true;
        std::optional<CommandResult> result;
        std::exception_ptr failure;
        try {
            auto task = (this->*what)(call);
            auto given = co_await task;
            result = std::move(given);
        } catch (const PluginError& error) {
            result = CommandResult::refusal("invalid", error.what(), "Nothing was changed.");
        } catch (...) {
            failure = std::current_exception();
        }
        isBusy = false;
        if (failure) std::rethrow_exception(failure);
        for (const auto& problem : std::exchange(problems, {})) result->warn(problem);
        co_return std::move(*result);
    }
};

}  // namespace

ConfigPtr withOptionsOf(const Config& inForce, const Config& read,
                        const std::vector<OptionRef>& before, const std::vector<OptionRef>& after) {
    auto config = std::make_shared<Config>(inForce);
    const auto isOf = [](const std::vector<OptionRef>& options, std::string_view key) {
        return std::any_of(options.begin(), options.end(),
                           [key](const OptionRef& option) { return option.key() == key; });
    };
    const auto mix = [&](Config::Entries& entries, const Config::Entries& fresh) {
        std::erase_if(entries, [&](const auto& entry) {
            return isOf(before, entry.first) || isOf(after, entry.first);
        });
        for (const auto& [key, entry] : fresh)
            if (isOf(after, key)) entries.insert_or_assign(key, entry);
    };
    mix(config->values, read.values);
    for (const auto& [host, entries] : read.hostValues) config->hostValues[host];
    for (auto& [host, entries] : config->hostValues) {
        const auto fresh = read.hostValues.find(host);
        mix(entries, fresh == read.hostValues.end() ? Config::Entries{} : fresh->second);
    }
    auto settings = std::make_shared<Settings>();
    for (const auto& [key, entry] : config->values) settings->set({}, key, entry.value);
    for (const auto& [host, entries] : config->hostValues)
        for (const auto& [key, entry] : entries) settings->set(host, key, entry.value);
    config->settings = std::move(settings);
    return config;
}

std::vector<CommandRegistry::Registration> addPluginCommands(
    CommandRegistry& registry, std::shared_ptr<PluginControls> controls) {
    auto admin = std::make_shared<PluginAdmin>(PluginAdmin{std::move(controls)});
    const auto change = [&admin](Task<CommandResult> (PluginAdmin::*what)(CommandCall&)) {
        return [admin, what](CommandCall& call) { return admin->change(call, what); };
    };
    const Argument plugin{.name = "plugin", .help = "Its name, which is that of its file"};
    const Argument host{.name = "host",
                        .kind = ArgumentKind::Host,
                        .presence = Presence::Optional,
                        .form = Form::Option,
                        .help = "For this virtual host alone; else for all"};
    std::vector<CommandRegistry::Registration> all;
    all.push_back(
        registry.add({.name = "plugin list",
                      .summary = "Lists the plugins, where they are loaded and what they cost",
                      .details = "The time is estimated from some of the calls; of requests and "
                                 "commands it is the time until the answer.",
                      .permission = Permission::Operate,
                      .answer = [admin](CommandCall&) { return admin->list(); }}));
    all.push_back(
        registry.add({.name = "plugin info",
                      .summary = "Tells what a plugin does and needs",
                      .arguments = {plugin},
                      .permission = Permission::Operate,
                      .answer = [admin](CommandCall& call) { return admin->info(call); }}));
    all.push_back(registry.add(
        {.name = "plugin load",
         .summary = "Loads a plugin while the server runs",
         .details =
             "Also one whose file came into the folder of plugins after the start. Nobody is "
             "disconnected.",
         .arguments = {plugin, host},
         .examples = {{"plugin load weather --host capulet.example", ""}},
         .run = change(&PluginAdmin::load)}));
    all.push_back(registry.add({.name = "plugin unload",
                                .summary = "Undoes all that a plugin does, while the server runs",
                                .details = "What it has stored stays. Nobody is disconnected.",
                                .arguments = {plugin, host},
                                .run = change(&PluginAdmin::unload)}));
    all.push_back(registry.add({.name = "plugin reload",
                                .summary = "Replaces a plugin by what its file has become",
                                .details = "For a new version of it. The old one goes on when the "
                                           "new one can't be loaded. Nobody "
                                           "is disconnected.",
                                .arguments = {plugin},
                                .run = change(&PluginAdmin::reload)}));
    return all;
}

}  // namespace epode
