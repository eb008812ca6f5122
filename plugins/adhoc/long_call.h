// A declared command that somebody in a client has called, and that may take longer than a client
// waits for an answer: it goes on while the client asks now and then how far it is.
#pragma once

#include "core/command.h"
#include "core/command_result.h"
#include "core/commands.h"
#include "core/executor.h"
#include "core/task.h"
#include "core/unique_function.h"

#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

namespace epode {

class Server;

namespace adhoc {

class LongCall {
public:
    LongCall(Server& server, CommandInfo command, const RawArguments& arguments, const Jid& caller,
             Permission permission);
    // The command is told that nobody waits for it.
    ~LongCall();
    LongCall(const LongCall&) = delete;
    LongCall& operator=(const LongCall&) = delete;

    const CommandInfo& command() const { return command_; }
    // Whether it is done, now or before `patience` has passed. Awaited by one at a time; resumes on
    // the executor that awaits.
    Task<bool> isDoneWithin(Duration patience);
    // When it is done; once.
    CommandResult takeResult();
    // The last that the command has told.
    std::optional<Progress> progress() const;

private:
    struct Waiter {
        Executor& executor;
        UniqueFunction<void(bool)> resolve;
        Timer timer{};
    };
    // Outlives this when the command does. A waiter is taken out by whoever resolves it: the end of
    // the command or the timer.
    struct State {
        std::mutex mutex;
        std::optional<CommandResult> result;
        std::optional<Progress> progress;
        std::shared_ptr<Waiter> waiter;
    };
    static void resolve(State& state, bool isDone);

    const CommandInfo command_;
    const std::shared_ptr<State> state_;
    Commands::CallPtr call_;
};

// "tables: 3 of 12 (25 %)".
std::string toText(const Progress& progress);

}  // namespace adhoc
}  // namespace epode
