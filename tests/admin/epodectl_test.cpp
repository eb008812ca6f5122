// epodectl as people run it: a process with words, an environment, an exit code.
#include "control/control_socket.h"
#include "tests/control/support/temporary_folder.h"
#include "tests/control/support/thread_executor.h"
#include "tests/support/catch.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <future>
#include <optional>

using namespace epode;

namespace {

struct Outcome {
    int code = -1;
    std::string out, errors;
};

// A program under way, its standard output and errors in files of the folder.
class Process {
public:
    Process(const test::TemporaryFolder& folder, std::vector<std::string> words,
            const std::string& input = "")
        : folder_{folder} {
        folder_.write("in", input);
        child_ = fork();
        if (child_ != 0) return;
        redirect("in", O_RDONLY, 0);
        redirect("out", O_WRONLY | O_CREAT | O_TRUNC, 1);
        redirect("err", O_WRONLY | O_CREAT | O_TRUNC, 2);
        setsid();  // without a terminal to ask at
        if (chdir(folder_.path().c_str()) != 0) _exit(126);
        std::vector<char*> arguments;
        for (auto& word : words) arguments.push_back(word.data());
        arguments.push_back(nullptr);
        execvp(arguments[0], arguments.data());
        _exit(127);
    }
    ~Process() {
        if (child_ <= 0) return;
        kill(child_, SIGKILL);
        waitpid(child_, nullptr, 0);
    }
    void signal(int number) const { kill(child_, number); }
    Outcome wait() {
        int status = 0;
        waitpid(std::exchange(child_, -1), &status, 0);
        return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, folder_.read("out"),
                folder_.read("err")};
    }

private:
    void redirect(const char* name, int flags, int to) const {
        const int opened = open((folder_ / name).c_str(), flags, 0600);
        if (opened < 0 || dup2(opened, to) < 0) _exit(126);
    }
    const test::TemporaryFolder& folder_;
    pid_t child_ = -1;
};

Outcome run(std::vector<std::string> words, const std::string& input = "") {
    const test::TemporaryFolder folder;
    words.insert(words.begin(), EPODECTL);
    return Process{folder, std::move(words), input}.wait();
}

// A server whose commands the tests can see.
struct House {
    House() {
        auto add = [this](Command command) {
            registrations.push_back(registry.add(std::move(command)));
        };
        add({.name = "user add",
             .summary = "Makes an account",
             .arguments = {{.name = "address", .kind = ArgumentKind::Jid, .help = "Its address."},
                           {.name = "password",
                            .kind = ArgumentKind::Secret,
                            .help = "Its password."}},
             .answer = [](CommandCall& call) {
                 auto result = CommandResult::message("Added " + call.jid("address").text() + ".");
                 result.fact("password-bytes", call.text("password").size());
                 return result;
             }});
        add({.name = "user list", .summary = "Lists accounts", .answer = [](CommandCall&) {
                 auto result = CommandResult::table({"user", "messages"});
                 result.row({"juliet@capulet.example", 7}).row({"romeo@montague.example", 12});
                 result.warn("Two of them are enemies.");
                 return result;
             }});
        add({.name = "user remove",
             .summary = "Removes an account with all its messages",
             .arguments = {{.name = "address", .kind = ArgumentKind::Jid, .help = "Its address."}},
             .danger = Danger::Dangerous,
             .answer = [this](CommandCall& call) {
                 ++removed;
                 return CommandResult::refusal(
                     "not-found", "There is no account " + call.jid("address").text() + ".",
                     "epodectl user list lists them.");
             }});
        add({.name = "file bytes",
             .summary = "Counts the bytes of a file",
             .arguments = {{.name = "file", .kind = ArgumentKind::File, .help = "The file."}},
             .answer = [](CommandCall& call) {
                 return CommandResult::message(std::to_string(call.file("file").text.size()));
             }});
        add({.name = "wait",
             .summary = "Ends when the test does",
             .answer = [this](CommandCall& call) {
                 call.progress({"waiting", 1, 3});
                 mayEnd.get_future().wait();
                 return CommandResult{};
             }});
        settings.path = folder / "control.sock";
        settings.program = "epoded test";
        socket = std::make_unique<ControlSocket>(registry, executor, settings);
    }

