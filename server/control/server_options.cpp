#include "control/server_options.h"

#include <algorithm>
#include <mutex>
#include <set>
#include <thread>

namespace epode {

namespace options {

const Option<std::int64_t> shards{
    .key = "shards",
    .fallback = 0,
    .range = {0, 256},
    .help = "How many event loops (threads) carry the accounts. 0: one for each core, at most 8.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};

const Option<std::string> logLevel{
    .key = "log.level",
    .fallback = "info",
    .choices = {"debug", "info", "notice", "warning", "error", "off"},
    .help = "Lines below this level are not logged.",
    .scope = Scope::Server,
};

const Option<std::vector<std::string>> logAreas{
    .key = "log.areas",
    .fallback = {},
    .help = "Other levels for single areas, like [\"stream=debug\", \"plugin.mam=warning\"].",
    .scope = Scope::Server,
};

const Option<std::string> logFormat{
    .key = "log.format",
    .fallback = "text",
    .choices = {"text", "json"},
    .help = "Lines for people, or one JSON object a line for programs.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};

const Option<std::string> logTarget{
    .key = "log.target",
    .fallback = "stdout",
    .help =
        "Where the log goes: stdout, stderr, journald (standard output with the priorities of "
        "the journal, which is also recognised by itself), or the path of a file. A file is "
        "opened anew at a reload, for log rotation.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};

const Option<std::string> controlSocket{
    .key = "control.socket",
    .fallback = "",
    .help =
        "The UNIX socket for epodectl. Empty: control.sock in the run-time folder that systemd "
        "gives, else in the data folder.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};

const Option<std::vector<std::string>> controlAllow{
    .key = "control.allow",
    .fallback = {},
    .help =
        "Who may control the server besides root and the user that it runs as: names of users, "
        "and of groups with an @ before them, like [\"nurse\", \"@staff\"].",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};

}  // namespace options

namespace {

// The log knows the levels but doesn't list its areas.
struct OwnLevels {
    std::mutex mutex;
    std::set<std::string> areas;
};
OwnLevels& ownLevels() {
    static OwnLevels levels;
    return levels;
}

}  // namespace

OptionList serverOptions() {
    return {&options::data,          &options::shards,      &options::logLevel,
            &options::logAreas,      &options::logFormat,   &options::logTarget,
            &options::controlSocket, &options::controlAllow};
}

std::string controlSocketPath(const Settings& settings) {
    const auto& configured = settings.get(options::controlSocket);
    if (!configured.empty()) return configured;
    const auto given = folderFromEnvironment("RUNTIME_DIRECTORY");
    return (given.empty() ? dataFolder(settings) : given) + "/control.sock";
}

int shardCount(const Settings& settings) {
    const auto configured = settings.get(options::shards);
    if (configured > 0) return static_cast<int>(configured);
    constexpr unsigned most = 8;
    return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1u, most));
}

std::optional<LogLevel> parseLogLevel(std::string_view text) {
    for (const auto level : {LogLevel::Debug, LogLevel::Info, LogLevel::Notice, LogLevel::Warning,
                             LogLevel::Error, LogLevel::Off}) {
        if (text == toText(level)) return level;
    }
    return std::nullopt;
}

std::vector<std::string> applyLogLevels(const Settings& settings) {
    const auto general = parseLogLevel(settings.get(options::logLevel)).value_or(LogLevel::Info);
    {
        const std::lock_guard lock{ownLevels().mutex};
        for (const auto& area : ownLevels().areas) setLogLevel(area, general);
        ownLevels().areas.clear();
    }
    setLogLevel("", general);
    std::vector<std::string> problems;
    for (const auto& text : settings.get(options::logAreas)) {
        const auto equals = text.find('=');
        const auto level = equals == std::string::npos
                               ? std::nullopt
                               : parseLogLevel(std::string_view{text}.substr(equals + 1));
        if (!level || equals == 0) {
            problems.push_back("log.areas holds \"" + text +
                               "\"; expected an area and a level, like \"stream=debug\".");
            continue;
        }
        overrideLogLevel(text.substr(0, equals), *level);
    }
    return problems;
}

void overrideLogLevel(const std::string& area, LogLevel level) {
    setLogLevel(area, level);
    if (area.empty()) return;
    const std::lock_guard lock{ownLevels().mutex};
    ownLevels().areas.insert(area);
}

std::vector<std::string> areasWithLevel() {
    const std::lock_guard lock{ownLevels().mutex};
    return {ownLevels().areas.begin(), ownLevels().areas.end()};
}

}  // namespace epode
