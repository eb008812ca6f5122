// Tells the caller of a command that takes long how far it is: once a second, so that nobody is
// flooded.
#pragma once

#include "core/command.h"

#include <chrono>
#include <cstdint>

namespace epode {

// The call lives until its task is done. Used by one thread at a time.
class TellProgress {
public:
    TellProgress(CommandCall& call, const char* what) : call_{call}, what_{what} {}

    // False when nobody waits for the command any more.
    bool operator()(std::int64_t done, std::int64_t total = 0) {
        const auto now = std::chrono::steady_clock::now();
        if (now - last_ >= std::chrono::seconds{1}) {
            last_ = now;
            call_.progress({.text = what_, .done = done, .total = total});
        }
        return !call_.isAbandoned();
    }

private:
    CommandCall& call_;
    const char* what_;
    std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
};

}  // namespace epode