    Outcome ctl(std::vector<std::string> words, const std::string& input = "") const {
        words.insert(words.begin(), {"--socket", settings.path});
        return run(std::move(words), input);
    }

    test::TemporaryFolder folder;
    CommandRegistry registry;
    std::vector<CommandRegistry::Registration> registrations;
    std::atomic<int> removed = 0;
    std::promise<void> mayEnd;
    ControlSocketSettings settings;
    test::ThreadExecutor executor;
    std::unique_ptr<ControlSocket> socket;
};

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a table is shown, and told to programs as JSON") {
    const House house;
    auto outcome = house.ctl({"user", "list"});
    CHECK(outcome.code == 0);
    CHECK(outcome.out ==
          "USER                    MESSAGES\n"
          "juliet@capulet.example         7\n"
          "romeo@montague.example        12\n");
    CHECK(outcome.errors == "epodectl: Two of them are enemies.\n");
    outcome = house.ctl({"user", "list", "--json"});
    CHECK(outcome.code == 0);
    CHECK(outcome.out ==
          "{\"rows\":[{\"user\":\"juliet@capulet.example\",\"messages\":7},{\"user\":"
          "\"romeo@montague.example\",\"messages\":12}],\"warnings\":[\"Two of them are "
          "enemies.\"]}\n");
    outcome = house.ctl({"-q", "user", "list"});
    CHECK(outcome.out == "juliet@capulet.example\nromeo@montague.example\n");
}

TEST_CASE("a password comes from standard input or a file and not from the command line") {
    const House house;
    auto outcome = house.ctl({"user", "add", "juliet@capulet.example"}, "verona\nmore\n");
    CHECK(outcome.code == 0);
    CHECK(outcome.out == "Added juliet@capulet.example.\npassword-bytes  6\n");
    outcome = house.ctl({"user", "add", "juliet@capulet.example", "--password-file",
                         house.folder.write("password", "balcony\n")});
    CHECK(contains(outcome.out, "password-bytes  7"));
    outcome = house.ctl({"user", "add", "juliet@capulet.example", "--password-file=-"}, "x\r\n");
    CHECK(contains(outcome.out, "password-bytes  1"));
    CHECK(house.ctl({"user", "add", "juliet@capulet.example"}).code == 2);
    CHECK(house.ctl({"user", "add", "juliet@capulet.example"}, "\n").code == 2);
    CHECK(
        house.ctl({"user", "add", "juliet@capulet.example", "--password-file", "/nowhere"}).code ==
        1);
    CHECK(house.ctl({"user", "add", "juliet@capulet.example", "--password", "verona"}).code == 2);
}

TEST_CASE("a file of the caller is sent, whoever could read it at the server") {
    const House house;
    const auto path = house.folder.write("file", std::string(5000, '\n'));
    CHECK(house.ctl({"file", "bytes", path}).out == "5000\n");
    CHECK(house.ctl({"file", "bytes", "-"}, "123").out == "3\n");
    const auto missing = house.ctl({"file", "bytes", "/nowhere"});
    CHECK(missing.code == 1);
    CHECK(contains(missing.errors, "The file /nowhere cannot be read: No such file or directory."));
}

TEST_CASE("refusals, wrong usage and dangerous commands have their exit codes") {
    const House house;
    auto outcome = house.ctl({"user", "remove", "nurse@capulet.example"});
    CHECK(outcome.code == 2);
    CHECK(contains(outcome.errors, "it needs --yes"));
    CHECK(house.removed == 0);
    outcome = house.ctl({"user", "remove", "nurse@capulet.example", "--yes"});
    CHECK(outcome.code == 1);
    CHECK(outcome.out.empty());
    CHECK(outcome.errors ==
          "epodectl: There is no account nurse@capulet.example.\nepodectl user list lists them.\n");
    CHECK(house.removed == 1);
    outcome = house.ctl({"user", "remove", "nurse@capulet.example", "--yes", "--json"});
    CHECK(outcome.code == 1);
    CHECK(outcome.out ==
          "{\"error\":{\"code\":\"not-found\",\"message\":\"There is no account "
          "nurse@capulet.example.\",\"hint\":\"epodectl user list lists them.\"}}\n");

    outcome = house.ctl({"user", "remove", "@", "--yes"});
    CHECK(outcome.code == 2);
    CHECK(contains(outcome.errors, "which is no valid address"));
    outcome = house.ctl({"user", "lits"});
    CHECK(outcome.code == 2);
    CHECK(contains(outcome.errors, "Did you mean user list?"));
    outcome = house.ctl({"user", "list", "everybody"});
    CHECK(outcome.code == 2);
    CHECK(contains(outcome.errors, "Usage: epodectl user list\n"));
    CHECK(house.ctl({"--timeout", "soon", "user", "list"}).code == 2);
    CHECK(run({}).code == 2);
}

