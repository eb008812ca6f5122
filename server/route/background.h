// Work that plugins do by the clock, for the whole server: on the first shard, one run at a time.
#pragma once

#include "core/executor.h"
#include "core/task.h"
#include "core/time.h"
#include "route/plugin_meter.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace epode {

struct Services;

struct BackgroundWork {
    std::string owner;  // the plugin's name
    Duration first;     // until the first run
    // One bounded step; returns how long to wait before the next. A run that throws is repeated
    // after a minute.
    std::function<Task<Duration>()> run;
    PluginMeter* meter = nullptr;
};

// The work that is wired into one host. Lives on the executor's thread, or after it has ended.
class Background {
public:
    // Ends what was there before; a step under way goes on to its end, and `services` live until
    // then.
    void start(Executor& executor, std::shared_ptr<const Services> services);

private:
    struct Job;
    static void wait(const std::shared_ptr<Job>& job, Duration duration);
    static void run(const std::shared_ptr<Job>& job);

    std::vector<std::shared_ptr<Job>> jobs_;
};

}  // namespace epode
