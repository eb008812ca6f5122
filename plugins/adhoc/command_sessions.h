// The commands that people are in the middle of (XEP-0050, 3.3), by session id.
#pragma once

#include "core/jid.h"
#include "core/time.h"
#include "long_call.h"
#include "route/ad_hoc.h"

#include <cstddef>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace epode::adhoc {

struct CommandSession {
    std::string id;
    Jid caller;  // the full address: a session is one client's
    std::string node;
    std::vector<DataForm> answers;  // to the questions before the one that is open
    DataForm question{FormKind::Form};
    bool isLast = false;
    // When the questions are over and the command takes its time. It ends with its session.
    std::shared_ptr<LongCall> running{};
    SteadyTime expires;
};

// Bounded in time and number. An id tells whom it was given to and for which command, so that one
// that has ended is told from one that never was. Thread-safe.
class CommandSessions {
public:
    struct Limits {
        std::size_t most;
        std::size_t perCallerMost;  // of an account
        Duration lifetime;
    };
    explicit CommandSessions(Limits limits);

    enum class Missing : std::uint8_t { NeverWas, HasEnded };

    std::string newId(const Jid& caller, std::string_view node) const;
    // Out of the table: whoever takes a session goes on with it alone, and puts it back if it goes
    // on.
    std::variant<CommandSession, Missing> take(std::string_view id, const Jid& caller,
                                               std::string_view node, SteadyTime now);
    // False when there are too many. It lives on from now.
    bool put(CommandSession session, SteadyTime now);
    std::size_t size() const;

private:
    std::string proof(std::string_view random, const Jid& caller, std::string_view node) const;
    void sweep(SteadyTime now);

    const Limits limits_;
    const std::string key_;
    mutable std::mutex mutex_;
    std::map<std::string, CommandSession, std::less<>> sessions_;
};

}  // namespace epode::adhoc
