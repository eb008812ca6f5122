// A hook whose handlers may wait: for requests, never on the way of every message.
#pragma once

#include "core/task.h"
#include "route/hooks.h"

#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace epode {

template <typename E>
class AsyncHook {
public:
    using Handler = std::function<Task<void>(E&)>;

    void add(std::string_view owner, Handler handler) {
        entries_.push_back({std::string{owner}, std::move(handler)});
    }
    bool empty() const { return entries_.empty(); }

    // One handler after the other, until one sets the event's `refusal`. The event and the services
    // live until it is done, which is the caller's matter; what a handler throws is the caller's as
    // well.
    Task<void> run(E& event) const {
        for (const Entry& entry : entries_) {
            const auto handled = entry.handler(event);
            co_await handled;
            if (event.refusal) co_return;
        }
    }

private:
    struct Entry {
        std::string owner;
        Handler handler;
    };
    std::vector<Entry> entries_;
};

}  // namespace epode
