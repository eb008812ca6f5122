// Commands, declared once; the control socket, the admin tool, its help, completion and manual page
// are made from the declarations:
//
//     const Command kick{
//         .name = "session kick",
//         .summary = "Closes every stream of an account",
//         .arguments = {{.name = "address", .kind = ArgumentKind::Jid, .help = "Whose streams."}},
//         .run = kickAccount,  // Task<CommandResult> kickAccount(CommandCall& call)
//     };
#pragma once

#include "core/command_result.h"
#include "core/executor.h"
#include "core/jid.h"
#include "core/task.h"

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace epode {

// What an argument may be. `File` is a file of the one who calls: its name and text are sent.
// `Secret` is never a word of the command line: the tool asks for it, or reads it from a file.
enum class ArgumentKind { Text, Jid, Host, Secret, Integer, Size, Duration, Choice, Flag, File };
std::string_view toText(ArgumentKind kind);  // "address", "whole number", …

enum class Presence { Required, Optional };
enum class Repeats { No, Yes };

// How it is written: as a bare word in the order of declaration, or as `--name VALUE`. Flags and
// secrets are always options.
enum class Form { Word, Option };

struct Argument {
    std::string name;  // "address"; also the name in JSON
    ArgumentKind kind = ArgumentKind::Text;
    Presence presence = Presence::Required;
    Form form = Form::Word;
    Repeats repeats = Repeats::No;       // only the last word may
    std::vector<std::string> choices{};  // of a Choice
    std::int64_t least = 0;              // of an Integer
    std::int64_t most = INT64_MAX;
    std::string help;

    bool isOption() const {
        return form == Form::Option || kind == ArgumentKind::Flag || kind == ArgumentKind::Secret;
    }
    bool isRequired() const { return presence == Presence::Required && kind != ArgumentKind::Flag; }
};

// `--name VALUE`, which may be left out.
Argument optionArgument(std::string name, ArgumentKind kind, std::string help);

// What a caller must be allowed to do; each level includes those before it.
enum class Permission { Watch, Operate, Administer };
std::string_view toText(Permission permission);

// The tool asks before it sends a dangerous command, or wants --yes.
enum class Danger { None, Dangerous };

// Where the handler starts: on the executor of the registry's user (a shard), or at once on the
// thread of the control socket, for what must be answered though a shard hangs and blocks nobody.
enum class RunsOn { Executor, ControlThread };

struct Example {
    std::string line;  // "session kick juliet@capulet.example"
    std::string help;
};

// A command without its handler: all that tools need to know of it.
struct CommandInfo {
    std::string name;  // words separated by one space; two commands never begin alike ("user" and
                       // "user add" exclude each other)
    std::string summary;  // one line, without a full stop
    std::string details;  // further paragraphs, may be empty
    std::vector<Argument> arguments;
    Permission permission = Permission::Administer;
    Danger danger = Danger::None;
    std::vector<Example> examples;
    std::string plugin{};  // whose command it is; empty for the server's own
};

// Who calls, and through which door.
struct Caller {
    std::string name;  // "root", "uid 1000"
    Permission permission = Permission::Watch;
    std::string door;  // "socket"
};

// How far a long command is. `total` is 0 while unknown.
struct Progress {
    std::string text;
    std::int64_t done = 0;
    std::int64_t total = 0;
};

// One value as it came through a door, before it is checked: a text, a number, a flag, several
// texts.
using RawArgument = std::variant<bool, std::int64_t, std::string, std::vector<std::string>>;
using RawArguments = std::map<std::string, RawArgument, std::less<>>;

// A file of the caller.
struct NamedText {
    std::string name;  // to tell in messages; empty when the door gave none
    std::string text;
};

// A call under way: its arguments, checked and typed. It lives until the handler's task is done, as
// does the Command, so a handler may keep references to both across its waits.
class CommandCall {
public:
    using Value = std::variant<bool, std::int64_t, Bytes, Duration, Jid, std::string, NamedText,
                               std::vector<std::string>, std::vector<Jid>>;

    CommandCall(Caller caller, std::map<std::string, Value, std::less<>> values, Executor& executor,
                std::function<void(const Progress&)> onProgress = {})
        : caller_{std::move(caller)},
          values_{std::move(values)},
          executor_{executor},
          onProgress_{std::move(onProgress)} {}

    const Caller& caller() const { return caller_; }
    // The executor that the handler was started for.
    Executor& executor() const { return executor_; }

    bool has(std::string_view name) const { return values_.find(name) != values_.end(); }
    // A required argument, or one that `has` was asked for. Text, Secret, Host and Choice are
    // texts.
    const std::string& text(std::string_view name) const { return get<std::string>(name); }
    const Jid& jid(std::string_view name) const { return get<Jid>(name); }
    const NamedText& file(std::string_view name) const { return get<NamedText>(name); }
    std::int64_t integer(std::string_view name) const { return get<std::int64_t>(name); }
    Bytes size(std::string_view name) const { return get<Bytes>(name); }
    Duration duration(std::string_view name) const { return get<Duration>(name); }
    // False as well when it was not given.
    bool flag(std::string_view name) const { return has(name) && get<bool>(name); }
    // Of repeatable ones; empty when there were none.
    const std::vector<std::string>& texts(std::string_view name) const;
    const std::vector<Jid>& jids(std::string_view name) const;

    // Tells the caller how far it is. From any thread.
    void progress(const Progress& progress) const {
        if (onProgress_) onProgress_(progress);
    }
    // The caller has gone: nobody reads the result. Long commands look here now and then.
    bool isAbandoned() const { return abandoned_.load(std::memory_order_relaxed); }
    void abandon() { abandoned_.store(true, std::memory_order_relaxed); }

private:
    template <typename T>
    const T& get(std::string_view name) const;

    Caller caller_;
    std::map<std::string, Value, std::less<>> values_;
    Executor& executor_;
    std::function<void(const Progress&)> onProgress_;
    std::atomic<bool> abandoned_{false};
};

// With its handler: exactly one of `run` and `answer` is set. A refusal is a returned
// CommandResult::refusal, a failure an exception, whose text the caller reads.
struct Command {
    std::string name;
    std::string summary;
    std::string details{};
    std::vector<Argument> arguments{};
    Permission permission = Permission::Administer;
    Danger danger = Danger::None;
    std::vector<Example> examples{};
    RunsOn runsOn = RunsOn::Executor;

    std::function<Task<CommandResult>(CommandCall&)> run{};
    std::function<CommandResult(CommandCall&)> answer{};
    std::string plugin{};  // set by who loads the plugin

    CommandInfo info() const {
        return {name, summary, details, arguments, permission, danger, examples, plugin};
    }
};

}  // namespace epode
