#include "net/happy_eyeballs.h"

#include <algorithm>
#include <utility>

namespace epode {

HappyEyeballs::HappyEyeballs(Dialer& dialer, Executor& executor, Settings settings, Failed failed)
    : dialer_{dialer}, executor_{executor}, settings_{settings}, failed_{std::move(failed)} {}

HappyEyeballs::~HappyEyeballs() = default;

void HappyEyeballs::add(const DialAddress& address) {
    waiting_.push_back(address);
    if (done_ && !stagger_) go();
}

void HappyEyeballs::complete() {
    isComplete_ = true;
    if (done_ && running_.empty() && waiting_.empty()) go();
}

void HappyEyeballs::next(Done done) {
    done_ = std::move(done);
    go();
}

// What ends the waiting runs in a turn of its own: who calls us may not expect to be destroyed.
void HappyEyeballs::go() {
    if (!waiting_.empty()) {
        begin();
        return;
    }
    if (!running_.empty() || !isComplete_) return;
    stagger_ = executor_.after(Duration::zero(), [this] {
        stagger_ = {};
        if (!done_ || !waiting_.empty() || !running_.empty()) return;
        auto done = std::exchange(done_, {});
        done(nullptr, {});
    });
}

void HappyEyeballs::begin() {
    const DialAddress address = waiting_.front();
    waiting_.pop_front();
    const std::size_t number = numbers_++;
    running_.emplace_back(number, Running{address, nullptr});
    running_.back().second.attempt = dialer_.dial(
        executor_, address.address, settings_.timeout,
        [this, number](std::unique_ptr<Transport> transport, std::string_view problem) {
            ended(number, std::move(transport), problem);
        });
    stagger_ = executor_.after(settings_.stagger, [this] {
        stagger_ = {};
        if (done_) go();
    });
}

void HappyEyeballs::ended(std::size_t number, std::unique_ptr<Transport> transport,
                          std::string_view problem) {
    const auto found = std::find_if(running_.begin(), running_.end(),
                                    [number](const auto& one) { return one.first == number; });
    const DialAddress address = found->second.address;
    // It may be dropped within its own call.
    running_.erase(found);
    if (!transport) {
        failed_(address, problem);
        stagger_ = {};
        go();
        return;
    }
    stagger_ = {};
    for (auto it = running_.rbegin(); it != running_.rend(); ++it)
        waiting_.push_front(it->second.address);
    running_.clear();
    auto done = std::exchange(done_, {});
    done(std::move(transport), address);
}

}  // namespace epode
