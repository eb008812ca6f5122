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

void Waker::wake() {
    const std::lock_guard lock{mutex_};
    if (wake_) wake_();
}

void Waker::connect(std::function<void()> wake) {
    const std::lock_guard lock{mutex_};
    wake_ = std::move(wake);
}

struct Background::Job {
    Executor& executor;
    std::shared_ptr<const Services> services;
    const BackgroundWork& work;
    Timer timer;  // set while it waits
    bool isWoken = false;
};

// Nobody posts to the executor any more when this has returned.
void Background::end() {
    for (const auto& job : jobs_) job->work.waker->connect({});
    jobs_.clear();
}

void Background::start(Executor& executor, std::shared_ptr<const Services> services) {
    end();
    for (const BackgroundWork& work : services->background) {
        const auto& job =
            jobs_.emplace_back(std::make_shared<Job>(Job{executor, services, work, {}}));
        work.waker->connect([&executor, weak = std::weak_ptr{job}] {
            executor.post([weak] {
                const auto job = weak.lock();
                if (!job) return;
                job->isWoken = true;
                if (job->timer) wait(job, Duration{0});
            });
        });
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
    job->isWoken = false;
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
        if (failure)
            wait(job, waitAfterFailure);
        else
            wait(job, job->isWoken ? Duration{0} : *next);
    });
}

}  // namespace epode
