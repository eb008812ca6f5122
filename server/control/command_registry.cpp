#include "control/command_registry.h"

#include "control/nearest.h"
#include "core/log.h"
#include "store/database.h"

#include <algorithm>
#include <set>
#include <stdexcept>

namespace epode {

namespace {

const Log log{"control"};

// "user" would hide whether "user add" is a command or an argument.
bool areAmbiguous(std::string_view one, std::string_view other) {
    const auto& [shorter, longer] =
        std::minmax(one, other, [](auto a, auto b) { return a.size() < b.size(); });
    return longer.substr(0, shorter.size()) == shorter &&
           (longer.size() == shorter.size() || longer[shorter.size()] == ' ');
}

bool isName(std::string_view name, bool mayHaveSpaces) {
    if (name.empty() || name.front() == ' ' || name.back() == ' ' || name.front() == '-')
        return false;
    return std::all_of(name.begin(), name.end(), [&](char letter) {
        return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') ||
               letter == '-' || (mayHaveSpaces && letter == ' ');
    });
}

void checkDeclaration(const Command& command) {
    const auto wrong = [&command](const std::string& what) {
        throw std::logic_error{"command \"" + command.name + "\": " + what};
    };
    if (!isName(command.name, true) || command.name.find("  ") != std::string::npos) {
        wrong("a name is words of a to z, 0 to 9 and -, separated by one space");
    }
    if (command.summary.empty()) wrong("the summary is missing");
    if (bool(command.run) == bool(command.answer)) wrong("exactly one of run and answer is needed");
    std::set<std::string> names{"help",   "json",    "quiet",   "yes",
                                "socket", "timeout", "version", "verbose"};
    bool wordsEnd = false, optionalBefore = false;
    for (const auto& argument : command.arguments) {
        if (!isName(argument.name, false)) wrong("bad name of an argument: " + argument.name);
        if (!names.insert(argument.name).second)
            wrong("argument twice or reserved: " + argument.name);
        if ((argument.kind == ArgumentKind::Choice) == argument.choices.empty()) {
            wrong("choices belong to a Choice: " + argument.name);
        }
        if (argument.repeats == Repeats::Yes &&
            (argument.kind == ArgumentKind::File || argument.kind == ArgumentKind::Secret ||
             argument.kind == ArgumentKind::Flag)) {
            wrong("a file, secret or flag cannot be repeated: " + argument.name);
        }
        if (argument.isOption()) continue;
        if (wordsEnd) wrong("only the last word may be repeatable");
        if (optionalBefore && argument.isRequired()) wrong("a required word after an optional one");
        wordsEnd = argument.repeats == Repeats::Yes;
        optionalBefore = !argument.isRequired();
    }
}

}  // namespace

// `running` counts the calls that may still execute the command's code; it is raised under the
// registry's lock, so that none begins after the removal.
struct CommandRegistry::Entry {
    std::shared_ptr<const Command> command;
    std::atomic<std::size_t> running{0};
};

namespace {

template <typename Entry>
struct Running {
    explicit Running(std::shared_ptr<Entry> runningEntry)
        : entry{std::move(runningEntry)}, command{entry->command} {}
    ~Running() {
        if (done) {
            done(CommandResult::refusal("unavailable", "The server is stopping.",
                                        "Try again when it has started."));
        }
        // The command's code must be out of use before the count says so.
        call.reset();
        command.reset();
        entry->running.fetch_sub(1, std::memory_order_release);
    }
    void finish(CommandResult result) {
        if (done) std::exchange(done, {})(std::move(result));
    }

