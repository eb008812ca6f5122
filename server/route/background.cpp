#include "route/background.h"

#include "core/log.h"
#include "route/host.h"

namespace epode {

namespace {

const Log pluginLog{"plugin"};

constexpr Duration waitAfterFailure = std::chrono::minutes{1};

std::string textOf(const std::exception_ptr& failure) {
    try {
        std::rethrow_exception(failure);
    } catch (const std::exception& known) {
        return known.what();
    } catch (...) {
        return "unknown";
    }
}

// Also what throws before it is a coroutine is thrown within one.
Task<Duration> step(const BackgroundWork& work) {
    auto task = work.run();
    const auto next = co_await task;
    co_return next;
}

}  // namespace

struct Background::Job {
    Executor& executor;
    std::shared_ptr<const Services> services;
    const BackgroundWork& work;
    Timer timer;
};

void Background::start(Executor& executor, std::shared_ptr<const Services> services) {
    jobs_.clear();
    for (const BackgroundWork& work : services->background) {
        const auto& job =
            jobs_.emplace_back(std::make_shared<Job>(Job{executor, services, work, {}}));
        wait(job, work.first);
    }
}

// Nothing but `jobs_` keeps a job alive between its steps.
void Background::wait(const std::shared_ptr<Job>& job, Duration duration) {
    job->timer = job->executor.after(duration, [weak = std::weak_ptr{job}] {
        if (const auto job = weak.lock()) run(job);
    });
}

void Background::run(const std::shared_ptr<Job>& job) {
    const auto metered =
        std::make_shared<PluginMeter::Call>(job->work.meter, PluginMeter::Kind::Background);
    epode::start(step(job->work), [weak = std::weak_ptr{job}, services = job->services, metered](
                                      std::optional<Duration> next, std::exception_ptr failure) {
        metered->end();
        if (failure) metered->failed();
        const auto job = weak.lock();
        if (!job) return;
        if (failure)
            pluginLog.warning("background work failed; it is tried again",
                              {{"plugin", job->work.owner}, {"failure", textOf(failure)}});
        wait(job, failure ? waitAfterFailure : *next);
    });
}

}  // namespace epode
