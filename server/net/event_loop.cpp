#include "net/event_loop.h"

#include "core/metric.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <system_error>

namespace epode {

namespace {

Counter bytesIn{"net_received_bytes_total", "Bytes read from connections, as on the wire"};
Counter bytesOut{"net_sent_bytes_total", "Bytes written to connections, as on the wire"};

constexpr int eventsPerTurn = 256;
constexpr std::size_t pooledStringBytesMax = 64 * 1024;
constexpr std::size_t pooledStrings = 256;
constexpr EventLoop::Handle wakeHandle = 0;

[[noreturn]] void fail(const char* what) {
    throw std::system_error{errno, std::generic_category(), what};
}

}  // namespace

EventLoop::EventLoop()
    : epoll_{::epoll_create1(EPOLL_CLOEXEC)},
      wake_{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)},
      now_{std::chrono::steady_clock::now()},
      readBuffer_{std::make_unique_for_overwrite<char[]>(readBytes)},
      plainBuffer_{std::make_unique_for_overwrite<char[]>(plainBytes)} {
    slots_.emplace_back();  // slot 0 is nobody's, so that no handle is 0
    // Edge-triggered: every write wakes once and nothing has to be read back.
    if (!epoll_ || !wake_ || !watch(wake_.get(), wakeHandle, EPOLLIN | EPOLLET)) {
        fail("event loop");
    }
}

EventLoop::~EventLoop() {
    dropWork();
    timers_.clear();
}

void EventLoop::run() {
    const Mark mark{*this};
    while (!isStopping_.load(std::memory_order_relaxed)) turn();
    dropWork();
}

void EventLoop::dropWork() {
    decltype(inbox_) late;
    {
        const std::lock_guard lock{inboxMutex_};
        isClosed_ = true;
        late.swap(inbox_);
    }
    // Work owns things whose end may post more; that goes the same way.
    late.clear();
    while (!posted_.empty() || !endOfTurn_.empty()) {
        auto posted = std::exchange(posted_, {});
        auto ending = std::exchange(endOfTurn_, {});
    }
}

void EventLoop::stop() {
    isStopping_.store(true);
    wake();
}

void EventLoop::turn() {
    epoll_event events[eventsPerTurn];
    const auto count = ::epoll_wait(epoll_.get(), events, eventsPerTurn, waitMilliseconds());
    isSleeping_.store(false, std::memory_order_relaxed);
    if (count < 0 && errno != EINTR) fail("epoll_wait");
    now_ = std::chrono::steady_clock::now();
    ++turns_;

    for (auto i = 0; i < count; ++i) {
        const Handle handle = events[i].data.u64;
        if (auto* source = find(handle)) source->onReady(events[i].events);
    }
    timers_.runDue(now_);
    runPosted();
    runEndOfTurn();
    flushAll();
    meter();
}

int EventLoop::waitMilliseconds() {
    if (!posted_.empty() || !endOfTurn_.empty() || !flushes_.empty()) return 0;
    // The order counts: whoever posts sets `inboxHasWork_` first and then looks whether we sleep,
    // we say that we sleep and then look for work; one of the two sees the other.
    isSleeping_.store(true);
    if (inboxHasWork_.load() || isStopping_.load()) return 0;
    if (timers_.empty()) return -1;
    const auto wait = timers_.next() - std::chrono::steady_clock::now();
    if (wait <= Duration::zero()) return 0;
    // Rounded up: a timer never fires before its time, and the loop does not spin the last bit.
    const auto milliseconds = std::chrono::ceil<std::chrono::milliseconds>(wait).count();
    return static_cast<int>(std::min<std::int64_t>(milliseconds, 1'000'000));
}

void EventLoop::post(UniqueFunction<void()> work) {
    if (isCurrent()) {
        posted_.push_back(std::move(work));
        return;
    }
    {
        const std::lock_guard lock{inboxMutex_};
        if (isClosed_) return;  // `work` is the caller's parameter: it ends outside the lock
        inbox_.push_back(std::move(work));
        inboxHasWork_.store(true);
    }
    if (isSleeping_.load() && isSleeping_.exchange(false)) wake();
}

void EventLoop::wake() {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

void EventLoop::atEndOfTurn(UniqueFunction<void()> work) { endOfTurn_.push_back(std::move(work)); }

Timer EventLoop::after(Duration delay, UniqueFunction<void()> work) {
    return {*this, timers_.add(std::chrono::steady_clock::now() + std::max(delay, Duration::zero()),
                               std::move(work))};
}

WallTime EventLoop::wallNow() const {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(
        std::chrono::system_clock::now());
}

void EventLoop::runPosted() {
    // What this work posts in turn waits for the next turn, so that sockets are not starved.
    running_.swap(posted_);
    for (auto& work : running_) work();
    running_.clear();
    if (!inboxHasWork_.load(std::memory_order_acquire)) return;
    {
        const std::lock_guard lock{inboxMutex_};
        running_.swap(inbox_);
        inboxHasWork_.store(false, std::memory_order_relaxed);
    }
    for (auto& work : running_) work();
    running_.clear();
}

void EventLoop::runEndOfTurn() {
    while (!endOfTurn_.empty()) {
        running_.swap(endOfTurn_);
        for (auto& work : running_) work();
        running_.clear();
    }
}

void EventLoop::flushAll() {
    flushing_.swap(flushes_);
    for (const auto handle : flushing_) {
        if (auto* source = find(handle)) source->flush();
    }
    flushing_.clear();
}

void EventLoop::meter() {
    if (traffic_.bytesIn) bytesIn.add(std::exchange(traffic_.bytesIn, 0));
    if (traffic_.bytesOut) bytesOut.add(std::exchange(traffic_.bytesOut, 0));
}

EventLoop::Handle EventLoop::add(Source& source) {
    auto index = freeSlot_;
    if (index == 0) {
        index = static_cast<std::uint32_t>(slots_.size());
        slots_.emplace_back();
    } else {
        freeSlot_ = slots_[index].nextFree;
    }
    auto& slot = slots_[index];
    slot.source = &source;
    return Handle{slot.generation} << 32 | index;
}

void EventLoop::remove(Handle handle) {
    if (!find(handle)) return;
    const auto index = static_cast<std::uint32_t>(handle);
    auto& slot = slots_[index];
    slot.source = nullptr;
    ++slot.generation;
    slot.nextFree = std::exchange(freeSlot_, index);
}

EventLoop::Source* EventLoop::find(Handle handle) const {
    const auto& slot = slots_[static_cast<std::uint32_t>(handle)];
    return slot.generation == handle >> 32 ? slot.source : nullptr;
}

bool EventLoop::watch(int fd, Handle handle, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.u64 = handle}};
    return ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void EventLoop::rewatch(int fd, Handle handle, std::uint32_t events) {
    epoll_event event{.events = events, .data = {.u64 = handle}};
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) fail("epoll_ctl");
}

void EventLoop::unwatch(int fd) { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

std::unique_ptr<std::string> EventLoop::borrowString() {
    if (strings_.empty()) return std::make_unique<std::string>();
    auto string = std::move(strings_.back());
    strings_.pop_back();
    return string;
}

void EventLoop::giveBack(std::unique_ptr<std::string> string) {
    if (!string || strings_.size() >= pooledStrings || string->capacity() > pooledStringBytesMax) {
        return;
    }
    string->clear();
    strings_.push_back(std::move(string));
}

}  // namespace epode
