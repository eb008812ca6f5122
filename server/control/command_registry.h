// The commands that exist now: who declares commands adds them here, every door calls them through
// Commands.
#pragma once

#include "core/commands.h"

#include <memory>
#include <mutex>
#include <span>

namespace epode {

class CommandRegistry final : public Commands {
    struct Entry;

public:
    // A command that has been added. Dropping it removes the command: nobody starts it any more,
    // but calls under way go on. Before the code of a handler is unloaded, `running` must have
    // become 0.
    class Registration {
    public:
        Registration() = default;
        Registration(CommandRegistry& registry, std::shared_ptr<Entry> entry)
            : registry_{&registry}, entry_{std::move(entry)} {}
        Registration(Registration&& other) noexcept
            : registry_{std::exchange(other.registry_, nullptr)}, entry_{std::move(other.entry_)} {}
        Registration& operator=(Registration&& other) noexcept;
        ~Registration() { remove(); }

        void remove();
        std::size_t running() const;

    private:
        CommandRegistry* registry_ = nullptr;
        std::shared_ptr<Entry> entry_;
    };

    // Throws std::logic_error when the declaration contradicts itself or the name is taken.
    Registration add(Command command);

    std::vector<CommandInfo> list() const override;
    std::uint64_t generation() const override;
    CallPtr call(std::string_view name, const RawArguments& arguments, Caller caller,
                 Executor& executor, Done done,
                 std::function<void(const Progress&)> progress = {}) override;

private:
    mutable std::mutex mutex_;
    std::map<std::string, std::shared_ptr<Entry>, std::less<>> entries_;
    std::uint64_t generation_ = 0;
};

// The arguments as the handler gets them, or all that is wrong with them in one refusal.
struct CheckedArguments {
    std::map<std::string, CommandCall::Value, std::less<>> values;
    std::optional<CommandError> problem;
};
CheckedArguments checkArguments(const CommandInfo& command, const RawArguments& raw);

}  // namespace epode
