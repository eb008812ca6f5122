#include "control/server_commands.h"

#include "control/server_options.h"
#include "core/log.h"
#include "core/metric.h"
#include "tests/control/support/temporary_folder.h"
#include "tests/control/support/thread_executor.h"
#include "tests/support/catch.h"

#include <algorithm>
#include <future>
#include <mutex>

using namespace epode;

namespace {

const Option<std::string> databaseUrl{
    .key = "database.url",
    .fallback = "",
    .help = "Where the database is.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<std::string> pushSecret{
    .key = "push.secret",
    .fallback = "",
    .help = "A secret.",
};

Counter testCounter{"epode_test_commands_total", "Counts nothing but this test"};

// A server of nothing but its configuration file.
struct House {
    House() {
        options = serverOptions();
        options.push_back(&databaseUrl);
        options.push_back(&pushSecret);
        write("");
        config = loadConfig(folder / "epode.toml", options).config;
        controls->version = "0.1.0";
        controls->config = [this] { return config; };
        controls->options = [this] { return options; };
        controls->read = [this](const std::optional<NamedText>& text) {
            return text ? readConfig(text->text, text->name, options)
                        : loadConfig(folder / "epode.toml", options);
        };
        controls->apply = [this](ConfigPtr next, const ConfigChanges& changes) {
            return apply(std::move(next), changes.options.size());
        };
        controls->stop = [this] { stopped = true; };
        controls->restart = [this] { restarted = true; };
        controls->addStatus = [](CommandResult& result) { result.fact("sessions", 3); };
        registrations = addServerCommands(registry, controls);
    }
    ~House() { applyLogLevels(Settings{}); }

    Task<> apply(ConfigPtr next, std::size_t changes) {
        if (refuses) throw std::runtime_error{"the port is taken"};
        config = std::move(next);
        applied = changes;
        co_return;
    }
    void write(const std::string& text) { folder.write("epode.toml", text); }
    CommandResult call(const std::string& name, const RawArguments& arguments = {}) {
        std::promise<CommandResult> promise;
        registry.call(name, arguments, {"root", Permission::Administer, "test"}, executor,
                      [&](CommandResult result) { promise.set_value(std::move(result)); });
        return promise.get_future().get();
    }

    test::TemporaryFolder folder;
    OptionList options;
    ConfigPtr config;
    bool refuses = false, stopped = false, restarted = false;
    std::size_t applied = 0;
    CommandRegistry registry;
    std::shared_ptr<ServerControls> controls = std::make_shared<ServerControls>();
    std::vector<CommandRegistry::Registration> registrations;
    test::ThreadExecutor executor;
};

std::vector<std::string> column(const CommandResult& result, std::size_t index) {
    std::vector<std::string> texts;
    for (const auto& row : result.rows())
        texts.push_back(std::get<std::string>(row[index].value()));
    return texts;
}

}  // namespace

TEST_CASE("a reload applies what changed and names what waits for a restart") {
    House house;
    CHECK(house.call("reload").text() == "Nothing has changed.");
    house.write("shards = 7\n[log]\nlevel = \"warning\"\n[host.\"capulet.example\"]\n");
    const auto result = house.call("reload");
    REQUIRE_FALSE(result.isRefusal());
    CHECK(house.applied == 2);
    CHECK(column(result, 0) == std::vector<std::string>{"shards", "log.level",
                                                        "host.\"capulet.example\"",
                                                        "host.\"localhost\""});
    CHECK(column(result, 3) ==
          std::vector<std::string>{"at restart", "at reload", "at reload", "at reload"});
    CHECK(result.warnings().size() == 1);
    CHECK(logLevel("anything") == LogLevel::Warning);
}

TEST_CASE("a reload with mistakes changes nothing and tells them all") {
    House house;
    const auto before = house.config;
    house.write("shards = 7\nlog.level = \"loud\"\nnonsense = 1\n");
    const auto result = house.call("reload");
    REQUIRE(result.isRefusal());
    CHECK(result.error().code == "invalid");
    CHECK(result.error().message.find("epode.toml:2:13: log.level is \"loud\"") !=
          std::string::npos);
    CHECK(result.error().message.find("2 mistakes") != std::string::npos);
    CHECK(result.error().hint == "Nothing was changed.");
    CHECK(house.config == before);
}

TEST_CASE("a reload that the server cannot follow is reported as failed") {
    House house;
    house.refuses = true;
    house.write("log.level = \"debug\"\n");
    const auto result = house.call("reload");
    REQUIRE(result.isRefusal());
    CHECK(result.error().message == "the port is taken");
    CHECK(logLevel("anything") == LogLevel::Info);
}

TEST_CASE("a check tells what a file would change, or its mistakes under its own name") {
    House house;
    CHECK(house.call("config check").text().ends_with("is sound; it changes nothing."));
    const auto check = [&](const std::string& text) {
        return house.call("config check", {{"file", std::vector<std::string>{"new.toml", text}}});
    };
    const auto sound = check("shards = 9\n");
    CHECK(sound.text() == "new.toml is sound. It would change:");
    CHECK(column(sound, 0) == std::vector<std::string>{"shards"});
    const auto broken = check("shard = 9\n");
    REQUIRE(broken.isRefusal());
    CHECK(broken.error().message ==
          "new.toml:1:1: There is no option shard. Did you mean shards?\n1 mistake\n");
    CHECK(house.applied == 0);
}

