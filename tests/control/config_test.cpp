#include "control/config.h"

#include "control/config_pages.h"
#include "control/server_options.h"
#include "tests/control/support/temporary_folder.h"
#include "tests/support/catch.h"

using namespace epode;

namespace {

const Option<Bytes> fragmentBytesMax{
    .key = "private_storage.fragment_bytes_max",
    .fallback = 64_KiB,
    .range = {1_KiB, 1_MiB},
    .help = "The largest fragment an account may keep; a larger one is refused.",
};
const Option<Duration> loginTime{
    .key = "limits.login.time",
    .fallback = std::chrono::seconds{30},
    .range = {std::chrono::seconds{1}, std::chrono::hours{1}},
    .help = "How long a stream may take to log in.",
};
const Option<bool> registration{
    .key = "registration.open",
    .fallback = false,
    .help = "Whether anybody may make an account | in-band.",
};
const Option<std::int64_t> connectionsMax{
    .key = "limits.connections_max",
    .fallback = 50,
    .range = {1, 1000},
    .help = "Connections from one address.",
};
const Option<std::vector<std::string>> listen{
    .key = "c2s.listen",
    .fallback = {"0.0.0.0:5222", "[::]:5222"},
    .help = "Where clients are awaited.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};

OptionList allOptions() {
    auto all = serverOptions();
    all.insert(all.end(), {&fragmentBytesMax, &loginTime, &registration, &connectionsMax, &listen});
    return all;
}

ConfigResult read(const std::string& text, const ConfigOverrides& overrides = {}) {
    static const auto options = allOptions();
    return readConfig(text, "epode.toml", options, overrides);
}

std::string reportOf(const std::string& text) {
    auto report = read(text).report();
    return report.substr(0, report.rfind('\n', report.size() - 2) + 1);  // without the count
}

}  // namespace

TEST_CASE("without any text all options have their defaults and localhost is served") {
    const auto result = read("");
    REQUIRE(result.ok());
    CHECK(result.config->settings->get(fragmentBytesMax) == 64_KiB);
    CHECK(result.config->hosts == std::vector<std::string>{"localhost"});
    CHECK(result.report().empty());
}

TEST_CASE("values of every type are read, and a host's own value goes before the server's") {
    const auto result = read(R"(
shards = 3
registration.open = true
[log]
level = "debug"
areas = ["stream=info"]
[limits]
connections_max = 7
login = { time = "5 s" }
[private_storage]
fragment_bytes_max = "16 KiB"
[host."Verona.example"]
[host."capulet.example"]
private_storage.fragment_bytes_max = 2048
)");
    INFO(result.report());
    REQUIRE(result.ok());
    const auto& settings = *result.config->settings;
    CHECK(settings.get(options::shards) == 3);
    CHECK(settings.get(registration));
    CHECK(settings.get(options::logLevel) == "debug");
    CHECK(settings.get(options::logAreas) == std::vector<std::string>{"stream=info"});
    CHECK(settings.get(connectionsMax) == 7);
    CHECK(settings.get(loginTime) == std::chrono::seconds{5});
    CHECK(settings.get(fragmentBytesMax) == 16_KiB);
    CHECK(settings.get(fragmentBytesMax, "verona.example") == 16_KiB);
    CHECK(settings.get(fragmentBytesMax, "capulet.example") == 2_KiB);
    // In the order of the file, and prepared.
    CHECK(result.config->hosts == std::vector<std::string>{"verona.example", "capulet.example"});
    CHECK(result.config->values.at("shards").place.line == 2);
}

TEST_CASE("each mistake is told with its place, what was found and what was expected") {
    struct Row {
        const char* text;
        const char* report;
    };
    const auto row = GENERATE(values<Row>({
        {"[log]\nlevl = \"info\"\n",
         "epode.toml:2:1: There is no option log.levl. Did you mean log.level?\n"},
        {"level = \"info\"\n",
         "epode.toml:1:1: There is no option level. Did you mean log.level?\n"},
        {"zebra = 1\n", "epode.toml:1:1: There is no option zebra.\n"},
        {"[privat_storage]\nfragment_bytes_max = 1\n",
         "epode.toml:1:2: There is no section privat_storage. Did you mean private_storage?\n"},
        {"[log]\nlevel = \"inof\"\n",
         "epode.toml:2:9: log.level is \"inof\"; expected \"debug\", \"info\", \"notice\", "
         "\"warning\", \"error\" or \"off\". Did you mean info?\n"},
        {"[log]\nlevel = 3\n",
         "epode.toml:2:9: log.level is 3; expected a text in quotation marks.\n"},
        {"shards = \"four\"\n",
         "epode.toml:1:10: shards is \"four\"; expected a whole number (0 to 256).\n"},
        {"shards = 257\n", "epode.toml:1:10: shards is 257; expected 0 to 256.\n"},
        {"shards = 1.5\n", "epode.toml:1:10: shards is 1.5; expected a whole number (0 to 256).\n"},
        {"shards = true\n",
         "epode.toml:1:10: shards is true; expected a whole number (0 to 256).\n"},
        {"[private_storage]\nfragment_bytes_max = \"2 MiB\"\n",
         "epode.toml:2:22: private_storage.fragment_bytes_max is \"2 MiB\"; expected 1 KiB to 1 "
         "MiB.\n"},
        {"[private_storage]\nfragment_bytes_max = \"16 kb\"\n",
         "epode.toml:2:22: private_storage.fragment_bytes_max is \"16 kb\"; expected a size such "
         "as "
         "\"64 KiB\" or \"1 MiB\" (1 KiB to 1 MiB).\n"},
        {"[limits.login]\ntime = 30\n",
         "epode.toml:2:8: limits.login.time is 30; expected a duration such as \"30 s\", \"5 min\" "
         "or "
         "\"1 d\" (1 s to 1 h).\n"},
        {"registration.open = \"yes\"\n",
         "epode.toml:1:21: registration.open is \"yes\"; expected true or false.\n"},
        {"c2s.listen = \"0.0.0.0:5222\"\n",
         "epode.toml:1:14: c2s.listen is \"0.0.0.0:5222\"; expected a list of texts such as "
         "[\"a\", "
         "\"b\"].\n"},
        {"c2s.listen = [\"a:1\", 5222]\n",
         "epode.toml:1:22: c2s.listen holds 5222; expected a list of texts.\n"},
        {"shards = 2026-11-20\n", "epode.toml:1:10: shards is a date or time; expected number.\n"},
        {"[shards]\nx = 1\n", "epode.toml:1:1: shards is a section; expected number.\n"},
        {"log = \"debug\"\n",
         "epode.toml:1:7: log is \"debug\"; it is a section, with options like log.level.\n"},
        {"host = \"capulet.example\"\n",
         "epode.toml:1:8: host is \"capulet.example\"; expected sections like "
         "[host.\"capulet.example\"].\n"},
        {"[host.capulet.example]\n",
         "epode.toml:1:7: The name of the host needs quotes: [host.\"capulet.example\"].\n"},
        {"[host.chat.capulet.example]\nregistration.open = true\n",
         "epode.toml:1:7: The name of the host needs quotes: [host.\"chat.capulet.example\"].\n"},
        {"[host.\"not a domain\"]\n",
         "epode.toml:1:7: \"not a domain\" is no valid domain; expected one like "
         "capulet.example.\n"},
        {"[host.\"juliet@capulet.example\"]\n",
         "epode.toml:1:7: \"juliet@capulet.example\" is no valid domain; expected one like "
         "capulet.example.\n"},
        {"[host.\"capulet.example\"]\n[host.\"CAPULET.example\"]\n",
         "epode.toml:2:7: The host \"capulet.example\" is there twice.\n"},
        {"[host.\"capulet.example\"]\nshards = 2\n",
         "epode.toml:2:1: shards belongs to the whole server; it can't be set for one host.\n"},
        {"[host.\"capulet.example\"]\nregistration.opn = true\n",
         "epode.toml:2:14: There is no option registration.opn. Did you mean registration.open?\n"},
        {"\"log.level\" = \"info\"\n",
         "epode.toml:1:1: There is no option \"log.level\". Did you mean log.level?\n"},
        {"[log]\nä = 1\n", nullptr},
    }));
    if (!row.report) {
        CHECK_FALSE(read(row.text).ok());
        return;
    }
    CHECK(reportOf(row.text) == row.report);
}

TEST_CASE("all mistakes are told together, in the order of the file, and nothing is in force") {
    const auto result = read(
        "shards = \"many\"\n"
        "[log]\n"
        "level = loud\n"
        "targt = \"stdout\"\n"
        "[host.\"exa mple\"]\n"
        "[limits]\n"
        "connections_max = 0\n");
    CHECK_FALSE(result.ok());
    CHECK(result.config == nullptr);
    std::vector<int> lines;
    for (const auto& mistake : result.mistakes) lines.push_back(mistake.line);
    CHECK(lines == std::vector<int>{1, 3, 4, 5, 7});
    CHECK(result.report().ends_with("5 mistakes\n"));
}

TEST_CASE("syntax errors come with the advice that people of other formats need") {
    struct Row {
        const char* text;
        int line;
        const char* advice;
    };
    const auto row = GENERATE(values<Row>({
        {"[log]\nlevel = info\n", 2, "A text is written in quotes: level = \"info\"."},
        {"[limits.login]\ntime = 30 s # slow\n", 2,
         "A text is written in quotes: time = \"30 s\"."},
        {"shards: 4\n", 1, "A value is set by =, as in shards = …"},
        {"shards =\n", 1, "The value is missing."},
        {"[log\nlevel = \"info\"\n", 1, ""},
        {"[log]\nlevel = \"info\nformat = \"json\"\n", 2, ""},
        {"shards = 1\nshards = 2\n", 2, ""},
        {"log.areas = [\"a\",\n\"b\"\nshards = 2\n", 3, "(It began at line 1.)"},
        {"shards = \"\xff\"\n", 1, ""},
    }));
    const auto result = read(row.text);
    INFO(row.text << result.report());
    REQUIRE(result.mistakes.size() == 1);
    CHECK(result.mistakes[0].line == row.line);
    CHECK(result.mistakes[0].message.ends_with(row.advice));
}

TEST_CASE("several syntax errors are all told, and so are other mistakes beside them") {
    const auto result = read(
        "[log]\n"
        "level = info\n"
        "format = json\n"
        "[limits\n"
        "nothing_here = 1\n"  // belongs to the broken header, so it is not judged
        "[registration]\n"
        "open = perhaps\n"
        "opne = true\n");
    std::vector<int> lines;
    for (const auto& mistake : result.mistakes) lines.push_back(mistake.line);
    INFO(result.report());
    CHECK(lines == std::vector<int>{2, 3, 4, 7, 8});
}

TEST_CASE("a file of nothing but errors is given up after a while") {
    std::string text;
    for (int i = 0; i < 500; ++i) text += "a" + std::to_string(i) + " = b\n";
    CHECK(read(text).mistakes.size() == 50);
    CHECK_FALSE(read(std::string(100'000, '[')).ok());
    CHECK_FALSE(read(std::string("shards = \0", 10)).ok());
}

TEST_CASE("overrides of the command line are stronger than the file and checked like it") {
    const auto result =
        read("shards = 2\n[log]\nlevel = \"info\"\n", {{"shards", "5"},
                                                       {"data", "/srv/chat"},
                                                       {"registration.open", "true"},
                                                       {"limits.login.time", "10 s"},
                                                       {"c2s.listen", "[\"127.0.0.1:1\"]"}});
    INFO(result.report());
    REQUIRE(result.ok());
    const auto& settings = *result.config->settings;
    CHECK(settings.get(options::shards) == 5);
    CHECK(settings.get(options::data) == "/srv/chat");
    CHECK(settings.get(registration));
    CHECK(settings.get(loginTime) == std::chrono::seconds{10});
    CHECK(settings.get(listen) == std::vector<std::string>{"127.0.0.1:1"});
    CHECK(settings.get(options::logLevel) == "info");

    CHECK(read("", {{"shard", "1"}}).report() ==
          "the command line: There is no option shard. Did you mean shards?\n1 mistake\n");
    CHECK(read("", {{"shards", "x"}}).report() ==
          "the command line: shards is \"x\"; expected a whole number (0 to 256).\n1 mistake\n");
}

TEST_CASE("a file that cannot be read is a mistake, unless it may be missing") {
    const test::TemporaryFolder folder;
    const auto options = allOptions();
    CHECK(loadConfig(folder / "no.toml", options).report() ==
          folder / "no.toml: The file cannot be read: No such file or directory.\n1 mistake\n");
    CHECK(loadConfig(folder.path(), options).report() ==
          folder.path() + ": The file cannot be read: Is a directory.\n1 mistake\n");
    const auto missing = loadConfig(folder / "no.toml", options, {}, MissingFile::Empty);
    REQUIRE(missing.ok());
    CHECK(missing.config->file.empty());
    CHECK(loadConfig(folder.write("empty.toml", ""), options).ok());
    const auto read = loadConfig(folder.write("a.toml", "shards = 4\n"), options);
    REQUIRE(read.ok());
    CHECK(read.config->settings->get(options::shards) == 4);
}

TEST_CASE("a comparison names what changed and what waits for a restart") {
    const auto options = allOptions();
    const auto before = read(R"(
shards = 2
[log]
level = "info"
[private_storage]
fragment_bytes_max = "64 KiB"
[host."capulet.example"]
registration.open = true
[host."old.example"]
)")
                            .config;
    const auto after = read(R"(
shards = 3
[log]
level = "debug"
[host."capulet.example"]
private_storage.fragment_bytes_max = "1 KiB"
[host."new.example"]
registration.open = true
)")
                           .config;
    REQUIRE(before);
    REQUIRE(after);
    const auto changes = compareConfigs(*before, *after, options);
    std::vector<std::string> lines;
    for (const auto& change : changes.options) {
        lines.push_back(change.key + ": " + change.before + " -> " + change.after +
                        (change.takes == Takes::AtRestart ? " (restart)" : ""));
    }
    std::sort(lines.begin(), lines.end());
    // The size went away from the file and is the default all the same: no change.
    CHECK(lines == std::vector<std::string>{
                       "host.\"capulet.example\".private_storage.fragment_bytes_max: \"64 KiB\" -> "
                       "\"1 KiB\"",
                       "host.\"capulet.example\".registration.open: true -> false",
                       "log.level: \"info\" -> \"debug\"", "shards: 2 -> 3 (restart)"});
    CHECK(changes.hostsAdded == std::vector<std::string>{"new.example"});
    CHECK(changes.hostsRemoved == std::vector<std::string>{"old.example"});
    REQUIRE(changes.needingRestart().size() == 1);
    CHECK(changes.needingRestart()[0].key == "shards");

    CHECK(compareConfigs(*after, *after, options).empty());
    // Without a file and with an empty one is the same.
    CHECK(compareConfigs(*read("").config, Config{}, options).empty());
}

TEST_CASE(
    "the sample says every option and changes nothing, as it is and with all comments opened") {
    const auto options = allOptions();
    const auto sample = renderSample(options);
    for (const auto& option : options) {
        const auto name = option.key().substr(option.key().rfind('.') + 1);
        CHECK(sample.find("\n#" + std::string{name} + " = " + option.fallbackToml() + "\n") !=
              std::string::npos);
    }
    const auto asItIs = read(sample);
    INFO(asItIs.report());
    REQUIRE(asItIs.ok());
    CHECK(compareConfigs(Config{}, *asItIs.config, options).empty());

    std::string opened, line;
    std::istringstream lines{sample};
    while (std::getline(lines, line)) {
        const bool isValue = line.size() > 1 && line[0] == '#' && line[1] != ' ' && line[1] != '[';
        opened += (isValue ? line.substr(1) : line) + "\n";
    }
    const auto all = read(opened);
    INFO(all.report());
    REQUIRE(all.ok());
    CHECK(all.config->values.size() == options.size());
    CHECK(compareConfigs(Config{}, *all.config, options).empty());
}

TEST_CASE("the reference has one row for each option, whatever its help says") {
    const auto page = renderReference(allOptions());
    CHECK(page.find("| `registration.open` | true or false | `false` | Whether anybody may make an "
                    "account \\| in-band. |\n") != std::string::npos);
    CHECK(page.find("## [limits.login]\n") != std::string::npos);
    CHECK(page.find("*(for the whole server; takes effect at a restart)*") != std::string::npos);
}

TEST_CASE("values are written back as a file has them") {
    CHECK(tomlText(std::any{std::string{"a \"b\"\\\n\x01"}}) == "\"a \\\"b\\\"\\\\\\n\\u0001\"");
    CHECK(tomlText(std::any{std::vector<std::string>{"x", "y"}}) == "[\"x\", \"y\"]");
    CHECK(tomlText(std::any{Bytes{65536}}) == "\"64 KiB\"");
    CHECK(tomlText(std::any{Duration{std::chrono::minutes{5}}}) == "\"5 min\"");
    CHECK(tomlText(std::any{true}) == "true");
    CHECK(tomlText(std::any{std::int64_t{-3}}) == "-3");
}

TEST_CASE("paths follow the configuration first and systemd's folders then") {
    Settings settings;
    CHECK(dataFolder(settings) == "data");
    CHECK(controlSocketPath(settings) == "data/control.sock");
    const test::Environment state{"STATE_DIRECTORY", "/var/lib/epode:/var/lib/other"};
    CHECK(controlSocketPath(settings) == "/var/lib/epode/control.sock");
    const test::Environment runtime{"RUNTIME_DIRECTORY", "/run/epode"};
    CHECK(dataFolder(settings) == "/var/lib/epode");
    CHECK(controlSocketPath(settings) == "/run/epode/control.sock");
    settings.set("", "data", std::string{"/srv/chat"});
    CHECK(dataFolder(settings) == "/srv/chat");
    CHECK(controlSocketPath(settings) == "/run/epode/control.sock");
    settings.set("", "control.socket", std::string{"/tmp/c"});
    CHECK(controlSocketPath(settings) == "/tmp/c");
}

TEST_CASE("log levels of the configuration replace those set by hand") {
    overrideLogLevel("test.byhand", LogLevel::Debug);
    Settings settings;
    settings.set("", "log.level", std::string{"warning"});
    settings.set("", "log.areas",
                 std::vector<std::string>{"test.area=debug", "test.area2", "=info", "a=loud"});
    const auto problems = applyLogLevels(settings);
    CHECK(problems.size() == 3);
    CHECK(logLevel("test.area") == LogLevel::Debug);
    CHECK(logLevel("test.byhand") == LogLevel::Warning);
    CHECK(logLevel("elsewhere") == LogLevel::Warning);
    CHECK(areasWithLevel() == std::vector<std::string>{"test.area"});
    applyLogLevels(Settings{});
    CHECK(logLevel("test.area") == LogLevel::Info);
}
