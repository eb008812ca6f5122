#include "control/daemon.h"

#include "control/notify.h"
#include "control/server_options.h"
#include "tests/control/support/failure.h"
#include "tests/control/support/temporary_folder.h"
#include "tests/support/catch.h"

#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <thread>

using namespace epode;

namespace {

// What systemd would be: a datagram socket that NOTIFY_SOCKET names.
class FakeServiceManager {
public:
    explicit FakeServiceManager(const std::string& path, bool isAbstract = false)
        : socket_{socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)},
          environment_{"NOTIFY_SOCKET", (isAbstract ? "@" : "") + path} {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path + (isAbstract ? 1 : 0), path.data(), path.size());
        const auto bytes = offsetof(sockaddr_un, sun_path) + path.size() + (isAbstract ? 1 : 0);
        REQUIRE(bind(socket_, reinterpret_cast<sockaddr*>(&address),
                     static_cast<socklen_t>(bytes)) == 0);
    }
    ~FakeServiceManager() { close(socket_); }

    std::string next() const {
        char bytes[4096];
        const auto got = recv(socket_, bytes, sizeof bytes, 0);
        return got < 0 ? "" : std::string{bytes, static_cast<std::size_t>(got)};
    }

private:
    int socket_;
    test::Environment environment_;
};

}  // namespace

TEST_CASE("systemd hears when the server is ready, reloads and stops") {
    const test::TemporaryFolder folder;
    const bool isAbstract = GENERATE(false, true);
    const FakeServiceManager systemd{folder / "notify", isAbstract};
    CHECK(notifyReady("serving 2 hosts"));
    CHECK(systemd.next() == "READY=1\nSTATUS=serving 2 hosts");
    CHECK(notifyReloading());
    const auto reloading = systemd.next();
    CHECK(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="));
    CHECK(reloading.find_first_not_of("0123456789", 27) == std::string::npos);
    CHECK(notifyStopping("saving sessions"));
    CHECK(systemd.next() == "STOPPING=1\nSTATUS=saving sessions");
    CHECK(notifyStatus("one\nREADY=1"));
    CHECK(systemd.next() == "STATUS=one READY=1");
    CHECK(notifyWatchdog());
    CHECK(systemd.next() == "WATCHDOG=1");
}

TEST_CASE("without systemd nothing is sent and nothing fails") {
    CHECK_FALSE(notifyReady("ready"));
    const test::Environment bad{"NOTIFY_SOCKET", GENERATE("relative", "/nowhere/socket", "")};
    CHECK_FALSE(notifyReady("ready"));
}

TEST_CASE("a path that is too long for a socket is refused") {
    const test::Environment bad{"NOTIFY_SOCKET", "/" + std::string(200, 'x')};
    CHECK_FALSE(notifyReady("ready"));
}

TEST_CASE("the watchdog is fed twice in its interval, if it is meant for this process") {
    CHECK_FALSE(watchdogInterval());
    const test::Environment interval{"WATCHDOG_USEC", "30000000"};
    CHECK(watchdogInterval() == std::chrono::seconds{15});
    {
        const test::Environment process{"WATCHDOG_PID", std::to_string(getpid())};
        CHECK(watchdogInterval() == std::chrono::seconds{15});
    }
    const test::Environment process{"WATCHDOG_PID", "1"};
    CHECK_FALSE(watchdogInterval());
}

TEST_CASE("a second server on the same data folder is refused by name") {
    const test::TemporaryFolder folder;
    const auto data = folder / "deep/data";
    {
        const InstanceLock lock{data};
        CHECK_THROWS_WITH(
            (InstanceLock{data}),
            "Another epoded (process " + std::to_string(getpid()) + ") works on the data folder " +
                data + ". Stop it with epodectl stop, or choose another folder with --data.");
        struct stat status{};
        REQUIRE(stat(data.c_str(), &status) == 0);
        CHECK((status.st_mode & 0777) == 0750);
    }
    // The lock ends with its holder, the file stays.
    CHECK_NOTHROW(InstanceLock{data});
}

TEST_CASE("a data folder that cannot be is refused with the reason") {
    const test::TemporaryFolder folder;
    folder.write("file", "");
    CHECK(test::failureOf([&] { (InstanceLock{folder / "file/data"}); }).find("Not a directory") !=
          std::string::npos);
    CHECK(test::failureOf([&] { (InstanceLock{folder / "file"}); }).find("cannot be") !=
          std::string::npos);
}

TEST_CASE("signals and commands become events, a stop before a reload") {
    // On a thread of its own, so that the mask of the others stays as it is.
    std::thread{[] {
        Signals signals;
        CHECK_FALSE(signals.poll());
        pthread_kill(pthread_self(), SIGHUP);
        CHECK(signals.wait() == Signals::Event::Reload);
        pthread_kill(pthread_self(), SIGTERM);
        CHECK(signals.wait() == Signals::Event::Stop);
        pthread_kill(pthread_self(), SIGINT);
        CHECK(signals.wait() == Signals::Event::Stop);
        signals.raise(Signals::Event::Reload);
        signals.raise(Signals::Event::Stop);
        CHECK(signals.wait() == Signals::Event::Stop);
        CHECK(signals.wait() == Signals::Event::Reload);
        CHECK_FALSE(signals.poll());
    }}.join();
}

TEST_CASE("the command line of the daemon is understood or explained") {
    using What = StartRequest::What;
    CHECK(parseStartRequest({}).what == What::Serve);
    const auto request = parseStartRequest(
        {"--config", "a.toml", "--data=/srv", "--set", "log.level=debug", "--check"});
    CHECK(request.problem.empty());
    CHECK(request.what == What::Check);
    CHECK(request.configFile == "a.toml");
    CHECK(request.overrides == ConfigOverrides{{"data", "/srv"}, {"log.level", "debug"}});
    CHECK(parseStartRequest({"-h"}).what == What::Help);
    CHECK(parseStartRequest({"--version"}).what == What::Version);

    CHECK(parseStartRequest({"--config"}).problem == "--config needs a value.");
    CHECK(parseStartRequest({"--config="}).problem == "--config needs a value.");
    CHECK(parseStartRequest({"--set", "x"}).problem == "--set needs KEY=VALUE, not \"x\".");
    CHECK(parseStartRequest({"--set", "=x"}).problem == "--set needs KEY=VALUE, not \"=x\".");
    CHECK(parseStartRequest({"--chek"}).problem == "\"--chek\" is unknown. Did you mean --check?");
    CHECK(parseStartRequest({"--check=yes"}).problem == "--check takes no value.");
    CHECK(parseStartRequest({"epode.toml"}).problem == "\"epode.toml\" is unknown.");
}

TEST_CASE("the limit of open files is raised to what is allowed") {
    CHECK(raiseFileLimit() >= 256);
}
