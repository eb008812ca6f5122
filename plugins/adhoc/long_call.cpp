#include "long_call.h"

#include "route/server.h"
#include "route/shard.h"

namespace epode::adhoc {

LongCall::LongCall(Server& server, CommandInfo command, const RawArguments& arguments,
                   const Jid& caller, Permission permission)
    : command_{std::move(command)}, state_{std::make_shared<State>()} {
    Commands* const commands = server.commands();
    if (!commands) {
        state_->result = CommandResult::refusal("unavailable", "This server has no commands.");
        return;
    }
    auto done = [state = state_](CommandResult result) {
        {
            const std::lock_guard lock{state->mutex};
            state->result = std::move(result);
        }
        resolve(*state, true);
    };
    auto tell = [state = state_](const Progress& progress) {
        const std::lock_guard lock{state->mutex};
        state->progress = progress;
    };
    Caller asking{.name = caller.text(), .permission = permission, .door = "xmpp"};
    call_ = commands->call(command_.name, arguments, std::move(asking), server.shard(0).executor(),
                           std::move(done), std::move(tell));
}

LongCall::~LongCall() {
    if (call_) call_->abandon();
}

// On any thread; who waits goes on in its own.
void LongCall::resolve(State& state, bool isDone) {
    std::shared_ptr<Waiter> waiter;
    {
        const std::lock_guard lock{state.mutex};
        waiter = std::exchange(state.waiter, nullptr);
    }
    if (!waiter) return;
    waiter->executor.post([waiter, isDone] {
        waiter->timer = {};
        waiter->resolve(isDone);
    });
}

Task<bool> LongCall::isDoneWithin(Duration patience) {
    Executor* const executor = Executor::current();
    const auto state = state_;
    UniqueFunction<void(UniqueFunction<void(bool)>)> begin =
        [executor, state, patience](UniqueFunction<void(bool)> resolve) {
            const auto waiter = std::make_shared<Waiter>(Waiter{*executor, std::move(resolve)});
            waiter->timer =
                executor->after(patience, [state] { LongCall::resolve(*state, false); });
            bool isDone = false;
            {
                const std::lock_guard lock{state->mutex};
                state->waiter = waiter;
                isDone = state->result.has_value();
            }
            if (isDone) LongCall::resolve(*state, true);
        };
    Callback<bool> answered(std::move(begin));
    const bool isDone = co_await answered;
    co_return isDone;
}

CommandResult LongCall::takeResult() {
    const std::lock_guard lock{state_->mutex};
    return std::move(state_->result.value());
}

std::optional<Progress> LongCall::progress() const {
    const std::lock_guard lock{state_->mutex};
    return state_->progress;
}

std::string toText(const Progress& progress) {
    std::string text = progress.text + ": " + std::to_string(progress.done);
    if (progress.total > 0)
        text += " of " + std::to_string(progress.total) + " (" +
                std::to_string(progress.done * 100 / progress.total) + " %)";
    return text;
}

}  // namespace epode::adhoc
