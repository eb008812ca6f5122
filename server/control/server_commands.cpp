#include "control/server_commands.h"

#include "control/config_pages.h"
#include "control/nearest.h"
#include "control/notify.h"
#include "control/server_options.h"
#include "control/stop_commands.h"
#include "core/log.h"
#include "core/metric.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace epode {

namespace {

const Log log{"control"};

using Controls = std::shared_ptr<ServerControls>;

// Values of such options are for the server alone; what `config show` tells lands in bug reports.
bool isSecretKey(std::string_view key) {
    for (const std::string_view word : {"password", "secret", "token", "private_key"}) {
        if (key.find(word, key.rfind('.') + 1) != std::string_view::npos) return true;
    }
    return false;
}

// "postgresql://epode:verona@db" loses the password.
std::string withoutCredentials(std::string_view key, std::string value) {
    if (isSecretKey(key) && value != "\"\"") return "(hidden)";
    const auto scheme = value.find("://");
    if (scheme == std::string::npos) {
        // "host=db password=verona", the other form of PostgreSQL.
        const auto password = value.find("password=");
        if (password == std::string::npos) return value;
        const auto begin = password + std::string_view{"password="}.size();
        const auto end = std::min(value.find_first_of(" \"", begin), value.size());
        return value.replace(begin, end - begin, "(hidden)");
    }
    const auto at = value.find('@', scheme);
    const auto colon = value.find(':', scheme + 3);
    if (at == std::string::npos || colon == std::string::npos || colon > at) return value;
    return value.replace(colon + 1, at - colon - 1, "(hidden)");
}

Bytes residentMemory() {
    // Second number of statm: pages in memory.
    std::ifstream stream{"/proc/self/statm"};
    std::uint64_t all = 0, resident = 0;
    stream >> all >> resident;
    return {resident * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE))};
}

std::int64_t openFiles() {
    std::error_code problem;
    std::int64_t count = 0;
    for (std::filesystem::directory_iterator entry{"/proc/self/fd", problem}, end;
         !problem && entry != end; entry.increment(problem)) {
        ++count;
    }
    return std::max<std::int64_t>(0, count - 1);  // without the one that counted
}

CommandResult status(ServerControls& controls) {
    const auto config = controls.config();
    const auto up = std::chrono::floor<std::chrono::seconds>(std::chrono::steady_clock::now() -
                                                             controls.started);
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    CommandResult result;
    result.fact("version", controls.version);
    result.fact("uptime", Duration{up});
    result.fact("process", getpid());
    result.fact("configuration", config->file.empty() ? Cell{} : Cell{config->file});
    result.fact("data", dataFolder(*config->settings));
    result.fact("hosts", config->hosts);
    result.fact("shards", shardCount(*config->settings));
    result.fact("memory", residentMemory());
    result.fact("open-files", openFiles());
    result.fact("open-files-limit",
                static_cast<std::int64_t>(std::min<rlim_t>(files.rlim_cur, INT64_MAX)));
    if (controls.addStatus) controls.addStatus(result);
    return result;
}

Command statusCommand(const Controls& controls, std::shared_ptr<PlannedEnd> end) {
    return {
        .name = "status",
        .summary = "Tells how the server is",
        .permission = Permission::Watch,
        .runsOn = RunsOn::ControlThread,
        .answer =
            [controls, end](CommandCall&) {
                auto result = status(*controls);
                if (const auto next = end->next())
                    result.fact(next->kind == PlannedEnd::Kind::Stop ? "stops-in" : "restarts-in",
                                Duration{std::chrono::floor<std::chrono::seconds>(next->in)});
                return result;
            },
    };
}

CommandResult metrics(CommandCall& call) {
    if (call.flag("prometheus")) return CommandResult::message(prometheusText());
    auto result = CommandResult::table({"name", "kind", "value", "help"});
    const std::string filter = call.has("filter") ? call.text("filter") : "";
    for (const auto* metric : Metric::all()) {
        if (metric->name().find(filter) == std::string_view::npos) continue;
        result.row({metric->name(), metric->kind() == Metric::Kind::Counter ? "counter" : "gauge",
                    metric->value(), metric->help()});
    }
    return result;
}

Command metricsCommand() {
    return {
        .name = "metrics",
        .summary = "Shows the server's counters and gauges",
        .arguments = {{.name = "filter",
                       .presence = Presence::Optional,
                       .help = "Only those with this in their name."},
                      {.name = "prometheus",
                       .kind = ArgumentKind::Flag,
                       .help = "Writes the text format of Prometheus."}},
        .permission = Permission::Watch,
        .examples = {{"metrics log", "What the log counts."}},
        .runsOn = RunsOn::ControlThread,
        .answer = metrics,
    };
}

CommandResult showLevels() {
    auto result = CommandResult::table({"area", "level"});
    result.row({"(default)", toText(logLevel(""))});
    for (const auto& area : areasWithLevel()) result.row({area, toText(logLevel(area))});
    return result;
}

