// The commands that exist now, for every door to them (socket, HTTP, chat): the one way to call
// them, with the same checks of permission and arguments.
#pragma once

#include "core/command.h"
#include "core/command_result.h"
#include "core/executor.h"
#include "core/unique_function.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

namespace epode {

class Commands {
public:
    virtual ~Commands() = default;

    // All, by name. From any thread.
    virtual std::vector<CommandInfo> list() const = 0;
    // Changes with the list: tools that keep a copy compare it.
    virtual std::uint64_t generation() const = 0;

    using Done = UniqueFunction<void(CommandResult)>;

    // A call that has been started; `abandon` tells the handler that nobody waits any more.
    using CallPtr = std::shared_ptr<CommandCall>;

    // Checks and starts; `done` is called exactly once, on whatever thread the command ends on
    // (perhaps before this returns), also when the executor stops before it has run. Null when it
    // was refused. From any thread.
    virtual CallPtr call(std::string_view name, const RawArguments& arguments, Caller caller,
                         Executor& executor, Done done,
                         std::function<void(const Progress&)> progress = {}) = 0;
};

}  // namespace epode
