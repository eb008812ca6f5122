// Work that plugins do by the clock, for the whole server: on the first shard, one run at a time.
#pragma once

#include "core/executor.h"
#include "core/task.h"
#include "core/time.h"
#include "route/plugin_meter.h"

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace epode {

struct Services;

// Ends the wait of a work before its time: there is something to do. From any thread, also when the work
// runs (then it runs once more), has ended, or has never begun.
class Waker {
public:
    void wake();

private:
    friend class Background;
    void connect(std::function<void()> wake);
    std::mutex mutex_;
    std::function<void()> wake_;
};

struct BackgroundWork {
    std::string owner;  // the plugin's name
    Duration first;     // until the first run
    // One bounded step; returns how long to wait before the next. A run that throws is repeated
    // after a minute.
    std::function<Task<Duration>()> run;
    std::shared_ptr<Waker> waker = std::make_shared<Waker>();
    PluginMeter* meter = nullptr;
};

// The work that is wired into one host. Lives on the executor's thread, or after it has ended.
class Background {
public:
    ~Background() { end(); }
    // Ends what was there before; a step under way goes on to its end, and `services` live until
    // then.
    void start(Executor& executor, std::shared_ptr<const Services> services);

private:
    struct Job;
    void end();
    static void wait(const std::shared_ptr<Job>& job, Duration duration);
    static void run(const std::shared_ptr<Job>& job);

    std::vector<std::shared_ptr<Job>> jobs_;
};

}  // namespace epode
