// The real executor: one thread, one epoll set, work in turns. A turn handles every socket that is
// ready, the timers that are due and the work that was posted, then the work for the end of the
// turn, and at last writes what the turn has queued, once for each connection.
//
// A loop outlives every thread that may post to it: stop and join all of them before the first
// ends.
#pragma once

#include "core/executor.h"
#include "net/fd.h"
#include "net/timer_queue.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace epode {

class EventLoop final : public Executor {
public:
    // Something that waits for a descriptor or has output to flush.
    class Source {
    public:
        // The bits of epoll. May remove and destroy any source, itself included.
        virtual void onReady(std::uint32_t events) = 0;
        // Asked for by `wantFlush`.
        virtual void flush() {}

    protected:
        ~Source() = default;
    };
    // Names a source for as long as it is there; never 0, and safe to ask for afterwards.
    using Handle = std::uint64_t;

    // Throws std::system_error when the kernel refuses.
    EventLoop();
    ~EventLoop() override;

    // Runs turns on the calling thread until `stop`. What is posted but not run by then is
    // destroyed. A loop is run once.
    void run();
    // From any thread; the turn under way is finished.
    void stop();

    void post(UniqueFunction<void()> work) override;
    void atEndOfTurn(UniqueFunction<void()> work) override;
    Timer after(Duration delay, UniqueFunction<void()> work) override;
    SteadyTime now() const override { return now_; }
    WallTime wallNow() const override;

    // How many turns it has run. Own thread.
    std::uint64_t turns() const { return turns_; }

    // All below: own thread, or before the loop runs.

    Handle add(Source& source);
    void remove(Handle handle);
    Source* find(Handle handle) const;

    // Level-triggered. A descriptor is watched by one source; forget it before it is closed. False
    // when the kernel has no room for another one.
    [[nodiscard]] bool watch(int fd, Handle handle, std::uint32_t events);
    void rewatch(int fd, Handle handle, std::uint32_t events);
    void unwatch(int fd);

    // Calls the source's `flush` at the end of this turn.
    void wantFlush(Handle handle) { flushes_.push_back(handle); }

    // One buffer for all that is read and one for what TLS makes of it, used within one call of
    // `onReady`; and a string for bytes on their way to a socket, empty between two uses.
    static constexpr std::size_t readBytes = 64 * 1024;
    static constexpr std::size_t plainBytes = readBytes + 32 * 1024;
    char* readBuffer() { return readBuffer_.get(); }
    char* plainBuffer() { return plainBuffer_.get(); }
    std::string& scratch() { return scratch_; }

    // Strings for output, so that idle connections own none. Given back empty or not.
    std::unique_ptr<std::string> borrowString();
    void giveBack(std::unique_ptr<std::string> string);

    // Traffic of this turn; it goes to the metrics at the turn's end.
    struct Traffic {
        std::int64_t bytesIn = 0;
        std::int64_t bytesOut = 0;
    };
    Traffic& traffic() { return traffic_; }

private:
    struct Slot {
        Source* source = nullptr;
        std::uint32_t generation = 1;
        std::uint32_t nextFree = 0;
    };

    void turn();
    int waitMilliseconds();
    void runPosted();
    void runEndOfTurn();
    void flushAll();
    void meter();
    void dropWork();
    void wake();
    void cancelTimer(std::uint64_t id) override { timers_.cancel(id); }
    bool isTimerSet(std::uint64_t id) const override { return timers_.isSet(id); }

    Fd epoll_;
    Fd wake_;
    SteadyTime now_;
    std::uint64_t turns_ = 0;
    TimerQueue timers_;
    Traffic traffic_;

    std::vector<Slot> slots_;
    std::uint32_t freeSlot_ = 0;
    std::vector<UniqueFunction<void()>> posted_;
    std::vector<UniqueFunction<void()>> endOfTurn_;
    std::vector<UniqueFunction<void()>> running_;
    std::vector<Handle> flushes_;
    std::vector<Handle> flushing_;
    std::vector<std::unique_ptr<std::string>> strings_;
    std::unique_ptr<char[]> readBuffer_;
    std::unique_ptr<char[]> plainBuffer_;
    std::string scratch_;

    // What other threads touch.
    std::mutex inboxMutex_;
    std::vector<UniqueFunction<void()>> inbox_;
    bool isClosed_ = false;  // under the mutex
    std::atomic<bool> inboxHasWork_{false};
    std::atomic<bool> isSleeping_{false};
    std::atomic<bool> isStopping_{false};
};

}  // namespace epode
