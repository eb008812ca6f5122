// How often each of many strangers may do something.
#pragma once

#include "core/time.h"

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

namespace epode {

// `most` times at once for everybody, given back evenly within `period`. Thread-safe.
class Quota {
public:
    Quota(std::int64_t most, Duration period);  // `most` 0: no limit

    // Counts, and says whether it was within the limit. What is refused does not count.
    bool take(std::string_view who, SteadyTime now);
    std::size_t size() const { return used_.size(); }  // who is remembered

private:
    struct Used {
        double times = 0;
        SteadyTime at;
    };
    double left(const Used& used, SteadyTime now) const;
    void sweep(SteadyTime now);

    const double most_;
    const double perNanosecond_;
    std::mutex mutex_;
    std::unordered_map<std::string, Used> used_;
    std::size_t sweepAt_;
};

}  // namespace epode
