// `stop` and `restart`: at once, or after a while and with a word to those who are online.
#pragma once

#include "control/command_registry.h"

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace epode {

// The end of the server that is to come. Thread-safe.
class PlannedEnd : public std::enable_shared_from_this<PlannedEnd> {
public:
    enum class Kind : std::uint8_t { Stop, Restart };
    // These begin the end and return at once; on the control thread or a shard.
    struct Ways {
        std::function<void()> stop;
        std::function<void()> restart;
    };
    PlannedEnd(CommandRegistry& registry, Ways ways);

    // What the commands do: see their declarations.
    CommandResult end(Kind kind, CommandCall& call);
    struct Next {
        Kind kind;
        Duration in;
    };
    std::optional<Next> next() const;

private:
    struct Plan {
        Kind kind;
        std::uint64_t number;
        SteadyTime when;
    };
    CommandResult takeBack();
    void tell(std::uint64_t number, const CommandCall& call);
    void waitFor(std::uint64_t number, Executor& executor);
    void begin(Kind kind) const { kind == Kind::Stop ? ways_.stop() : ways_.restart(); }
    std::optional<Plan> planned(std::uint64_t number) const;

    CommandRegistry& registry_;
    const Ways ways_;
    mutable std::mutex mutex_;
    std::optional<Plan> plan_;
    std::uint64_t last_ = 0;
    Timer timer_;  // of the executor that commands are given
};

std::vector<CommandRegistry::Registration> addStopCommands(CommandRegistry& registry,
                                                           std::shared_ptr<PlannedEnd> end);

}  // namespace epode