CommandResult setLevel(CommandCall& call) {
    if (!call.has("level")) return showLevels();
    const auto level = *parseLogLevel(call.text("level"));
    const std::string area = call.has("area") ? call.text("area") : "";
    overrideLogLevel(area, level);
    log.notice("log level set",
               {{"area", area}, {"level", toText(level)}, {"caller", call.caller().name}});
    return CommandResult::message("The log level " + (area.empty() ? "" : "of " + area + " ") +
                                  "is " + std::string{toText(level)} +
                                  " until the next reload or restart.");
}

Command logLevelCommand() {
    return {
        .name = "log level",
        .summary = "Shows or sets what is logged",
        .details =
            "A level that is set here holds until the next reload or restart; log.level and "
            "log.areas in the configuration last.",
        .arguments = {{.name = "level",
                       .kind = ArgumentKind::Choice,
                       .presence = Presence::Optional,
                       .choices = {"debug", "info", "notice", "warning", "error", "off"},
                       .help = "Lines below it are not logged; without it the levels are shown."},
                      {.name = "area",
                       .presence = Presence::Optional,
                       .help = "One area alone, as it stands in the log: stream, plugin.mam."}},
        .permission = Permission::Operate,
        .examples = {{"log level debug stream", "Everything that the streams have to say."}},
        .runsOn = RunsOn::ControlThread,
        .answer = setLevel,
    };
}

CommandResult mistakesRefusal(const ConfigResult& read, const std::string& hint) {
    return CommandResult::refusal("invalid", read.report(), hint);
}

void addChanges(CommandResult& result, const ConfigChanges& changes) {
    for (const auto& change : changes.options) {
        result.row({change.key, withoutCredentials(change.key, change.before),
                    withoutCredentials(change.key, change.after),
                    change.takes == Takes::AtReload ? "at reload" : "at restart"});
    }
    for (const auto& host : changes.hostsAdded) {
        result.row({"host.\"" + host + "\"", "", "added", "at reload"});
    }
    for (const auto& host : changes.hostsRemoved) {
        result.row({"host.\"" + host + "\"", "", "removed", "at reload"});
    }
    for (const auto& component : changes.componentsAdded)
        result.row({"component.\"" + component + "\"", "", "added", "at reload"});
    for (const auto& component : changes.componentsRemoved)
        result.row({"component.\"" + component + "\"", "", "removed", "at reload"});
}

CommandResult checkConfig(CommandCall& call, const ServerControls& controls) {
    std::optional<NamedText> text;
    if (call.has("file")) text = call.file("file");
    const auto read = controls.read(text);
    if (!read.ok()) return mistakesRefusal(read, "");
    const auto changes = compareConfigs(*controls.config(), *read.config, controls.options());
    const auto name = read.config->file.empty() ? "The configuration" : read.config->file;
    if (changes.empty()) return CommandResult::message(name + " is sound; it changes nothing.");
    auto result = CommandResult::table({"option", "before", "after", "takes-effect"});
    result.say(name + " is sound. It would change:");
    addChanges(result, changes);
    return result;
}

Command configCheckCommand(const Controls& controls) {
    return {
        .name = "config check",
        .summary = "Tells all mistakes of a configuration, and what it would change",
        .arguments = {{.name = "file",
                       .kind = ArgumentKind::File,
                       .presence = Presence::Optional,
                       .help = "The file to check; without it the server's own."}},
        .permission = Permission::Operate,
        .examples = {{"config check new.toml", ""}},
        .runsOn = RunsOn::ControlThread,
        .answer = [controls](CommandCall& call) { return checkConfig(call, *controls); },
    };
}

std::string placeText(const Config::Entry& entry) {
    if (entry.place.line == 0) return entry.place.file;
    return entry.place.file + ":" + std::to_string(entry.place.line);
}

CommandResult showConfig(CommandCall& call, const ServerControls& controls) {
    const auto config = controls.config();
    const auto options = controls.options();
    const std::string prefix = call.has("option") ? call.text("option") : "";
    auto result = CommandResult::table({"option", "value", "set-in"});
    std::vector<std::string> keys;
    const auto show = [&](const OptionRef& option, const std::string& host,
                          const Config::Entry* entry) {
        const std::string key{option.key()};
        const auto value =
            withoutCredentials(key, entry ? tomlText(entry->value) : option.fallbackToml());
        result.row({keyOf(host, key), value,
                    entry ? Cell{placeText(*entry)} : Cell{"default"}});
    };
    for (const auto& option : options) {
        const std::string key{option.key()};
        keys.push_back(key);
        if (!prefix.empty() && key != prefix && !key.starts_with(prefix + ".")) continue;
        const auto set = config->values.find(key);
        const bool isSet = set != config->values.end();
        if (isSet || call.flag("all") || !prefix.empty()) {
            show(option, "", isSet ? &set->second : nullptr);
        }
        for (const auto& [host, entries] : config->hostValues) {
            if (const auto own = entries.find(key); own != entries.end())
                show(option, host, &own->second);
        }
    }
    if (result.rows().empty() && !prefix.empty()) {
        return CommandResult::refusal(
            "not-found", "There is no option or section " + prefix + "." + didYouMean(prefix, keys),
            "epodectl config show --all lists all options.");
    }
    if (result.rows().empty()) return CommandResult::message("All options have their defaults.");
    return result;
}

