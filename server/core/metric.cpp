#include "core/metric.h"

#include <algorithm>
#include <mutex>

namespace epode {

namespace {

struct Registry {
    std::mutex mutex;
    std::vector<const Metric*> metrics;
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
    registry().metrics.push_back(this);
}

Metric::~Metric() {
    const std::lock_guard lock{registry().mutex};
    std::erase(registry().metrics, this);
}

std::vector<const Metric*> Metric::all() {
    std::vector<const Metric*> found;
    {
        const std::lock_guard lock{registry().mutex};
        found = registry().metrics;
    }
    std::sort(found.begin(), found.end(),
              [](const Metric* a, const Metric* b) { return a->name() < b->name(); });
    return found;
}

}  // namespace epode