    std::shared_ptr<Entry> entry;
    std::shared_ptr<const Command> command;
    std::shared_ptr<CommandCall> call;
    CommandRegistry::Done done;
};

CommandResult failure(const Command& command, const std::exception_ptr& thrown) {
    std::string code = "failed", text = "unknown failure";
    try {
        std::rethrow_exception(thrown);
    } catch (const StoreUnavailable& unavailable) {
        code = "unavailable";
        text = unavailable.what();
    } catch (const std::exception& exception) {
        text = exception.what();
    } catch (...) {  // A handler may throw anything; its caller is answered all the same.
    }
    log.warning("command failed", {{"command", command.name}, {"reason", text}});
    return CommandResult::refusal(code, text);
}

// The handler's frame ends within this one, which keeps the command alive until it has.
template <typename Entry>
Task<CommandResult> guarded(std::shared_ptr<Running<Entry>> running) {
    auto task = running->command->run(*running->call);
    auto result = co_await task;
    co_return result;
}

template <typename Entry>
void begin(std::shared_ptr<Running<Entry>> running) {
    if (running->command->answer) {
        try {
            running->finish(running->command->answer(*running->call));
        } catch (...) {
            running->finish(failure(*running->command, std::current_exception()));
        }
        return;
    }
    auto task = guarded(running);
    start(std::move(task), [running = std::move(running)](std::optional<CommandResult> result,
                                                          std::exception_ptr thrown) {
        running->finish(thrown ? failure(*running->command, thrown) : std::move(*result));
    });
}

}  // namespace

CommandRegistry::Registration& CommandRegistry::Registration::operator=(
    Registration&& other) noexcept {
    if (this != &other) {
        remove();
        registry_ = std::exchange(other.registry_, nullptr);
        entry_ = std::move(other.entry_);
    }
    return *this;
}

void CommandRegistry::Registration::remove() {
    if (!registry_) return;
    auto& registry = *std::exchange(registry_, nullptr);
    const std::lock_guard lock{registry.mutex_};
    registry.entries_.erase(entry_->command->name);
    ++registry.generation_;
}

std::size_t CommandRegistry::Registration::running() const {
    return entry_ ? entry_->running.load(std::memory_order_acquire) : 0;
}

CommandRegistry::Registration CommandRegistry::add(Command command) {
    checkDeclaration(command);
    auto entry = std::make_shared<Entry>();
    entry->command = std::make_shared<const Command>(std::move(command));
    const std::lock_guard lock{mutex_};
    for (const auto& [name, other] : entries_) {
        if (areAmbiguous(name, entry->command->name)) {
            throw std::logic_error{"command \"" + entry->command->name +
                                   "\": cannot stand beside \"" + name + "\""};
        }
    }
    entries_.emplace(entry->command->name, entry);
    ++generation_;
    return Registration{*this, std::move(entry)};
}

std::vector<CommandInfo> CommandRegistry::list() const {
    const std::lock_guard lock{mutex_};
    std::vector<CommandInfo> all;
    all.reserve(entries_.size());
    for (const auto& [name, entry] : entries_) all.push_back(entry->command->info());
    return all;
}

std::uint64_t CommandRegistry::generation() const {
    const std::lock_guard lock{mutex_};
    return generation_;
}

CommandRegistry::CallPtr CommandRegistry::call(std::string_view name, const RawArguments& arguments,
                                               Caller caller, Executor& executor, Done done,
                                               std::function<void(const Progress&)> progress) {
    std::shared_ptr<Running<Entry>> running;
    std::vector<std::string> names;
    {
        const std::lock_guard lock{mutex_};
        if (const auto found = entries_.find(name); found != entries_.end()) {
            found->second->running.fetch_add(1, std::memory_order_relaxed);
            running = std::make_shared<Running<Entry>>(found->second);
        } else {
            for (const auto& [known, entry] : entries_) names.push_back(known);
        }
    }
    if (!running) {
        done(CommandResult::refusal("unknown-command",
                                    "There is no command \"" + std::string{name.substr(0, 100)} +
                                        "\"." + didYouMean(name, names),
                                    "epodectl help lists all commands."));
        return nullptr;
    }
    running->done = std::move(done);

    const Command& command = *running->command;
    if (caller.permission < command.permission) {
        log.notice("command refused", {{"command", command.name}, {"caller", caller.name}});
        running->finish(
            CommandResult::refusal("forbidden", caller.name + " may not use " + command.name +
                                                    ", which needs the permission to " +
                                                    std::string{toText(command.permission)} + "."));
        return nullptr;
    }
    auto checked = checkArguments(command.info(), arguments);
    if (checked.problem) {
        auto& problem = *checked.problem;
        running->finish(CommandResult::refusal(problem.code, problem.message, problem.hint));
        return nullptr;
    }
    if (command.permission != Permission::Watch) {
        log.info("command",
                 {{"command", command.name}, {"caller", caller.name}, {"door", caller.door}});
    }

    auto call = std::make_shared<CommandCall>(std::move(caller), std::move(checked.values),
                                              executor, std::move(progress));
    running->call = call;
    if (command.runsOn == RunsOn::ControlThread) {
        begin(std::move(running));
    } else {
        executor.post([running = std::move(running)]() mutable { begin(std::move(running)); });
    }
    return call;
}

}  // namespace epode
