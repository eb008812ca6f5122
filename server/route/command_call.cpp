#include "route/command_call.h"

#include "core/commands.h"
#include "route/server.h"
#include "route/shard.h"

namespace epode {

Task<CommandResult> callCommand(Server& server, std::string_view name, RawArguments arguments,
                                Caller caller) {
    Commands* const commands = server.commands();
    if (!commands) co_return CommandResult::refusal("unavailable", "This server has no commands.");
    Executor* const back = Executor::current();
    using Resolve = Callback<CommandResult>::Resolve;
    UniqueFunction<void(Resolve)> begin = [&, back](Resolve resolve) {
        auto shared = std::make_shared<Resolve>(std::move(resolve));
        auto done = [back, shared](CommandResult result) {
            back->post(
                [shared, result = std::move(result)]() mutable { (*shared)(std::move(result)); });
        };
        commands->call(name, arguments, std::move(caller), server.shard(0).executor(),
                       std::move(done));
    };
    Callback<CommandResult> answered(std::move(begin));
    auto result = co_await answered;
    co_return result;
}

}  // namespace epode
