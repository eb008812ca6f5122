#include "control/stop_commands.h"

#include "core/log.h"

#include <algorithm>

namespace epode {

namespace {

const Log log{"control"};

constexpr Duration delayMax = std::chrono::hours{24 * 7};
constexpr std::string_view announceCommand = "announce online";

std::string_view verb(PlannedEnd::Kind kind) {
    return kind == PlannedEnd::Kind::Stop ? "stops" : "restarts";
}

}  // namespace

PlannedEnd::PlannedEnd(CommandRegistry& registry, Ways ways)
    : registry_{registry}, ways_{std::move(ways)} {}

std::optional<PlannedEnd::Next> PlannedEnd::next() const {
    const std::lock_guard lock{mutex_};
    if (!plan_) return std::nullopt;
    const Duration left = plan_->when - std::chrono::steady_clock::now();
    return Next{plan_->kind, std::max(left, Duration{})};
}

CommandResult PlannedEnd::takeBack() {
    const std::lock_guard lock{mutex_};
    if (!plan_) return CommandResult::refusal("not-found", "No end of the server is to come.");
    plan_.reset();
    return CommandResult::message("The server goes on.");
}

CommandResult PlannedEnd::end(Kind kind, CommandCall& call) {
    if (call.flag("cancel")) {
        log.notice("end of the server taken back", {{"caller", call.caller().name}});
        return takeBack();
    }
    const Duration delay = call.has("delay") ? call.duration("delay") : Duration{};
    if (delay < Duration{} || delay > delayMax)
        return CommandResult::refusal("invalid", "A delay is a week at most.");
    log.notice(kind == Kind::Stop ? "stop requested" : "restart requested",
               {{"caller", call.caller().name},
                {"seconds", std::chrono::duration_cast<std::chrono::seconds>(delay).count()}});
    const bool tells = call.has("announcement") && !call.text("announcement").empty();
    if (delay == Duration{} && !tells) {
        begin(kind);
        return CommandResult::message(kind == Kind::Stop ? "The server is stopping."
                                                         : "The server is restarting.");
    }
    std::uint64_t number = 0;
    {
        const std::lock_guard lock{mutex_};
        number = ++last_;
        plan_ = Plan{kind, number, std::chrono::steady_clock::now() + delay};
    }
    auto result = CommandResult::message("The server " + std::string{verb(kind)} + " in " +
                                         toText(delay) + ".");
    const auto commands = registry_.list();
    const bool canTell = std::any_of(commands.begin(), commands.end(), [](const auto& command) {
        return command.name == announceCommand;
    });
    if (tells && !canTell) result.warn("Nobody is told: the plugin announce is not loaded.");
    if (!tells || !canTell) {
        call.executor().post([self = shared_from_this(), number, executor = &call.executor()] {
            self->waitFor(number, *executor);
        });
        return result;
    }
    tell(number, call);
    return result;
}

// Who can't be told is no reason to stay.
void PlannedEnd::tell(std::uint64_t number, const CommandCall& call) {
    Executor* const executor = &call.executor();
    RawArguments arguments{{"text", call.text("announcement")}};
    auto told = [self = shared_from_this(), number, executor](CommandResult outcome) {
        if (outcome.isRefusal())
            log.warning("nobody was told of the end of the server",
                        {{"reason", outcome.error().message}});
        executor->post([self, number, executor] { self->waitFor(number, *executor); });
    };
    registry_.call(announceCommand, arguments, call.caller(), *executor, std::move(told));
}

// Of several plans the last counts.
std::optional<PlannedEnd::Plan> PlannedEnd::planned(std::uint64_t number) const {
    const std::lock_guard lock{mutex_};
    return plan_ && plan_->number == number ? plan_ : std::nullopt;
}

void PlannedEnd::waitFor(std::uint64_t number, Executor& executor) {
    const auto plan = planned(number);
    if (!plan) return;
    const Duration left = plan->when - std::chrono::steady_clock::now();
    timer_ = executor.after(std::max(left, Duration{}), [weak = weak_from_this(), number] {
        const auto self = weak.lock();
        const auto due = self ? self->planned(number) : std::nullopt;
        if (due) self->begin(due->kind);
    });
}

std::vector<CommandRegistry::Registration> addStopCommands(CommandRegistry& registry,
                                                           std::shared_ptr<PlannedEnd> end) {
    const std::vector<Argument> arguments{
        optionArgument("delay", ArgumentKind::Duration, "How long from now; without it, at once"),
        optionArgument("announcement", ArgumentKind::Text,
                       "What those who are online are told now"),
        {.name = "cancel",
         .kind = ArgumentKind::Flag,
         .help = "Takes back the stop or restart that is to come"},
    };
    const auto run = [&end](PlannedEnd::Kind kind) {
        return [end, kind](CommandCall& call) { return end->end(kind, call); };
    };
    std::vector<CommandRegistry::Registration> all;
    all.push_back(registry.add({
        .name = "stop",
        .summary = "Stops the server; clients resume when it is back",
        .arguments = arguments,
        .permission = Permission::Administer,
        .danger = Danger::Dangerous,
        .examples = {{"stop --delay 5min --announcement \"Down for an hour, from ten o'clock\"",
                      ""}},
        // The answer leaves before the stop can reach the control socket; and a shard that hangs is
        // not needed for a stop at once.
        .runsOn = RunsOn::ControlThread,
        .answer = run(PlannedEnd::Kind::Stop),
    }));
    all.push_back(registry.add({
        .name = "restart",
        .summary = "Starts the server anew, in the same process; clients resume",
        .details =
            "It takes the program that is installed by then, and all of the configuration: also "
            "options that take effect at a restart.",
        .arguments = arguments,
        .permission = Permission::Administer,
        .danger = Danger::Dangerous,
        .examples = {{"restart --delay 1min", ""}},
        .runsOn = RunsOn::ControlThread,
        .answer = run(PlannedEnd::Kind::Restart),
    }));
    return all;
}

}  // namespace epode
