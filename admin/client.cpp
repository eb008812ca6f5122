#include "admin/client.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <system_error>

namespace epode::admin {

namespace {

constexpr const char* packagedSocket = "/run/epode/control.sock";
constexpr const char* localSocket = "data/control.sock";

std::string reason(int error) { return std::generic_category().message(error); }

// A connected socket, or the error.
int connectTo(const std::string& path, int& error) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) {
        error = ENAMETOOLONG;
        return -1;
    }
    std::memcpy(address.sun_path, path.data(), path.size());
    const int made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made >= 0 &&
        connect(made, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0) {
        return made;
    }
    error = errno;
    if (made >= 0) close(made);
    return -1;
}

std::string hintFor(int error) {
    if (error == EACCES || error == EPERM) {
        return "Use sudo, or let your user in by control.allow in the server's configuration.";
    }
    return "Is epoded running? Its socket can be named by --socket or EPODE_CONTROL.";
}

}  // namespace

std::vector<std::string> socketCandidates(const std::string& wanted) {
    if (!wanted.empty()) return {wanted};
    if (const char* given = std::getenv("EPODE_CONTROL"); given && *given) return {given};
    return {packagedSocket, localSocket};
}

Client::Client(const std::vector<std::string>& candidates, Duration timeout) : timeout_{timeout} {
    std::string tried;
    int error = 0, worst = 0;
    for (const auto& path : candidates) {
        socket_ = connectTo(path, error);
        path_ = path;
        if (socket_ >= 0) break;
        tried += "\n  " + path + ": " + reason(error);
        // That somebody may not is more than that nothing is there.
        if (worst != EACCES) worst = error;
    }
    if (socket_ < 0) throw NoConnection{"No server answers." + tried + "\n" + hintFor(worst)};
    send(wire::write(wire::Request{wire::Hello{wire::protocol, "epodectl " EPODE_VERSION}}));
    const auto reply = receive();
    if (const auto* result = std::get_if<wire::ResultReply>(&reply);
        result && result->result.isRefusal()) {
        close(socket_);
        socket_ = -1;
        throw Refused{result->result.error()};
    }
}

Client::~Client() {
    if (socket_ >= 0) close(socket_);
}

std::vector<CommandInfo> Client::commands() {
    send(wire::write(wire::Request{wire::ListRequest{++lastId_}}));
    auto reply = receive();
    if (auto* list = std::get_if<wire::ListReply>(&reply)) return std::move(list->commands);
    if (const auto* result = std::get_if<wire::ResultReply>(&reply);
        result && result->result.isRefusal()) {
        throw Refused{result->result.error()};
    }
    throw NoConnection{"What answers at " + path_ + " is no Epode server."};
}

CommandResult Client::call(const std::string& command, const RawArguments& arguments,
                           const std::function<void(const Progress&)>& onProgress) {
    const wire::CallRequest request{++lastId_, command, arguments};
    send(wire::write(wire::Request{request}));
    for (;;) {
        auto reply = receive();
        if (const auto* progress = std::get_if<wire::ProgressReply>(&reply)) {
            if (onProgress) onProgress(progress->progress);
        } else if (auto* result = std::get_if<wire::ResultReply>(&reply)) {
            return std::move(result->result);
        }
    }
}

void Client::send(const std::string& line) {
    const auto text = line + "\n";
    std::size_t sent = 0;
    while (sent < text.size()) {
        const auto bytes = ::send(socket_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
        if (bytes < 0 && errno == EINTR) continue;
        // The server may have said why it closes: that is read instead.
        if (bytes < 0) return;
        sent += static_cast<std::size_t>(bytes);
    }
}

wire::Reply Client::receive() {
    const auto line = receiveLine();
    try {
        return wire::readReply(line);
    } catch (const wire::Malformed&) {
        throw NoConnection{"What answers at " + path_ + " is no Epode server."};
    }
}

std::string Client::receiveLine() {
    using Clock = std::chrono::steady_clock;
    const auto deadline = Clock::now() + timeout_;
    for (;;) {
        if (const auto end = input_.find('\n'); end != std::string::npos) {
            auto line = input_.substr(0, end);
            input_.erase(0, end + 1);
            return line;
        }
        int wait = -1;
        if (timeout_.count() > 0) {
            const auto left =
                std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
            wait = static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
            if (left <= 0) {
                throw TimedOut{"The server has not answered within " + toText(timeout_) +
                               ". It may still be at work; --timeout waits longer."};
            }
        }
        pollfd polled{socket_, POLLIN, 0};
        if (poll(&polled, 1, wait) <= 0) continue;
        char bytes[65536];
        const auto got = recv(socket_, bytes, sizeof bytes, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) throw NoConnection{"The server closed the connection without an answer."};
        input_.append(bytes, static_cast<std::size_t>(got));
    }
}

}  // namespace epode::admin
