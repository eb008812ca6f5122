// When is a client's stanza safe? (XEP-0198: <a/> promises that we have taken responsibility.)
//
// Every stanza that counts gets a Hold. Whoever still has to do something for it keeps a copy: the
// router while it travels to another shard, the database until the commit, a handler until its answer.
// When the last copy is gone, the stanza is safe; the window then acknowledges the prefix of safe ones.
#pragma once

#include "core/executor.h"
#include "core/queue.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace epode {

class Hold;

// The stanzas of one session in the order of their arrival. Lives on the session's executor; the
// holds may be dropped anywhere. Numbers wrap at 2^32 as in XEP-0198.
class AckWindow : public std::enable_shared_from_this<AckWindow> {
public:
    // `advanced` is called on `executor` whenever `safe()` has grown.
    AckWindow(Executor& executor, std::uint32_t start = 0);
    void setAdvanced(UniqueFunction<void()> advanced) { advanced_ = std::move(advanced); }

    // One more stanza was received.
    Hold receive();

    std::uint32_t received() const { return received_; }
    std::uint32_t safe() const { return safe_; }
    std::size_t unsafe() const { return received_ - safe_; }

private:
    friend class Hold;
    void release(std::uint32_t number);

    Executor& executor_;
    std::uint32_t received_;
    std::uint32_t safe_;
    Queue<char> done_;  // of the stanzas after `safe_`; 1: safe
    UniqueFunction<void()> advanced_;
};

class Hold {
public:
    Hold() = default;  // holds nothing: for what no client waits for
    Hold(const Hold& other) : state_{other.state_} {
        if (state_) state_->references.fetch_add(1, std::memory_order_relaxed);
    }
    Hold(Hold&& other) noexcept : state_{std::exchange(other.state_, nullptr)} {}
    Hold& operator=(Hold other) noexcept {
        std::swap(state_, other.state_);
        return *this;
    }
    ~Hold() {
        if (state_ && state_->references.fetch_sub(1, std::memory_order_acq_rel) == 1) last();
    }
    explicit operator bool() const { return state_ != nullptr; }

private:
    friend class AckWindow;
    struct State {
        std::atomic<std::uint32_t> references{1};
        std::uint32_t number;
        std::shared_ptr<AckWindow> window;
    };
    explicit Hold(State* state) : state_{state} {}
    void last();

    State* state_ = nullptr;
};

}  // namespace epode
