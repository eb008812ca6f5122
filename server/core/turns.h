// Changes that must see each other's result, one after the other, on one thread.
#pragma once

#include "core/executor.h"
#include "core/task.h"

#include <deque>
#include <memory>
#include <utility>

namespace epode {

// Who waits keeps the queue alive, whatever becomes of this object.
class Turns {
    struct Queue {
        bool isTaken = false;
        std::deque<Callback<bool>::Resolve> waiting;
    };

public:
    // The turn is over when this ends.
    class Turn {
    public:
        Turn() = default;
        explicit Turn(std::shared_ptr<Queue> queue) : queue_{std::move(queue)} {}
        Turn(Turn&&) noexcept = default;
        Turn& operator=(Turn&& other) noexcept {
            std::swap(queue_, other.queue_);
            return *this;
        }
        ~Turn() {
            if (queue_) next(std::move(queue_));
        }

    private:
        std::shared_ptr<Queue> queue_;
    };

    Task<Turn> take() const {
        std::shared_ptr<Queue> queue = queue_;
        if (queue->isTaken) {
            Callback<bool> wait{[&queue](Callback<bool>::Resolve resolve) {
                queue->waiting.push_back(std::move(resolve));
            }};
            (void)co_await wait;
        }
        queue->isTaken = true;
        co_return Turn(std::move(queue));
    }

    // Whether somebody has it now.
    bool isTaken() const { return queue_->isTaken; }

private:
    // Posted, so that many who wait don't stand on each other's stack. Meanwhile the turn stays
    // taken.
    static void next(std::shared_ptr<Queue> queue) {
        if (queue->waiting.empty()) {
            queue->isTaken = false;
            return;
        }
        auto resolve = std::move(queue->waiting.front());
        queue->waiting.pop_front();
        Executor::current()->post([resolve = std::move(resolve)]() mutable { resolve(true); });
    }

    std::shared_ptr<Queue> queue_ = std::make_shared<Queue>();
};

}  // namespace epode
