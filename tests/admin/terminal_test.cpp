// Questions at a terminal: epodectl runs on a pseudo terminal, at which the test types.
#include "control/control_socket.h"
#include "tests/control/support/temporary_folder.h"
#include "tests/control/support/thread_executor.h"
#include "tests/support/catch.h"

#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <mutex>

using namespace epode;

namespace {

class Terminal {
public:
    Terminal(const std::string& socket, std::vector<std::string> words) {
        words.insert(words.begin(), {EPODECTL, "--socket", socket});
        child_ = forkpty(&terminal_, nullptr, nullptr, nullptr);
        if (child_ != 0) return;
        std::vector<char*> arguments;
        for (auto& word : words) arguments.push_back(word.data());
        arguments.push_back(nullptr);
        execv(arguments[0], arguments.data());
        _exit(127);
    }
    ~Terminal() {
        if (child_ > 0) {
            kill(child_, SIGKILL);
            waitpid(child_, nullptr, 0);
        }
        close(terminal_);
    }

    // Reads until `text` is shown; false when the program ends before.
    bool shows(const std::string& text) {
        while (seen_.find(text, from_) == std::string::npos) {
            if (!readMore()) return false;
        }
        from_ = seen_.find(text, from_) + text.size();
        return true;
    }
    void type(const std::string& keys) {
        REQUIRE(write(terminal_, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
    }
    bool echoes() const {
        termios state{};
        tcgetattr(terminal_, &state);
        return (state.c_lflag & ECHO) != 0;
    }
    int end() {
        while (readMore()) {
        }
        int status = 0;
        waitpid(std::exchange(child_, -1), &status, 0);
        return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
    const std::string& seen() const { return seen_; }

private:
    bool readMore() {
        pollfd polled{terminal_, POLLIN, 0};
        if (poll(&polled, 1, 30'000) != 1) return false;
        char bytes[4096];
        const auto got = read(terminal_, bytes, sizeof bytes);
        if (got <= 0) return false;
        seen_.append(bytes, static_cast<std::size_t>(got));
        return true;
    }
    pid_t child_ = -1;
    int terminal_ = -1;
    std::string seen_;
    std::size_t from_ = 0;
};

struct House {
    House() {
        registrations.push_back(registry.add({.name = "user passwd",
                                              .summary = "Changes a password",
                                              .arguments = {{.name = "password",
                                                             .kind = ArgumentKind::Secret,
                                                             .help = "The new one."}},
                                              .answer = [this](CommandCall& call) {
                                                  const std::lock_guard lock{mutex};
                                                  password = call.text("password");
                                                  return CommandResult::message("Changed.");
                                              }}));
        registrations.push_back(registry.add({.name = "stop",
                                              .summary = "Stops the server",
                                              .danger = Danger::Dangerous,
                                              .answer = [this](CommandCall&) {
                                                  stopped = true;
                                                  return CommandResult::message("Stopping.");
                                              }}));
        settings.path = folder / "control.sock";
        settings.program = "epoded test";
        socket = std::make_unique<ControlSocket>(registry, executor, settings);
    }
    std::string lastPassword() {
        const std::lock_guard lock{mutex};
        return password;
    }

    test::TemporaryFolder folder;
    CommandRegistry registry;
    std::vector<CommandRegistry::Registration> registrations;
    std::mutex mutex;
    std::string password;
    std::atomic<bool> stopped = false;
    ControlSocketSettings settings;
    test::ThreadExecutor executor;
    std::unique_ptr<ControlSocket> socket;
};

}  // namespace

TEST_CASE("a password is asked for twice and shown at no time") {
    House house;
    Terminal terminal{house.settings.path, {"user", "passwd"}};
    REQUIRE(terminal.shows("New password: "));
    CHECK_FALSE(terminal.echoes());
    terminal.type("verona\n");
    REQUIRE(terminal.shows("The same again: "));
    terminal.type("verona\n");
    CHECK(terminal.shows("Changed."));
    CHECK(terminal.end() == 0);
    CHECK(house.lastPassword() == "verona");
    CHECK(terminal.seen().find("verona") == std::string::npos);
    CHECK(terminal.echoes());
}

TEST_CASE("two passwords that differ change nothing") {
    House house;
    Terminal terminal{house.settings.path, {"user", "passwd"}};
    REQUIRE(terminal.shows("New password: "));
    terminal.type("verona\n");
    REQUIRE(terminal.shows("The same again: "));
    terminal.type("mantua\n");
    CHECK(terminal.end() == 2);
    CHECK(house.lastPassword().empty());
}

TEST_CASE("a question for a password is left by ^C and ^D, and the terminal echoes again") {
    House house;
    const std::string key = GENERATE("\x03", "\x04");
    Terminal terminal{house.settings.path, {"user", "passwd"}};
    REQUIRE(terminal.shows("New password: "));
    terminal.type(key);
    CHECK(terminal.shows("Nothing was done."));
    CHECK(terminal.end() == 1);
    CHECK(terminal.echoes());
    CHECK(house.lastPassword().empty());
}

TEST_CASE("a dangerous command asks, and anything but yes is no") {
    struct Row {
        const char* answer;
        bool stops;
    };
    const auto row = GENERATE(values<Row>({{"y\n", true},
                                           {"yes\n", true},
                                           {"n\n", false},
                                           {"\n", false},
                                           {"yesterday\n", false},
                                           {"\x04", false}}));
    House house;
    Terminal terminal{house.settings.path, {"stop"}};
    REQUIRE(terminal.shows("Go on? [y/N] "));
    CHECK_FALSE(house.stopped);
    terminal.type(row.answer);
    CHECK(terminal.end() == (row.stops ? 0 : 1));
    CHECK(house.stopped == row.stops);
}
