// What makes a program a daemon: its command line, signals, the lock on its data folder, limits.
#pragma once

#include "control/config.h"

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

// The command line of epoded.
struct StartRequest {
    enum class What { Serve, Migrate, Check, Sample, Reference, Version, Help };
    What what = What::Serve;
    std::string configFile;     // empty: the default, which may be absent
    ConfigOverrides overrides;  // --data and --set
    bool isDryRun = false;      // of Migrate
    std::string problem;        // not empty: a usage error, exit 2
};
StartRequest parseStartRequest(const std::vector<std::string>& words);

// The options of that command line; its help and manual page are made of them.
struct StartOption {
    std::string_view name;   // without dashes
    std::string_view value;  // "FILE"; empty for a flag
    std::string_view help;   // no full stop
    char letter = 0;
};
const std::vector<StartOption>& startOptions();
std::string startHelp();

constexpr const char* defaultConfigFile = "/etc/epode/epode.toml";

// The configuration that the request names.
ConfigResult loadConfig(const StartRequest& request, const OptionList& options);

// Answers all requests but Serve and Migrate: writes to standard output, returns the exit code. Nothing: these two.
std::optional<int> answerWithoutServing(const StartRequest& request, const OptionList& options,
                                        const std::string& version);

// SIGTERM and SIGINT, SIGHUP, and the same asked for by commands. Make it before any thread is
// started: the signals are blocked in this thread and those that follow. SIGPIPE is ignored.
class Signals {
public:
    enum class Event { Stop, Reload };
    Signals();
    ~Signals();
    Signals(const Signals&) = delete;
    Signals& operator=(const Signals&) = delete;

    // Waits for the next event. May be called again after Stop: a second one means "hurry".
    Event wait();
    // The next event if there is one already.
    std::optional<Event> poll();

    // From any thread.
    void raise(Event event);

private:
    std::optional<Event> next(int timeoutMilliseconds);
    int signals_ = -1, stops_ = -1, reloads_ = -1;
};

// Holds the data folder for this process; makes the folder (0750) if it is missing. Throws
// std::runtime_error with a sentence for people when another server has it or it can't be used.
// The lock ends with the process, however that ends.
class InstanceLock {
public:
    explicit InstanceLock(const std::string& folder);
    ~InstanceLock();
    InstanceLock(InstanceLock&& other) noexcept;
    InstanceLock& operator=(InstanceLock&&) = delete;

private:
    int descriptor_ = -1;
};

// Where this program was started from. Asked at the start: an upgrade replaces the file.
std::string programPath();
// The program takes the place of this process, with the same arguments; whatever was open is closed.
// Returns only by throwing std::runtime_error.
[[noreturn]] void startAnew(const std::string& program, char** arguments);

// Raises the limit of open files to what is allowed; returns the limit that holds.
std::uint64_t raiseFileLimit();

}  // namespace epode
