#include "control/component_commands.h"

#include "stream/components.h"

namespace epode {

namespace {

CommandResult list(const Components& components) {
    const auto all = components.status();
    if (all.empty()) return CommandResult::message("No components are configured.");
    auto result =
        CommandResult::table({"component", "instance", "connected since", "address",
                              "stanzas received", "stanzas sent", "bytes received", "bytes sent"});
    for (const auto& component : all) {
        if (component.instances.empty())
            result.row(
                {component.domain, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr});
        for (const auto& instance : component.instances) {
            const ComponentTraffic& traffic = *instance.traffic;
            result.row({component.domain, instance.slot + 1, instance.since, instance.address,
                        traffic.stanzasIn.load(), traffic.stanzasOut.load(),
                        Bytes{traffic.bytesIn.load()}, Bytes{traffic.bytesOut.load()}});
        }
    }
    return result;
}

}  // namespace

std::vector<CommandRegistry::Registration> addComponentCommands(CommandRegistry& registry,
                                                                Components& components) {
    std::vector<CommandRegistry::Registration> all;
    all.push_back(registry.add({
        .name = "component list",
        .summary = "Lists the external components and their connected instances",
        .details = "A component without instances is configured and not connected: what is sent to "
                   "it is refused.",
        .permission = Permission::Operate,
        .runsOn = RunsOn::ControlThread,
        .answer = [&components](CommandCall&) { return list(components); },
    }));
    return all;
}

}  // namespace epode
