// The tool's end of the control socket.
#pragma once

#include "control/wire.h"
#include "core/time.h"

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

namespace epode::admin {

// No server answers; the text says which sockets were tried and why each failed. Exit code 3.
class NoConnection : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};
// Exit code 4.
class TimedOut : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};
// The server wouldn't speak with us. Exit code 1.
class Refused : public std::runtime_error {
public:
    explicit Refused(CommandError error)
        : std::runtime_error{error.message}, error_{std::move(error)} {}
    const CommandError& error() const { return error_; }

private:
    CommandError error_;
};

// Where a server may listen: `wanted` alone if it is given, else $EPODE_CONTROL, else the places of
// a packaged server and of one started by hand in this folder.
std::vector<std::string> socketCandidates(const std::string& wanted);

class Client {
public:
    // Connects to the first candidate that answers, and says hello.
    Client(const std::vector<std::string>& candidates, Duration timeout);
    ~Client();
    Client(const Client&) = delete;
    Client& operator=(const Client&) = delete;

    std::vector<CommandInfo> commands();
    CommandResult call(const std::string& command, const RawArguments& arguments,
                       const std::function<void(const Progress&)>& onProgress);

private:
    void send(const std::string& line);
    wire::Reply receive();
    std::string receiveLine();

    int socket_ = -1;
    Duration timeout_;
    std::string path_;
    std::string input_;
    std::int64_t lastId_ = 0;
};

}  // namespace epode::admin