TEST_CASE("the options in force are shown with their places and without secrets") {
    House house;
    CHECK(house.call("config show").text() == "All options have their defaults.");
    house.write(
        "[database]\nurl = \"postgresql://epode:verona@db.example/chat\"\n"
        "[push]\nsecret = \"verona\"\n"
        "[host.\"capulet.example\"]\npush.secret = \"nurse\"\n");
    house.call("reload");
    auto result = house.call("config show");
    CHECK(column(result, 0) == std::vector<std::string>{"database.url", "push.secret",
                                                        "host.\"capulet.example\".push.secret"});
    CHECK(column(result, 1) ==
          std::vector<std::string>{"\"postgresql://epode:(hidden)@db.example/chat\"", "(hidden)",
                                   "(hidden)"});
    CHECK(column(result, 2)[0] == house.folder / "epode.toml:2");
    result = house.call("config show", {{"option", "log"}});
    CHECK(column(result, 0) ==
          std::vector<std::string>{"log.level", "log.areas", "log.format", "log.target"});
    CHECK(column(result, 2)[0] == "default");
    CHECK(house.call("config show", {{"all", true}}).rows().size() == house.options.size() + 1);
    result = house.call("config show", {{"option", "log.levle"}});
    CHECK(result.error().message ==
          "There is no option or section log.levle. Did you mean log.level?");
}

TEST_CASE("passwords of a database are hidden in both of their forms") {
    House house;
    house.write("[database]\nurl = \"host=db.example password=verona user=epode\"\n");
    house.call("reload");
    CHECK(column(house.call("config show"), 1)[0] ==
          "\"host=db.example password=(hidden) user=epode\"");
    house.write("[database]\nurl = \"host=db.example password=verona\"\n");
    house.call("reload");
    CHECK(column(house.call("config show"), 1)[0] == "\"host=db.example password=(hidden)\"");
}

TEST_CASE("log levels are set for one area or all and follow the file again at a reload") {
    House house;
    CHECK(house.call("log level", {{"level", "debug"}, {"area", "test.stream"}}).text() ==
          "The log level of test.stream is debug until the next reload or restart.");
    CHECK(logLevel("test.stream") == LogLevel::Debug);
    CHECK(logLevel("") == LogLevel::Info);
    CHECK(column(house.call("log level"), 0) ==
          std::vector<std::string>{"(default)", "test.stream"});
    CHECK(column(house.call("log level"), 1) == std::vector<std::string>{"info", "debug"});
    house.call("log level", {{"level", "error"}});
    CHECK(logLevel("other") == LogLevel::Error);
    CHECK(house.call("log level", {{"level", "loud"}}).error().code == "usage");
    house.call("reload");
    CHECK(logLevel("test.stream") == LogLevel::Info);
    CHECK(logLevel("other") == LogLevel::Info);
}

TEST_CASE("status tells the server's facts and what others add") {
    House house;
    const auto result = house.call("status");
    std::vector<std::string> names;
    for (const auto& fact : result.facts()) names.push_back(fact.name);
    CHECK(names == std::vector<std::string>{"version", "uptime", "process", "configuration", "data",
                                            "hosts", "shards", "memory", "open-files",
                                            "open-files-limit", "sessions"});
    CHECK(std::get<Bytes>(result.facts()[7].value.value()) > 0);
    CHECK(std::get<std::int64_t>(result.facts()[8].value.value()) > 2);
}

TEST_CASE("metrics are a table for people and a page for Prometheus") {
    House house;
    testCounter.add(5);
    const auto result = house.call("metrics", {{"filter", "test_commands"}});
    REQUIRE(result.rows().size() == 1);
    CHECK(std::get<std::int64_t>(result.rows()[0][2].value()) == testCounter.value());
    const auto page = house.call("metrics", {{"prometheus", true}}).text();
    CHECK(page.find("# HELP epode_test_commands_total Counts nothing but this test\n"
                    "# TYPE epode_test_commands_total counter\n"
                    "epode_test_commands_total " +
                    std::to_string(testCounter.value()) + "\n") != std::string::npos);
}

TEST_CASE("stop asks first and tells the server") {
    House house;
    for (const auto& command : house.registry.list()) {
        CHECK((command.danger == Danger::Dangerous) ==
              (command.name == "stop" || command.name == "restart"));
    }
    CHECK(house.call("stop").text() == "The server is stopping.");
    CHECK(house.stopped);
    CHECK(!house.restarted);
    CHECK(house.call("restart").text() == "The server is restarting.");
    CHECK(house.restarted);
}

TEST_CASE("an end of the server that waits is told, replaced and taken back") {
    House house;
    const auto tells = [&](std::string_view fact) {
        const auto status = house.call("status");
        return std::any_of(status.facts().begin(), status.facts().end(),
                           [fact](const Fact& one) { return one.name == fact; });
    };
    CHECK(house.call("stop", {{"cancel", true}}).error().code == "not-found");
    CHECK(house.call("stop", {{"delay", std::string{"8d"}}}).error().code == "invalid");
    CHECK(!tells("stops-in"));
    CHECK(house.call("stop", {{"delay", std::string{"1h"}}}).text() == "The server stops in 1 h.");
    CHECK(tells("stops-in"));
    const auto later = house.call("restart", {{"delay", std::string{"1d"}},
                                              {"announcement", std::string{"Good night"}}});
    CHECK(later.warnings().size() == 1);  // nobody can be told
    CHECK(!tells("stops-in"));
    CHECK(tells("restarts-in"));
    CHECK(!house.call("restart", {{"cancel", true}}).isRefusal());
    CHECK(!tells("restarts-in"));
    CHECK(!house.stopped);
    CHECK(!house.restarted);
}
