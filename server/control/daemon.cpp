#include "control/daemon.h"

#include "control/config_pages.h"
#include "control/nearest.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <system_error>

namespace epode {

namespace {

std::string reason(int error) { return std::generic_category().message(error); }

[[noreturn]] void failed(const std::string& what) {
    throw std::runtime_error{what + ": " + reason(errno) + "."};
}

void writePage(const std::string& page) { std::fwrite(page.data(), 1, page.size(), stdout); }

int answerCheck(const StartRequest& request, const OptionList& options) {
    const auto result = loadConfig(request, options);
    if (!result.ok()) {
        writePage(result.report());
        return 1;
    }
    if (result.config->file.empty()) {
        writePage("No configuration file: the defaults are sound.\n");
    } else {
        writePage(result.config->file + " is sound.\n");
    }
    return 0;
}

}  // namespace

StartRequest parseStartRequest(const std::vector<std::string>& words) {
    using What = StartRequest::What;
    std::vector<std::string> known;
    for (const auto& option : startOptions()) known.push_back("--" + std::string{option.name});
    StartRequest request;
    const auto complain = [&request](const std::string& problem) {
        if (request.problem.empty()) request.problem = problem;
    };
    for (std::size_t i = 0; i < words.size(); ++i) {
        std::string name = words[i];
        std::optional<std::string> value;
        if (const auto equals = name.find('=');
            name.starts_with("--") && equals != std::string::npos) {
            value = name.substr(equals + 1);
            name.resize(equals);
        }
        if (name == "-c") name = "--config";
        if (name == "-h") name = "--help";
        if (name == "--config" || name == "--data" || name == "--set") {
            if (!value && i + 1 < words.size()) value = words[++i];
            if (!value || value->empty()) {
                complain(name + " needs a value.");
            } else if (name == "--config") {
                request.configFile = *value;
            } else if (name == "--data") {
                request.overrides.emplace_back("data", *value);
            } else if (const auto equals = value->find('=');
                       equals == std::string::npos || equals == 0) {
                complain("--set needs KEY=VALUE, not \"" + *value + "\".");
            } else {
                request.overrides.emplace_back(value->substr(0, equals), value->substr(equals + 1));
            }
            continue;
        }
        if (value) complain(name + " takes no value.");
        if (name == "--check")
            request.what = What::Check;
        else if (name == "--sample")
            request.what = What::Sample;
        else if (name == "--reference")
            request.what = What::Reference;
        else if (name == "--version")
            request.what = What::Version;
        else if (name == "--help")
            request.what = What::Help;
        else if (name == "--migrate")
            request.what = What::Migrate;
        else if (name == "--dry-run")
            request.isDryRun = true;
        else
            complain("\"" + name + "\" is unknown." + didYouMean(name, known));
    }
    if (request.isDryRun && request.what != What::Migrate) complain("--dry-run needs --migrate.");
    return request;
}

const std::vector<StartOption>& startOptions() {
    static const std::vector<StartOption> options{
        {"config", "FILE", "The configuration; by default /etc/epode/epode.toml, which may be absent",
         'c'},
        {"data", "DIR", "The data folder, whatever the configuration says"},
        {"set", "KEY=VALUE", "Sets any option, as --set log.level=debug; may be repeated"},
        {"migrate", "", "Brings the database's schema up to date and ends"},
        {"dry-run", "", "With --migrate: tells what is missing and changes nothing"},
        {"check", "", "Tells the mistakes of the configuration and ends"},
        {"sample", "", "Writes a configuration with all options, explained"},
        {"reference", "", "Writes the reference of all options (Markdown)"},
        {"version", "", "Tells the version"},
        {"help", "", "Explains these options", 'h'},
    };
    return options;
}

std::string startHelp() {
    std::string help =
        "Usage: epoded [OPTION]…\n"
        "Serves XMPP until it gets SIGTERM. SIGHUP reloads the configuration.\n\n";
    for (const auto& option : startOptions()) {
        auto line = option.letter ? std::string{"  -"} + option.letter + ", " : std::string(6, ' ');
        line += "--" + std::string{option.name};
        if (!option.value.empty()) line += " " + std::string{option.value};
        line.resize(std::max<std::size_t>(line.size() + 2, 23), ' ');
        help += line + std::string{option.help} + "\n";
    }
    return help;
}

ConfigResult loadConfig(const StartRequest& request, const OptionList& options) {
    if (request.configFile.empty()) {
        return loadConfig(defaultConfigFile, options, request.overrides, MissingFile::Empty);
    }
    return loadConfig(request.configFile, options, request.overrides, MissingFile::Refused);
}

std::optional<int> answerWithoutServing(const StartRequest& request, const OptionList& options,
                                        const std::string& version) {
    if (!request.problem.empty()) {
        std::fprintf(stderr, "epoded: %s\nepoded --help tells more.\n", request.problem.c_str());
        return 2;
    }
    switch (request.what) {
        case StartRequest::What::Serve:
        case StartRequest::What::Migrate:
            return std::nullopt;
        case StartRequest::What::Check:
            return answerCheck(request, options);
        case StartRequest::What::Sample:
            writePage(renderSample(options));
            return 0;
        case StartRequest::What::Reference:
            writePage(renderReference(options));
            return 0;
        case StartRequest::What::Version:
            writePage("epoded " + version + "\n");
            return 0;
        case StartRequest::What::Help:
            writePage(startHelp());
            return 0;
    }
    return std::nullopt;
}

Signals::Signals() {
    signal(SIGPIPE, SIG_IGN);
    sigset_t watched;
    sigemptyset(&watched);
    for (const int number : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&watched, number);
    pthread_sigmask(SIG_BLOCK, &watched, nullptr);
    signals_ = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    // Semaphores: each raise is one event.
    stops_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
    reloads_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
    if (signals_ < 0 || stops_ < 0 || reloads_ < 0) failed("Signals cannot be watched");
}

Signals::~Signals() {
    for (const int descriptor : {signals_, stops_, reloads_}) close(descriptor);
}

Signals::Event Signals::wait() {
    for (;;) {
        if (const auto event = next(-1)) return *event;
    }
}

std::optional<Signals::Event> Signals::poll() { return next(0); }

std::optional<Signals::Event> Signals::next(int timeoutMilliseconds) {
    pollfd watched[]{{stops_, POLLIN, 0}, {signals_, POLLIN, 0}, {reloads_, POLLIN, 0}};
    if (::poll(watched, 3, timeoutMilliseconds) <= 0) return std::nullopt;
    std::uint64_t one = 0;
    if (read(stops_, &one, sizeof one) == sizeof one) return Event::Stop;
    signalfd_siginfo signal{};
    if (read(signals_, &signal, sizeof signal) == sizeof signal) {
        return signal.ssi_signo == SIGHUP ? Event::Reload : Event::Stop;
    }
    if (read(reloads_, &one, sizeof one) == sizeof one) return Event::Reload;
    return std::nullopt;
}

void Signals::raise(Event event) {
    const std::uint64_t one = 1;
    // Fails only when 2^64 - 2 events wait already.
    [[maybe_unused]] const auto wrote =
        write(event == Event::Stop ? stops_ : reloads_, &one, sizeof one);
}

std::string programPath() {
    std::error_code ignored;
    return std::filesystem::read_symlink("/proc/self/exe", ignored).string();
}

void startAnew(const std::string& program, char** arguments) {
    // Nearly all is closed by itself; a library may have forgotten to ask for it.
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    execv(program.c_str(), arguments);
    failed(program + " can't be started again");
}

InstanceLock::InstanceLock(const std::string& folder) {
    std::error_code problem;
    if (std::filesystem::create_directories(folder, problem)) {
        chmod(folder.c_str(), 0750);
    }
    if (problem) {
        throw std::runtime_error{"The data folder " + folder +
                                 " cannot be made: " + problem.message() + "."};
    }
    const auto path = folder + "/epoded.lock";
    descriptor_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (descriptor_ < 0) failed("The data folder " + folder + " cannot be used");
    if (flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
        const int error = errno;
        char holder[32]{};
        const auto bytes = read(descriptor_, holder, sizeof holder - 1);
        close(descriptor_);
        if (error != EWOULDBLOCK) {
            throw std::runtime_error{"The data folder " + folder +
                                     " cannot be locked: " + reason(error) + "."};
        }
        std::string process{holder, bytes > 0 ? static_cast<std::size_t>(bytes) : 0};
        process = process.substr(0, process.find('\n'));
        throw std::runtime_error{
            "Another epoded" + (process.empty() ? "" : " (process " + process + ")") +
            " works on the data folder " + folder +
            ". Stop it with epodectl stop, or choose another folder with --data."};
    }
    const auto process = std::to_string(getpid()) + "\n";
    // The number is for people; the lock holds without it.
    if (ftruncate(descriptor_, 0) == 0) {
        [[maybe_unused]] const auto wrote = pwrite(descriptor_, process.data(), process.size(), 0);
    }
}

InstanceLock::InstanceLock(InstanceLock&& other) noexcept
    : descriptor_{std::exchange(other.descriptor_, -1)} {}

InstanceLock::~InstanceLock() {
    if (descriptor_ >= 0) close(descriptor_);
}

std::uint64_t raiseFileLimit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    const rlimit before = limit;
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : before.rlim_cur;
}

}  // namespace epode
