// `epodectl announce`, `motd` and `welcome`.
#pragma once

#include "core/command.h"
#include "route/background.h"

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace epode {

class Server;

namespace announce {

std::vector<Command> announceCommands(Server& server);

// Wakes those who tell what is in the store, when a command has changed it. One for each server.
class ChangeBoard {
public:
    static std::shared_ptr<ChangeBoard> of(Server& server);
    void watch(const std::string& host,
               std::weak_ptr<Waker> waker);  // in the place of who watched before
    void changed(const std::string& host);

private:
    std::mutex mutex_;
    std::map<std::string, std::weak_ptr<Waker>> watching_;  // by host
};

}  // namespace announce
}  // namespace epode