Command configShowCommand(const Controls& controls) {
    return {
        .name = "config show",
        .summary = "Shows the options in force and where they were set",
        .details = "Passwords and tokens are hidden.",
        .arguments = {{.name = "option",
                       .presence = Presence::Optional,
                       .help = "One option or section alone, as log or log.level."},
                      {.name = "all",
                       .kind = ArgumentKind::Flag,
                       .help = "Also those that have their default."}},
        .permission = Permission::Operate,
        .runsOn = RunsOn::ControlThread,
        .answer = [controls](CommandCall& call) { return showConfig(call, *controls); },
    };
}

Command configSampleCommand(const Controls& controls) {
    return {
        .name = "config sample",
        .summary = "Writes a configuration with all options, explained",
        .permission = Permission::Watch,
        .examples = {{"config sample > epode.toml", ""}},
        .runsOn = RunsOn::ControlThread,
        .answer =
            [controls](CommandCall&) {
                return CommandResult::message(renderSample(controls->options()));
            },
    };
}

Command reloadCommand(const Controls& controls) {
    return {
        .name = "reload",
        .summary = "Reads the configuration again and applies what changed",
        .details =
            "With a mistake in the file nothing changes. Options that need a restart are named.",
        .permission = Permission::Operate,
        .run = [controls](CommandCall&) { return reloadConfig(*controls); },
    };
}

}  // namespace

std::vector<CommandRegistry::Registration> addServerCommands(
    CommandRegistry& registry, std::shared_ptr<ServerControls> controls) {
    const auto end = std::make_shared<PlannedEnd>(
        registry, PlannedEnd::Ways{.stop = controls->stop, .restart = controls->restart});
    std::vector<CommandRegistry::Registration> registrations;
    registrations.push_back(registry.add(statusCommand(controls, end)));
    registrations.push_back(registry.add(metricsCommand()));
    registrations.push_back(registry.add(logLevelCommand()));
    registrations.push_back(registry.add(configCheckCommand(controls)));
    registrations.push_back(registry.add(configShowCommand(controls)));
    registrations.push_back(registry.add(configSampleCommand(controls)));
    registrations.push_back(registry.add(reloadCommand(controls)));
    for (auto& one : addStopCommands(registry, end)) registrations.push_back(std::move(one));
    return registrations;
}

Task<CommandResult> reloadConfig(ServerControls& controls) {
    notifyReloading();
    const auto read = controls.read(std::nullopt);
    if (!read.ok()) {
        notifyReady("running; the last reload found mistakes in the configuration");
        for (const auto& mistake : read.mistakes) {
            log.error("configuration not reloaded", {{"mistake", mistake.text()}});
        }
        auto refused = mistakesRefusal(read, "Nothing was changed.");
        co_return refused;
    }
    const auto before = controls.config();
    const auto changes = compareConfigs(*before, *read.config, controls.options());
    std::exception_ptr failure;
    try {
        auto applied = controls.apply(read.config, changes);
        co_await applied;
        applyLogLevels(*read.config->settings);
    } catch (const std::exception& exception) {
        log.error("configuration not applied", {{"reason", std::string_view{exception.what()}}});
        failure = std::current_exception();
    }
    notifyReady("running");
    if (failure) std::rethrow_exception(failure);

    log.notice("configuration reloaded",
               {{"changes", static_cast<std::int64_t>(changes.options.size())},
                {"needing_restart", static_cast<std::int64_t>(changes.needingRestart().size())}});
    auto result = CommandResult::message("Nothing has changed.");
    if (!changes.empty()) {
        std::vector<std::string> columns{"option", "before", "after", "takes-effect"};
        result = CommandResult::table(std::move(columns));
        addChanges(result, changes);
        result.say("The configuration was reloaded.");
    }
    if (!changes.needingRestart().empty()) {
        result.warn("Some options take effect at the next restart only.");
    }
    co_return result;
}

std::string prometheusText() {
    std::string text;
    for (const auto* metric : Metric::all()) {
        const std::string name{metric->name()};
        text += "# HELP " + name + " " + std::string{metric->help()} + "\n";
        text += "# TYPE " + name +
                (metric->kind() == Metric::Kind::Counter ? " counter\n" : " gauge\n");
        text += name + " " + std::to_string(metric->value()) + "\n";
    }
    return text;
}

}  // namespace epode
