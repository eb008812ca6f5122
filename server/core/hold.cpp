#include "core/hold.h"

namespace epode {

AckWindow::AckWindow(Executor& executor, std::uint32_t start)
    : executor_{executor}, received_{start}, safe_{start} {}

Hold AckWindow::receive() {
    ++received_;
    done_.push_back(0);
    return Hold(new Hold::State{.number = received_, .window = shared_from_this()});
}

void AckWindow::release(std::uint32_t number) {
    done_[number - safe_ - 1] = 1;
    const auto before = safe_;
    while (!done_.empty() && done_.front()) {
        done_.pop_front();
        ++safe_;
    }
    if (safe_ != before && advanced_) advanced_();
}

void Hold::last() {
    auto window = std::move(state_->window);
    const auto number = state_->number;
    delete std::exchange(state_, nullptr);
    Executor& executor = window->executor_;
    if (executor.isCurrent()) {
        window->release(number);
        return;
    }
    executor.post([window = std::move(window), number] { window->release(number); });
}

}  // namespace epode
