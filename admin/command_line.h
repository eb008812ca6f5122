// The command line, without any effect: options of the tool itself, then a command of the server's
// list with its arguments.
#pragma once

#include "core/command.h"
#include "core/time.h"

#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace epode::admin {

// Wrong usage: exit code 2.
class UsageError : public std::runtime_error {
public:
    explicit UsageError(const std::string& message, std::string hint = {})
        : std::runtime_error{message}, hint_{std::move(hint)} {}
    const std::string& hint() const { return hint_; }

private:
    std::string hint_;
};

struct ToolOptions {
    std::string socket;
    bool json = false;
    bool quiet = false;
    bool yes = false;
    bool help = false;
    bool version = false;
    Duration timeout = std::chrono::seconds{60};  // since the last sign of life; 0: forever
};

// Takes the tool's own options out of the words; what follows `--` is left alone. Throws
// UsageError.
ToolOptions takeToolOptions(std::vector<std::string>& words);

// How many of the first words name a command of the list; null when none does.
const CommandInfo* findCommand(const std::vector<CommandInfo>& commands,
                               const std::vector<std::string>& words);

// Names that begin with the words: "add", "list" after "user".
std::vector<CommandInfo> commandsBelow(const std::vector<CommandInfo>& commands,
                                       const std::vector<std::string>& words);

// Says what is wrong with words that name no command.
UsageError unknownCommand(const std::vector<CommandInfo>& commands,
                          const std::vector<std::string>& words);

// A secret is not on the command line; here is where it comes from.
struct SecretSource {
    enum class Kind { Prompt, File, StandardInput };
    Kind kind = Kind::Prompt;
    std::string path;
};

struct Invocation {
    RawArguments arguments;                       // File: the path alone, until it is read
    std::map<std::string, SecretSource> secrets;  // by argument
};

// `words` are those after the command's name. Throws UsageError, naming all that is wrong.
Invocation parseInvocation(const CommandInfo& command, const std::vector<std::string>& words);

std::size_t wordCount(const std::string& name);

}  // namespace epode::admin
