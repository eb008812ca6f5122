// The commands that every server has: status, metrics, log level, config, reload, stop, restart. What they
// need of the server is given as call-backs by main.
#pragma once

#include "control/command_registry.h"
#include "control/config.h"

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace epode {

struct ServerControls {
    std::string version;
    SteadyTime started;

    // The configuration in force, and the options that exist. From any thread.
    std::function<ConfigPtr()> config;
    std::function<OptionList()> options;

    // Reads the server's own file again (nothing given), or checks a text.
    std::function<ConfigResult(const std::optional<NamedText>& text)> read;

    // Puts a new configuration in force; runs on the executor of the control socket. What throws is
    // reported as a failed reload.
    std::function<Task<>(ConfigPtr config, const ConfigChanges& changes)> apply;

    // Begin the stop of the server, or its stop and start, and return at once. From any thread.
    std::function<void()> stop;
    std::function<void()> restart;

    // Adds what else there is to say in `status`; may be empty. Runs on the control thread.
    std::function<void(CommandResult& result)> addStatus;
};

// The registrations live as long as the commands shall.
std::vector<CommandRegistry::Registration> addServerCommands(
    CommandRegistry& registry, std::shared_ptr<ServerControls> controls);

// `epodectl reload`, and what SIGHUP does: reads, compares, applies, and tells what changed and
// what waits for a restart. With mistakes in the file nothing changes. The caller keeps `controls`
// alive until the task is done.
Task<CommandResult> reloadConfig(ServerControls& controls);

// All metrics in the text format of Prometheus.
std::string prometheusText();

}  // namespace epode
