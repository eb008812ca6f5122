#include "control/control_socket.h"

#include "control/peer.h"
#include "control/wire.h"
#include "core/log.h"
#include "core/metric.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <list>
#include <map>
#include <mutex>
#include <stdexcept>
#include <system_error>
#include <thread>

namespace epode {

namespace {

const Log log{"control"};
Counter requests{"epode_control_requests_total", "Requests over the control socket"};
Counter refusals{"epode_control_refused_total", "Connections that the control socket refused"};

// Progress beyond this is dropped: it is only to look at, and a tool that doesn't read gets no
// more.
constexpr std::size_t progressBytesMax = 256u << 10;
constexpr std::size_t readBytes = 64u << 10;

[[noreturn]] void failed(const std::string& what) {
    throw std::runtime_error{what + ": " + std::generic_category().message(errno) + "."};
}

class Descriptor {
public:
    explicit Descriptor(int number = -1) : number_{number} {}
    Descriptor(Descriptor&& other) noexcept : number_{std::exchange(other.number_, -1)} {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    ~Descriptor() {
        if (number_ >= 0) close(number_);
    }
    int number() const { return number_; }

private:
    int number_;
};

sockaddr_un addressOf(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) {
        throw std::runtime_error{"The path of the control socket, " + path +
                                 ", is longer than the " +
                                 std::to_string(sizeof address.sun_path - 1) +
                                 " bytes that a socket's path may have. Set control.socket to a "
                                 "shorter one."};
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

// Whether somebody still listens at a socket file, or it was left behind by a crash.
bool isAlive(const sockaddr_un& address) {
    const Descriptor probe{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    return connect(probe.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) ==
               0 ||
           errno == EAGAIN;
}

Descriptor listenAt(const std::string& path, bool forOthers) {
    const auto address = addressOf(path);
    Descriptor listener{socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
    if (listener.number() < 0) failed("The control socket cannot be made");
    const auto bindNow = [&] {
        return bind(listener.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    };
    if (bindNow() != 0) {
        struct stat status{};
        const bool isSocket =
            errno == EADDRINUSE && lstat(path.c_str(), &status) == 0 && S_ISSOCK(status.st_mode);
        if (!isSocket) failed("The control socket " + path + " cannot be made");
        if (isAlive(address)) {
            throw std::runtime_error{"Another server answers at the control socket " + path + "."};
        }
        unlink(path.c_str());
        if (bindNow() != 0) failed("The control socket " + path + " cannot be made");
    }
    // Others reach the socket only if the file lets them; who they are is checked after that.
    chmod(path.c_str(), forOthers ? 0666 : 0600);
    if (listen(listener.number(), 16) != 0) failed("The control socket cannot listen");
    return listener;
}

// Where handlers leave what they have to say; lives as long as anybody who may.
struct Outbox {
    struct Line {
        std::uint64_t connection;
        std::string text;
        bool endsRequest;
    };

    explicit Outbox(int wakeUp) : wake{wakeUp} {}

    void add(Line line) {
        const std::lock_guard lock{mutex};
        if (isClosed) return;
        if (!line.endsRequest) {
            if (progressBytes + line.text.size() > progressBytesMax) return;
            progressBytes += line.text.size();
        }
        lines.push_back(std::move(line));
        wakeUp();
    }
    std::vector<Line> take() {
        const std::lock_guard lock{mutex};
        progressBytes = 0;
        return std::exchange(lines, {});
    }
    void close() {
        const std::lock_guard lock{mutex};
        isClosed = true;
        lines.clear();
    }
    void wakeUp() {
        const std::uint64_t one = 1;
        [[maybe_unused]] const auto wrote = write(wake.number(), &one, sizeof one);
    }

    std::mutex mutex;
    std::vector<Line> lines;
    std::size_t progressBytes = 0;
    bool isClosed = false;
    Descriptor wake;
};

struct Connection {
    std::uint64_t id = 0;
    Descriptor socket;
    Caller caller;
    std::string input;
    std::string output;
    std::size_t searched = 0;  // of `input`, without a line's end
    bool hasGreeted = false;
    bool isBusy = false;     // a request is under way
    bool isAtEnd = false;    // the tool says nothing more
    bool isClosing = false;  // ends when `output` has gone
    CommandRegistry::CallPtr call;
    std::uint64_t lastUse = 0;
};

}  // namespace

class ControlSocket::Server {
public:
    Server(CommandRegistry& registry, Executor& executor, ControlSocketSettings settings)
        : registry_{registry},
          executor_{executor},
          settings_{std::move(settings)},
          rules_{settings_.allow},
          listener_{listenAt(settings_.path, rules_.allowsOthers())},
          outbox_{std::make_shared<Outbox>(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK))} {
        // Signals are for the main thread.
        sigset_t all, before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        thread_ = std::thread{[this] { run(); }};
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }

    ~Server() {
        isStopping_ = true;
        outbox_->wakeUp();
        thread_.join();
        unlink(settings_.path.c_str());
    }

private:
    void run() {
        std::vector<pollfd> polled;
        while (!isStopping_) {
            polled.clear();
            polled.push_back({outbox_->wake.number(), POLLIN, 0});
            polled.push_back(
                {listener_.number(), static_cast<short>(isOutOfFiles_ ? 0 : POLLIN), 0});
            for (const auto& connection : connections_) {
                polled.push_back({connection.socket.number(), wantedEvents(connection), 0});
            }
            // Without free descriptors the listener would report the same newcomer without end.
            poll(polled.data(), polled.size(), isOutOfFiles_ ? 1000 : -1);
            isOutOfFiles_ = false;

            if (polled[0].revents != 0) drainWakeUps();
            deliver();
            auto entry = polled.begin() + 2;
            for (auto& connection : connections_) serve(connection, (entry++)->revents);
            deliver();
            removeEnded();
            if (polled[1].revents != 0) acceptAll();
        }
        deliver();
        outbox_->close();
        for (auto& connection : connections_) {
            if (connection.call) connection.call->abandon();
        }
        connections_.clear();
    }

    static short wantedEvents(const Connection& connection) {
        short events = 0;
        // A busy connection's next request waits in the kernel.
        if (!connection.isBusy && !connection.isAtEnd && !connection.isClosing) events |= POLLIN;
        if (!connection.output.empty()) events |= POLLOUT;
        return events;
    }

    void drainWakeUps() {
        std::uint64_t count = 0;
        [[maybe_unused]] const auto got = read(outbox_->wake.number(), &count, sizeof count);
    }

    // Hands out what handlers have said; more may come of it, as a connection's next request
    // begins.
    void deliver() {
        for (auto lines = outbox_->take(); !lines.empty(); lines = outbox_->take()) {
            for (auto& line : lines) {
                const auto found =
                    std::find_if(connections_.begin(), connections_.end(),
                                 [&](const auto& one) { return one.id == line.connection; });
                if (found == connections_.end()) continue;
                if (!line.endsRequest && found->output.size() > progressBytesMax) continue;
                found->output += line.text;
                if (line.endsRequest) {
                    found->isBusy = false;
                    found->call.reset();
                    found->lastUse = ++useClock_;
                }
                send(*found);
                if (line.endsRequest) handleLines(*found);
            }
        }
    }

    void serve(Connection& connection, short events) {
        if (events == 0) return;
        if (events & (POLLERR | POLLNVAL)) return end(connection);
        if (events & POLLOUT) send(connection);
        if (events & POLLIN) receive(connection);
        // Both directions are closed: nobody would read an answer. What was sent before is read
        // first.
        if ((events & POLLHUP) && !(events & POLLIN)) end(connection);
    }

    void end(Connection& connection) {
        connection.isClosing = true;
        connection.output.clear();
        if (connection.call) connection.call->abandon();
    }

    void removeEnded() {
        std::erase_if(connections_, [](const auto& connection) {
            const bool isDone = connection.isAtEnd && !connection.isBusy;
            return connection.output.empty() && (connection.isClosing || isDone);
        });
    }

    void acceptAll() {
        for (;;) {
            Descriptor socket{
                accept4(listener_.number(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK)};
            if (socket.number() < 0) {
                isOutOfFiles_ =
                    errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
                return;
            }
            admit(std::move(socket));
        }
    }

    void admit(Descriptor socket) {
        const auto peer = peerOf(socket.number());
        Connection connection;
        connection.socket = std::move(socket);
        connection.id = ++lastId_;
        connection.lastUse = ++useClock_;
        if (peer) connection.caller = {userName(peer->user), Permission::Administer, "socket"};
        if (!peer || !rules_.mayEnter(*peer)) {
            refusals.add();
            log.notice("control refused", {{"user", connection.caller.name}});
            refuse(connection, "forbidden",
                   "The user " + connection.caller.name + " may not control this server.",
                   "Use sudo, or let the user in by control.allow in the configuration.");
        } else if (connections_.size() >= settings_.connectionsMax && !makeRoom()) {
            refusals.add();
            refuse(connection, "unavailable", "Too many tools are connected, all of them busy.",
                   "Try again in a moment.");
        }
        if (connection.isClosing && connection.output.empty()) return;
        connections_.push_back(std::move(connection));
    }

    bool makeRoom() {
        auto oldest = connections_.end();
        for (auto one = connections_.begin(); one != connections_.end(); ++one) {
            if (one->isBusy) continue;
            if (oldest == connections_.end() || one->lastUse < oldest->lastUse) oldest = one;
        }
        if (oldest == connections_.end()) return false;
        connections_.erase(oldest);
        return true;
    }

    void receive(Connection& connection) {
        char bytes[readBytes];
        const auto got = recv(connection.socket.number(), bytes, sizeof bytes, 0);
        if (got < 0) {
            if (errno != EAGAIN && errno != EINTR) end(connection);
            return;
        }
        if (got == 0) connection.isAtEnd = true;
        connection.input.append(bytes, static_cast<std::size_t>(got));
        handleLines(connection);
    }

    // Until a request is under way or the input has no further line.
    void handleLines(Connection& connection) {
        while (!connection.isBusy && !connection.isClosing) {
            const auto lineEnd = connection.input.find('\n', connection.searched);
            const auto bytes = std::min(lineEnd, connection.input.size());
            if (bytes > settings_.requestBytesMax) {
                return refuse(connection, "too-large",
                              "A request has more than " +
                                  std::to_string(settings_.requestBytesMax) + " bytes.");
            }
            if (lineEnd == std::string::npos) {
                connection.searched = connection.input.size();
                return;
            }
            const auto line = connection.input.substr(0, lineEnd);
            connection.input.erase(0, lineEnd + 1);
            connection.searched = 0;
            connection.lastUse = ++useClock_;
            if (line.find_first_not_of(" \t\r") != std::string::npos) handle(connection, line);
        }
    }

    void handle(Connection& connection, const std::string& line) {
        requests.add();
        try {
            const auto request = wire::readRequest(line);
            if (const auto* hello = std::get_if<wire::Hello>(&request)) {
                greet(connection, *hello);
            } else if (!connection.hasGreeted) {
                refuse(connection, "protocol", "A tool says hello first.");
            } else if (const auto* list = std::get_if<wire::ListRequest>(&request)) {
                reply(connection, wire::ListReply{list->id, registry_.list()});
            } else {
                begin(connection, std::get<wire::CallRequest>(request));
            }
        } catch (const wire::Malformed& malformed) {
            // After what is no request the next line might be the rest of it.
            refuse(connection, "malformed", malformed.what());
        }
    }

    void greet(Connection& connection, const wire::Hello& hello) {
        if (hello.protocol != wire::protocol) {
            return refuse(connection, "protocol",
                          settings_.program + " speaks version " + std::to_string(wire::protocol) +
                              " of the control protocol, " + hello.program.substr(0, 100) +
                              " another one.",
                          "Use the epodectl that was installed with the server.");
        }
        connection.hasGreeted = true;
        reply(connection, wire::Hello{wire::protocol, settings_.program});
    }

    void begin(Connection& connection, const wire::CallRequest& request) {
        connection.isBusy = true;
        auto done = [outbox = outbox_, connection = connection.id,
                     id = request.id](CommandResult result) {
            outbox->add({connection,
                         wire::write(wire::Reply{wire::ResultReply{id, std::move(result)}}) + "\n",
                         true});
        };
        auto progress = [outbox = outbox_, connection = connection.id,
                         id = request.id](const Progress& step) {
            outbox->add({connection, wire::write(wire::Reply{wire::ProgressReply{id, step}}) + "\n",
                         false});
        };
        connection.call = registry_.call(request.command, request.arguments, connection.caller,
                                         executor_, std::move(done), std::move(progress));
    }

    void reply(Connection& connection, const wire::Reply& message) {
        connection.output += wire::write(message) + "\n";
        send(connection);
    }

    void refuse(Connection& connection, std::string code, std::string message,
                std::string hint = {}) {
        connection.isClosing = true;
        connection.input.clear();
        reply(connection,
              wire::ResultReply{
                  0, CommandResult::refusal(std::move(code), std::move(message), std::move(hint))});
    }

    void send(Connection& connection) {
        std::size_t sent = 0;
        while (sent < connection.output.size()) {
            const auto bytes = ::send(connection.socket.number(), connection.output.data() + sent,
                                      connection.output.size() - sent, MSG_NOSIGNAL);
            if (bytes < 0) {
                if (errno == EINTR) continue;
                if (errno != EAGAIN) return end(connection);
                break;
            }
            sent += static_cast<std::size_t>(bytes);
        }
        connection.output.erase(0, sent);
    }

    CommandRegistry& registry_;
    Executor& executor_;
    const ControlSocketSettings settings_;
    const PeerRules rules_;
    const Descriptor listener_;
    const std::shared_ptr<Outbox> outbox_;

    std::list<Connection> connections_;
    std::uint64_t lastId_ = 0;
    std::uint64_t useClock_ = 0;
    bool isOutOfFiles_ = false;
    std::atomic<bool> isStopping_{false};
    std::thread thread_;
};

ControlSocket::ControlSocket(CommandRegistry& registry, Executor& executor,
                             ControlSocketSettings settings)
    : server_{std::make_unique<Server>(registry, executor, std::move(settings))} {}

ControlSocket::~ControlSocket() = default;

}  // namespace epode