TEST_CASE("without a server the exit code is 3 and the sockets that were tried are told") {
    auto outcome = run({"--socket", "/nowhere/control.sock", "status"});
    CHECK(outcome.code == 3);
    CHECK(outcome.errors ==
          "epodectl: No server answers.\n  /nowhere/control.sock: No such file or directory\n"
          "Is epoded running? Its socket can be named by --socket or EPODE_CONTROL.\n");
    outcome = run({"--socket", "/nowhere/control.sock", "status", "--json"});
    CHECK(outcome.code == 3);
    CHECK(contains(outcome.out, "{\"error\":{\"code\":\"no-connection\""));
    CHECK(run({"--socket", "/" + std::string(200, 'x'), "status"}).code == 3);
    {
        const test::Environment control{"EPODE_CONTROL", "/else/where.sock"};
        CHECK(contains(run({"status"}).errors, "/else/where.sock: No such file"));
    }
}

TEST_CASE("the socket is found by the environment, too") {
    const House house;
    const test::Environment control{"EPODE_CONTROL", house.settings.path};
    CHECK(run({"user", "list"}).code == 0);
}

TEST_CASE("what answers but is no server is no connection") {
    const test::TemporaryFolder folder;
    const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto path = folder / "s";
    std::memcpy(address.sun_path, path.data(), path.size());
    REQUIRE(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(listen(listener, 5) == 0);
    for (const std::string answer : {"220 mail.capulet.example ESMTP\r\n", "{\"id\":1}\n", ""}) {
        Process tool{folder, {EPODECTL, "--socket", path, "status"}};
        const int accepted = accept(listener, nullptr, nullptr);
        REQUIRE(write(accepted, answer.data(), answer.size()) ==
                static_cast<ssize_t>(answer.size()));
        shutdown(accepted, SHUT_WR);
        CHECK(tool.wait().code == 3);
        close(accepted);
    }
    close(listener);
}

TEST_CASE("a server that does not answer in time costs exit code 4") {
    House house;
    const auto outcome = house.ctl({"--timeout", "50ms", "wait"});
    CHECK(outcome.code == 4);
    // Progress was told meanwhile.
    CHECK(outcome.errors.starts_with(
        "waiting 1/3\nepodectl: The server has not answered within 50 ms."));
    house.mayEnd.set_value();
}

TEST_CASE("help is made of what the server has") {
    const House house;
    auto outcome = house.ctl({"help"});
    CHECK(outcome.code == 0);
    CHECK(contains(outcome.out, "  user add     Makes an account\n"));
    CHECK(contains(outcome.out, "  completion   Writes the completion script"));
    CHECK(house.ctl({"help", "user"}).out ==
          "  user add     Makes an account\n"
          "  user list    Lists accounts\n"
          "  user remove  Removes an account with all its messages (asks first)\n");
    outcome = house.ctl({"help", "user", "add"});
    CHECK(outcome.out.starts_with("Makes an account.\n\nUsage: epodectl user add ADDRESS"));
    CHECK(house.ctl({"user", "add", "--help"}).out == outcome.out);
    CHECK(house.ctl({"help", "user", "ad"}).code == 2);
    CHECK(contains(house.ctl({"help", "--json"}).out, "\"name\":\"user add\""));
    CHECK(contains(house.ctl({"help", "--markdown"}).out, "## user remove\n"));
    CHECK(contains(run({"--version"}).out, "epodectl "));
}

TEST_CASE("help without a server tells what works without one") {
    const auto outcome = run({"--socket", "/nowhere/s", "help"});
    CHECK(outcome.code == 0);
    CHECK(contains(outcome.out, "  config check   Tells all mistakes"));
    CHECK(contains(outcome.errors, "listed when it runs"));
    CHECK(run({"--socket", "/nowhere/s", "help", "config", "check"}).code == 0);
    CHECK(run({"--socket", "/nowhere/s", "help", "user", "add"}).code == 3);
}

TEST_CASE("the manual page is sound in the eyes of the formatter") {
    const House house;
    const auto page = house.ctl({"help", "--man"});
    CHECK(page.code == 0);
    const test::TemporaryFolder folder;
    folder.write("page.1", page.out);
    const auto formatted =
        Process{folder,
                {"sh", "-c", "command -v groff >/dev/null || exit 0; groff -man -Tutf8 -ww page.1"}}
            .wait();
    CHECK(formatted.code == 0);
    CHECK(formatted.errors.empty());
}

TEST_CASE("completion scripts are sound in the eyes of their shells") {
    for (const std::string shell : {"bash", "zsh", "fish"}) {
        const auto script = run({"completion", shell});
        REQUIRE(script.code == 0);
        REQUIRE_FALSE(script.out.empty());
        const test::TemporaryFolder folder;
        folder.write("script", script.out);
        // A shell that is not installed has no opinion; bash always is.
        const auto checked =
            Process{folder,
                    {"sh", "-c",
                     "command -v " + shell + " >/dev/null || exit 0; " + shell + " -n script"}}
                .wait();
        CHECK(checked.code == 0);
        CHECK(checked.errors.empty());
    }
    CHECK(run({"completion", "csh"}).code == 2);
    CHECK(run({"completion"}).code == 2);
}

TEST_CASE("bash completes from the server that runs") {
    const House house;
    const auto script = run({"completion", "bash"});
    house.folder.write("script", script.out);
    const auto complete = [&](const std::string& words, int index) {
        const auto bash = "source ./script; COMP_WORDS=(" + words +
                          "); COMP_CWORD=" + std::to_string(index) +
                          "; _epodectl; echo \"${COMPREPLY[@]}\"";
        return Process{house.folder, {"bash", "-c", bash}}.wait().out;
    };
    const std::string tool = EPODECTL " --socket " + house.settings.path;
    CHECK(complete(tool + " user ''", 4) == "add list remove\n");
    CHECK(complete(tool + " user r", 4) == "remove\n");
    CHECK(complete(tool + " user add --p", 5) == "--password --password-file\n");
    CHECK(complete(EPODECTL " --socket /nowhere/s con", 3) == "config\n");
}

TEST_CASE("the whole way: a daemon starts, is controlled, reloads and stops") {
    const test::TemporaryFolder folder;
    // The notification is what the test waits for, as systemd would.
    const int systemd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto notify = folder / "notify";
    std::memcpy(address.sun_path, notify.data(), notify.size());
    REQUIRE(bind(systemd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    const test::Environment environment{"NOTIFY_SOCKET", notify};
    const auto heard = [systemd]() -> std::string {
        pollfd polled{systemd, POLLIN, 0};
        if (poll(&polled, 1, 30'000) != 1) return "silence";
        char bytes[4096];
        const auto got = recv(systemd, bytes, sizeof bytes, 0);
        return {bytes, static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
    };

    const test::TemporaryFolder daemonFolder;
    const auto config = daemonFolder.write("epode.toml", "log.target = \"log\"\n");
    Process daemon{daemonFolder,
                   {EPODE_TEST_DAEMON, "--config", config, "--data", daemonFolder / "data"}};
    REQUIRE(heard() == "READY=1\nSTATUS=serving");
    const auto ctl = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {EPODECTL, "--socket", daemonFolder / "data/control.sock"});
        return Process{folder, std::move(words)}.wait();
    };
    CHECK(contains(ctl({"status"}).out, "version           0.1.0\n"));

    // A second one on the same data is refused.
    const test::TemporaryFolder otherFolder;
    const auto second =
        Process{otherFolder,
                {EPODE_TEST_DAEMON, "--data", daemonFolder / "data", "--set", "log.target=log"}}
            .wait();
    CHECK(second.code == 1);
    CHECK(contains(second.errors, "works on the data folder"));

    daemonFolder.write("epode.toml", "log.target = \"log\"\nlog.level = \"debug\"\nshards = 3\n");
    const auto reload = ctl({"reload"});
    CHECK(reload.code == 0);
    CHECK(reload.out ==
          "The configuration was reloaded.\n"
          "OPTION     BEFORE  AFTER    TAKES-EFFECT\n"
          "shards     0       3        at restart\n"
          "log.level  \"info\"  \"debug\"  at reload\n");
    CHECK(heard().starts_with("RELOADING=1"));
    CHECK(heard() == "READY=1\nSTATUS=running");

    daemonFolder.write("epode.toml", "log.level = \"loud\"\n");
    const auto failed = ctl({"reload"});
    CHECK(failed.code == 1);
    CHECK(contains(failed.errors, "epode.toml:1:13: log.level is \"loud\""));
    CHECK(heard().starts_with("RELOADING=1"));
    CHECK(heard().starts_with("READY=1"));

    daemonFolder.write("epode.toml", "log.target = \"log\"\n");
    daemon.signal(SIGHUP);
    CHECK(heard().starts_with("RELOADING=1"));
    CHECK(heard() == "READY=1\nSTATUS=running");

    CHECK(ctl({"stop", "--yes"}).out == "The server is stopping.\n");
    CHECK(heard() == "STOPPING=1\nSTATUS=stopping");
    CHECK(daemon.wait().code == 0);
    CHECK(ctl({"status"}).code == 3);
    CHECK(contains(daemonFolder.read("log"), "configuration reloaded"));
    close(systemd);
}

TEST_CASE("a configuration is checked and a sample written without a server") {
    const test::TemporaryFolder folder;
    const test::Environment daemon{"EPODE_DAEMON", EPODE_TEST_DAEMON};
    const auto offline = [&](std::vector<std::string> words) {
        words.insert(words.begin(), {"--socket", "/nowhere/s"});
        return run(std::move(words));
    };
    auto outcome = offline({"config", "check", folder.write("good.toml", "shards = 2\n")});
    CHECK(outcome.code == 0);
    CHECK(outcome.out == folder / "good.toml is sound.\n");
    const auto bad = folder.write("bad.toml", "shards = 2\nshard = 2\n[log]\nlevel = loud\n");
    outcome = offline({"config", "check", bad});
    CHECK(outcome.code == 1);
    CHECK(contains(outcome.errors,
                   bad + ":2:1: There is no option shard. Did you mean shards?\n" + bad + ":4:"));
    CHECK(contains(outcome.errors, "2 mistakes"));
    outcome = offline({"config", "check", "--json", bad});
    CHECK(outcome.code == 1);
    CHECK(contains(outcome.out, "{\"error\":{\"code\":\"invalid\""));
    outcome = offline({"config", "sample"});
    CHECK(outcome.code == 0);
    CHECK(contains(outcome.out, "#level = \"info\"\n"));
    // What was written can be used.
    CHECK(offline({"config", "check", folder.write("sample.toml", outcome.out)}).code == 0);

    const test::Environment nothing{"EPODE_DAEMON", "/nowhere/epoded"};
    outcome = offline({"config", "check", bad});
    CHECK(outcome.code == 1);
    CHECK(contains(outcome.errors, "could not be asked"));
}

TEST_CASE("the daemon's own questions have their exit codes") {
    const test::TemporaryFolder folder;
    const auto daemon = [&](std::vector<std::string> words) {
        words.insert(words.begin(), EPODE_TEST_DAEMON);
        return Process{folder, std::move(words)}.wait();
    };
    CHECK(daemon({"--version"}).out == "epoded 0.1.0\n");
    CHECK(contains(daemon({"--help"}).out, "--config FILE"));
    CHECK(contains(daemon({"--reference"}).out, "| `log.level` |"));
    CHECK(daemon({"--check", "--set", "shards=2"}).code == 0);
    CHECK(daemon({"--check", "--set", "shards=many"}).code == 1);
    CHECK(daemon({"--check", "--config", "/nowhere"}).code == 1);
    CHECK(daemon({"--chekc"}).code == 2);
    const auto broken = daemon({"--config", folder.write("a.toml", "x = 1\n")});
    CHECK(broken.code == 1);
    CHECK(contains(broken.errors, "a.toml:1:1: There is no option x."));
}
