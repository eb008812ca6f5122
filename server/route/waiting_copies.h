// Which messages that wait in the log a session has got already, as copies: with a negative
// priority it takes no messages of its own, and sees by carbons (XEP-0280) what comes nevertheless.
// When it begins to take messages, they are not given to it once more.
#pragma once

#include <cstdint>
#include <map>

namespace epode {

class WaitingCopies {
public:
    enum class State : std::uint8_t {
        None,
        Sent,     // and not acknowledged
        Arrived,  // or sent to a client that acknowledges nothing
    };

    // Bounded: of what is forgotten here a client may get the message besides its copy.
    void note(std::int64_t stamp, State state) {
        constexpr std::size_t copiesMax = 1000;
        if (copies_.size() >= copiesMax) copies_.erase(copies_.begin());
        copies_.insert_or_assign(stamp, state);
    }
    void arrived(std::int64_t stamp) {
        const auto found = copies_.find(stamp);
        if (found != copies_.end()) found->second = State::Arrived;
    }
    bool has(std::int64_t stamp) const { return copies_.contains(stamp); }
    // The message itself is due: what became of its copy, which is forgotten.
    State take(std::int64_t stamp) {
        const auto found = copies_.extract(stamp);
        return found ? found.mapped() : State::None;
    }
    const std::map<std::int64_t, State>& all() const { return copies_; }

private:
    std::map<std::int64_t, State> copies_;
};

}  // namespace epode
