#include "core/metric.h"

#include <algorithm>
#include <mutex>

namespace epode {

namespace {

struct Registry {
    std::mutex mutex;
    std::vector<Metric*> metrics;
    std::size_t made = 0;
};

// Never destroyed: the metrics of other files are, in an order that nobody knows.
Registry& registry() {
    static auto* instance = new Registry;
    return *instance;
}

}  // namespace

Metric::Metric(Kind kind, std::string_view name, std::string_view help)
    : kind_{kind}, name_{name}, help_{help} {
    const std::lock_guard lock{registry().mutex};
    number_ = ++registry().made;
    registry().metrics.push_back(this);
}

Metric::~Metric() {
    const std::lock_guard lock{registry().mutex};
    std::erase(registry().metrics, this);
}

std::size_t Metric::mark() {
    const std::lock_guard lock{registry().mutex};
    return registry().made;
}

std::vector<Metric*> Metric::madeSince(std::size_t mark) {
    const std::lock_guard lock{registry().mutex};
    std::vector<Metric*> found;
    for (Metric* metric : registry().metrics)
        if (metric->number_ > mark) found.push_back(metric);
    return found;
}

std::vector<const Metric*> Metric::all() {
    std::vector<const Metric*> found;
    {
        const std::lock_guard lock{registry().mutex};
        for (const Metric* metric : registry().metrics)
            if (!metric->isHidden_.load(std::memory_order_relaxed)) found.push_back(metric);
    }
    std::sort(found.begin(), found.end(),
              [](const Metric* a, const Metric* b) { return a->name() < b->name(); });
    return found;
}

}  // namespace epode
