#include "control/control_socket.h"

#include "control/peer.h"
#include "control/wire.h"
#include "tests/control/support/failure.h"
#include "tests/control/support/temporary_folder.h"
#include "tests/control/support/thread_executor.h"
#include "tests/support/catch.h"

#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <future>

using namespace epode;

namespace {

const std::string hello = "{\"hello\":{\"protocol\":1,\"program\":\"test\"}}\n";

// A tool that says what the test wants, byte for byte. Reading waits for the server, and gives up
// after a time that no test comes near.
class RawTool {
public:
    explicit RawTool(const std::string& path)
        : socket_{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.data(), path.size());
        isConnected_ =
            connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    }
    ~RawTool() { hangUp(); }
    bool isConnected() const { return isConnected_; }

    RawTool& say(std::string_view text) {
        while (!text.empty()) {
            const auto sent = send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
            if (sent <= 0) break;
            text.remove_prefix(static_cast<std::size_t>(sent));
        }
        return *this;
    }
    RawTool& endInput() {
        shutdown(socket_, SHUT_WR);
        return *this;
    }
    void hangUp() {
        if (socket_ >= 0) close(std::exchange(socket_, -1));
    }

    // The next line, or "closed".
    std::string hear() {
        for (;;) {
            if (const auto end = input_.find('\n'); end != std::string::npos) {
                const auto line = input_.substr(0, end);
                input_.erase(0, end + 1);
                return line;
            }
            pollfd polled{socket_, POLLIN, 0};
            if (poll(&polled, 1, 30'000) != 1) return "silence";
            char bytes[65536];
            const auto got = recv(socket_, bytes, sizeof bytes, 0);
            if (got <= 0) return "closed";
            input_.append(bytes, static_cast<std::size_t>(got));
        }
    }

private:
    int socket_;
    bool isConnected_ = false;
    std::string input_;
};

struct House {
    explicit House(std::vector<std::string> allow = {}, std::size_t connectionsMax = 32) {
        settings.path = folder / "control.sock";
        settings.allow = std::move(allow);
        settings.program = "epoded test";
        settings.requestBytesMax = 10'000;
        settings.connectionsMax = connectionsMax;
        add({.name = "echo",
             .summary = "Says it again",
             .arguments = {{.name = "text", .help = "What."}},
             .answer = [](CommandCall& call) {
                 return CommandResult::message(call.text("text"));
             }});
        add({.name = "who",
             .summary = "Says who calls",
             .runsOn = RunsOn::ControlThread,
             .answer = [](CommandCall& call) {
                 return CommandResult::message(call.caller().name);
             }});
        add({.name = "wait",
             .summary = "Ends when the test says so",
             .answer = [this](CommandCall& call) {
                 call.progress({"waiting", 1, 2});
                 began.set_value();
                 mayEnd.get_future().wait();
                 wasAbandoned = call.isAbandoned();
                 ended.set_value();
                 return CommandResult::message("waited");
             }});
        open();
    }
    void open() { socket = std::make_unique<ControlSocket>(registry, executor, settings); }
    void add(Command command) { registrations.push_back(registry.add(std::move(command))); }
    RawTool tool() { return RawTool{settings.path}; }
    RawTool greeted() {
        RawTool one{settings.path};
        one.say(hello);
        CHECK(one.hear() == "{\"hello\":{\"protocol\":1,\"program\":\"epoded test\"}}");
        return one;
    }

    test::TemporaryFolder folder;
    CommandRegistry registry;
    std::vector<CommandRegistry::Registration> registrations;
    std::promise<void> began, mayEnd, ended;
    bool wasAbandoned = false;
    ControlSocketSettings settings;
    test::ThreadExecutor executor;
    std::unique_ptr<ControlSocket> socket;
};

std::string call(int id, const std::string& command, const std::string& arguments = "") {
    return "{\"id\":" + std::to_string(id) + ",\"call\":\"" + command + "\",\"arguments\":{" +
           arguments + "}}\n";
}

std::string message(int id, const std::string& text) {
    return "{\"id\":" + std::to_string(id) + ",\"result\":{\"message\":\"" + text + "\"}}";
}

}  // namespace

TEST_CASE("a tool says hello, lists the commands and calls one") {
    House house;
    auto tool = house.greeted();
    tool.say("{\"id\":1,\"commands\":true}\n");
    const auto reply = wire::readReply(tool.hear());
    CHECK(std::get<wire::ListReply>(reply).commands.size() == 3);
    tool.say(call(2, "echo", "\"text\":\"hark\""));
    CHECK(tool.hear() == message(2, "hark"));
    tool.say(call(3, "who"));
    CHECK(tool.hear() == message(3, userName(geteuid())));
    tool.say(call(4, "ecoh"));
    CHECK(tool.hear().find("\"code\":\"unknown-command\"") != std::string::npos);
    tool.say(call(5, "echo"));
    CHECK(tool.hear().find("text is missing") != std::string::npos);
}

TEST_CASE("many requests at once are answered one after the other") {
    House house;
    auto tool = house.greeted();
    std::string all;
    for (int i = 0; i < 200; ++i)
        all += call(i, i % 2 ? "echo" : "who", i % 2 ? "\"text\":\"x\"" : "");
    // In pieces that end anywhere, and with the input closed before the last answer.
    for (std::size_t at = 0; at < all.size(); at += 777) tool.say(all.substr(at, 777));
    tool.endInput();
    for (int i = 0; i < 200; ++i) {
        CHECK(tool.hear() == message(i, i % 2 ? "x" : userName(geteuid())));
    }
    CHECK(tool.hear() == "closed");
}

TEST_CASE("what is no request is refused and the connection ends; others go on") {
    House house;
    auto other = house.greeted();
    struct Row {
        std::string text;
        const char* code;
    };
    const std::vector<Row> rows{
        {"garbage\n", "malformed"},
        {std::string("\0\0\0\n", 4), "malformed"},
        {"{\"id\":1,\"call\":\"who\"}\n", "protocol"},  // no hello
        {"{\"hello\":{\"protocol\":2,\"program\":\"newer\"}}\n", "protocol"},
        {hello + "{\"id\":}\n", "malformed"},
        {hello + std::string(20'000, '[') + "\n", "too-large"},
        {std::string(20'000, 'x'), "too-large"},  // without an end
        {hello + "{\"id\":1,\"call\":\"" + std::string(9'900, 'x') + "\"}\n", "unknown-command"},
    };
    for (const auto& row : rows) {
        auto tool = house.tool();
        tool.say(row.text).endInput();
        auto line = tool.hear();
        if (line.find("{\"hello\"") == 0) line = tool.hear();
        INFO(row.text.substr(0, 100));
        CHECK(line.find("\"code\":\"" + std::string{row.code} + "\"") != std::string::npos);
        CHECK(tool.hear() == "closed");
    }
    other.say(call(1, "echo", "\"text\":\"still here\""));
    CHECK(other.hear() == message(1, "still here"));
}

TEST_CASE("progress comes before the result") {
    House house;
    auto tool = house.greeted();
    tool.say(call(1, "wait"));
    CHECK(tool.hear() == "{\"id\":1,\"progress\":{\"text\":\"waiting\",\"done\":1,\"total\":2}}");
    // The executor is busy; what needs none is answered all the same.
    auto other = house.greeted();
    other.say(call(1, "who"));
    CHECK(other.hear() == message(1, userName(geteuid())));
    house.mayEnd.set_value();
    CHECK(tool.hear() == message(1, "waited"));
}

TEST_CASE("a handler learns that its caller has gone") {
    House house;
    auto tool = house.greeted();
    tool.say(call(1, "wait"));
    tool.hear();
    tool.hangUp();
    // The server has seen the end of that connection once it has served one that came after it.
    auto later = house.greeted();
    later.say(call(1, "who"));
    later.hear();
    house.mayEnd.set_value();
    house.ended.get_future().wait();
    CHECK(house.wasAbandoned);
}

TEST_CASE("the socket may close while a handler is at work") {
    House house;
    auto tool = house.greeted();
    tool.say(call(1, "wait"));
    house.began.get_future().wait();
    house.socket.reset();
    CHECK_FALSE(std::filesystem::exists(house.settings.path));
    house.mayEnd.set_value();
    house.ended.get_future().wait();
    CHECK(house.wasAbandoned);
    tool.hear();  // the progress
    CHECK(tool.hear() == "closed");
}

TEST_CASE("a newcomer takes the place of the connection that is idle the longest") {
    House house{{}, 2};
    auto first = house.greeted();
    auto second = house.greeted();
    first.say(call(1, "who"));
    first.hear();
    auto third = house.greeted();
    CHECK(second.hear() == "closed");
    first.say(call(2, "who"));
    CHECK(first.hear() == message(2, userName(geteuid())));
}

TEST_CASE("a newcomer is refused when all connections are busy") {
    House house{{}, 1};
    auto busy = house.greeted();
    busy.say(call(1, "wait"));
    busy.hear();
    auto newcomer = house.tool();
    CHECK(newcomer.hear().find("\"code\":\"unavailable\"") != std::string::npos);
    CHECK(newcomer.hear() == "closed");
    house.mayEnd.set_value();
    CHECK(busy.hear() == message(1, "waited"));
}

TEST_CASE("a socket that a crash left behind is replaced, one that lives is not") {
    House house;
    CHECK_THROWS_WITH((ControlSocket{house.registry, house.executor, house.settings}),
                      "Another server answers at the control socket " + house.settings.path + ".");
    house.greeted();

    auto settings = house.settings;
    settings.path = house.folder / "stale.sock";
    {
        const int stale = socket(AF_UNIX, SOCK_STREAM, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, settings.path.data(), settings.path.size());
        REQUIRE(bind(stale, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        close(stale);
    }
    const ControlSocket replaced{house.registry, house.executor, settings};
    CHECK(RawTool{settings.path}.isConnected());

    // What is no socket is not touched.
    settings.path = house.folder.write("precious", "data");
    CHECK_THROWS_AS((ControlSocket{house.registry, house.executor, settings}), std::runtime_error);
    CHECK(house.folder.read("precious") == "data");
}

TEST_CASE("a path that no socket can have is explained") {
    House house;
    auto settings = house.settings;
    settings.path = "/tmp/" + std::string(200, 'x');
    CHECK(test::failureOf([&] {
              (ControlSocket{house.registry, house.executor, settings});
          }).find("Set control.socket to a shorter one.") != std::string::npos);
}

TEST_CASE("names that nobody has are told when the socket is made") {
    CHECK_THROWS_WITH((PeerRules{{"nobody-of-that-name", "root", "@no-such-group"}}),
                      "control.allow: There is no user \"nobody-of-that-name\". There is no group "
                      "\"no-such-group\".");
}

TEST_CASE("root, the server's own user and those allowed may enter, others may not") {
    const auto me = geteuid();
    const uid_t stranger = me + 4321;
    const PeerRules closed{{}};
    CHECK(closed.mayEnter({0, {0}, 1}));
    CHECK(closed.mayEnter({me, {}, 1}));
    CHECK_FALSE(closed.mayEnter({stranger, {0}, 1}));
    CHECK_FALSE(closed.allowsOthers());

    const PeerRules open{{"daemon", "@adm"}};
    CHECK(open.allowsOthers());
    CHECK(open.mayEnter({1, {}, 1}));  // daemon is user 1 everywhere
    const auto adm = getgrnam("adm")->gr_gid;
    CHECK(open.mayEnter({stranger, {100, adm}, 1}));
    CHECK_FALSE(open.mayEnter({stranger, {100}, 1}));
}

TEST_CASE("the file lets in those only who may come") {
    struct stat status{};
    {
        const House house;
        REQUIRE(stat(house.settings.path.c_str(), &status) == 0);
        CHECK((status.st_mode & 0777) == 0600);
    }
    const House house{{"daemon"}};
    REQUIRE(stat(house.settings.path.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0666);
}

TEST_CASE("the kernel tells user and groups of the other end") {
    if (geteuid() != 0) return;  // only root can become somebody else
    // The folder must let strangers through for them to reach the socket at all.
    House house{{"@adm"}};
    chmod(house.folder.path().c_str(), 0755);
    const auto hearAs = [&](uid_t user, std::vector<gid_t> groups) {
        int ends[2];
        REQUIRE(pipe(ends) == 0);
        const auto child = fork();
        if (child == 0) {
            if (setgroups(groups.size(), groups.data()) != 0 || setgid(65534) != 0 ||
                setuid(user) != 0) {
                _exit(1);
            }
            RawTool tool{house.settings.path};
            tool.say(hello);
            const auto line = tool.hear();
            [[maybe_unused]] const auto wrote = write(ends[1], line.data(), line.size());
            _exit(0);
        }
        close(ends[1]);
        char bytes[4096];
        const auto got = read(ends[0], bytes, sizeof bytes);
        close(ends[0]);
        waitpid(child, nullptr, 0);
        return std::string{bytes, static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
    };
    CHECK(hearAs(12345, {}).find("\"code\":\"forbidden\"") != std::string::npos);
    CHECK(hearAs(12345, {getgrnam("adm")->gr_gid}).find("{\"hello\"") == 0);
}
