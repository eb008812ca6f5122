// The UNIX socket through which tools control the server (see wire.h for what is said). The kernel
// tells who is at the other end: root, the server's own user, and those whom control.allow names
// may come in.
//
// It runs on a thread of its own, so that it answers though every shard is busy; handlers start on
// the executor that is given. A connection has one request under way; more wait in the socket.
#pragma once

#include "control/command_registry.h"

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace epode {

struct ControlSocketSettings {
    std::string path;
    std::vector<std::string> allow;  // users, and groups with an @ before them
    std::string program;             // "epoded 0.1.0", told to tools
    std::size_t requestBytesMax = 1u << 20;
    // A newcomer takes the place of the connection that has been idle the longest; when all are
    // busy it is refused.
    std::size_t connectionsMax = 32;
};

class ControlSocket {
public:
    // Listens from now on. Throws std::runtime_error with a sentence for people when it can't.
    // `registry` and `executor` must outlive it.
    ControlSocket(CommandRegistry& registry, Executor& executor, ControlSocketSettings settings);
    // Says what there is to say to those connected, without waiting for slow ones, and removes the
    // file.
    ~ControlSocket();
    ControlSocket(const ControlSocket&) = delete;
    ControlSocket& operator=(const ControlSocket&) = delete;

private:
    class Server;
    std::unique_ptr<Server> server_;
};

}  // namespace epode
