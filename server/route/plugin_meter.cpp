#include "route/plugin_meter.h"

namespace epode {

std::atomic<std::size_t>& PluginMeter::nextThread() {
    static std::atomic<std::size_t> next{0};
    return next;
}

PluginMeter::Reading PluginMeter::read(Kind kind) const {
    Reading all;
    std::uint64_t nanoseconds = 0;
    for (const auto& thread : cells_) {
        const auto& cell = thread[std::size_t(kind)];
        all.calls += cell.calls.load(std::memory_order_relaxed);
        all.failures += cell.failures.load(std::memory_order_relaxed);
        nanoseconds += cell.nanoseconds.load(std::memory_order_relaxed);
    }
    all.time = Duration{std::int64_t(nanoseconds)};
    return all;
}

PluginMeter::Reading PluginMeter::read() const {
    Reading all;
    for (std::size_t kind = 0; kind < kinds; ++kind) {
        const auto some = read(Kind(kind));
        all.calls += some.calls;
        all.failures += some.failures;
        all.time += some.time;
    }
    return all;
}

}  // namespace epode
