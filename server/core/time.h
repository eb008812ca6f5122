// The two clocks of the server, as types that cannot be mixed up.
#pragma once

#include <chrono>
#include <cstdint>

namespace epode {

using Duration = std::chrono::nanoseconds;

// Monotonic: for timers and limits. Never shown to anybody.
using SteadyTime = std::chrono::time_point<std::chrono::steady_clock, Duration>;

// Wall clock in whole milliseconds since 1970: for stamps. May jump.
using WallTime = std::chrono::time_point<std::chrono::system_clock, std::chrono::milliseconds>;

constexpr std::int64_t toMilliseconds(WallTime time) { return time.time_since_epoch().count(); }
constexpr WallTime fromMilliseconds(std::int64_t value) {
    return WallTime{std::chrono::milliseconds{value}};
}

}  // namespace epode
