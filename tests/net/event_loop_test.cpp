#include "net/event_loop.h"

#include "tests/net/net_support.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <map>

using namespace epode;
using namespace epode::test;

TEST_CASE("work posted from several threads runs once each, in each thread's order") {
    constexpr int threads = 4;
    constexpr int each = 5000;
    std::map<int, std::vector<int>> ran;
    std::atomic<int> count{0};
    {
        LoopThread loop;
        std::vector<std::jthread> posters;
        for (int thread = 0; thread < threads; ++thread) {
            posters.emplace_back([&, thread] {
                for (int i = 0; i < each; ++i) {
                    loop.loop.post([&, thread, i] {
                        ran[thread].push_back(i);
                        ++count;
                    });
                }
            });
        }
        posters.clear();
        REQUIRE(loop.eventually([&] { return count == threads * each; }));
    }
    for (int thread = 0; thread < threads; ++thread) {
        const auto& order = ran[thread];
        REQUIRE(order.size() == each);
        CHECK(std::is_sorted(order.begin(), order.end()));
    }
}

TEST_CASE("two loops that post to each other never miss a wake-up") {
    // Each bounce lets the other loop go to sleep, so that a lost wake-up hangs the test.
    LoopThread one;
    LoopThread other;
    std::promise<int> done;
    std::function<void(int)> bounce = [&](int n) {
        if (n == 20000) {
            done.set_value(n);
            return;
        }
        auto& next = n % 2 == 0 ? other : one;
        next.loop.post([&bounce, n] { bounce(n + 1); });
    };
    one.loop.post([&] { bounce(0); });
    auto future = done.get_future();
    REQUIRE(future.wait_for(patience) == std::future_status::ready);
    settle(one, other);
}

TEST_CASE("a turn runs events, timers, posted work, the end of the turn and the flush, in order") {
    EventLoop loop;
    struct Probe final : EventLoop::Source {
        void onReady(std::uint32_t) override {
            order += "event ";
            loop.unwatch(event.get());
            loop.wantFlush(handle);
            loop.atEndOfTurn([this] {
                order += "end ";
                loop.atEndOfTurn([this] { order += "end2 "; });
            });
            loop.post([this] { order += "posted "; });
            timer = loop.after(Duration::zero(), [this] {
                order += "timer ";
                loop.stop();
            });
        }
        void flush() override { order += "flush "; }

        explicit Probe(EventLoop& theLoop) : loop{theLoop} {}
        EventLoop& loop;
        Fd event{::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)};
        EventLoop::Handle handle = 0;
        Timer timer;
        std::string order;
    } probe{loop};
    probe.handle = loop.add(probe);
    REQUIRE(loop.watch(probe.event.get(), probe.handle, EPOLLIN));
    loop.run();
    loop.remove(probe.handle);
    // The timer was set after the turn's time was taken, so that the next turn has it.
    CHECK(probe.order == "event posted end end2 flush timer ");
}

TEST_CASE("work posted by work waits for the next turn") {
    EventLoop loop;
    std::string order;
    loop.post([&] {
        order += "a";
        loop.post([&] {
            order += "c";
            loop.stop();
        });
        loop.atEndOfTurn([&] { order += "b"; });
    });
    loop.run();
    CHECK(order == "abc");
}

TEST_CASE("a timer never fires before its time") {
    LoopThread loop;
    for (const auto delay : {0, 1, 3}) {
        std::promise<Duration> waited;
        Timer timer;
        loop.run([&] {
            const auto start = std::chrono::steady_clock::now();
            timer = loop.loop.after(std::chrono::milliseconds{delay}, [&waited, start] {
                waited.set_value(std::chrono::steady_clock::now() - start);
            });
        });
        CHECK(waited.get_future().get() >= std::chrono::milliseconds{delay});
    }
}

TEST_CASE("a dropped timer is cancelled, a fired one is no longer set") {
    LoopThread loop;
    bool hasFired = false;
    Timer fires;
    loop.run([&] {
        Timer dropped = loop.loop.after(Duration::zero(), [&] { hasFired = true; });
        fires = loop.loop.after(std::chrono::milliseconds{1}, [] {});
    });
    REQUIRE(loop.eventually([&] { return !fires; }));
    CHECK_FALSE(loop.run([&] { return hasFired; }));
}

TEST_CASE("a loop knows its own thread and no other") {
    LoopThread loop;
    CHECK_FALSE(loop.loop.isCurrent());
    CHECK(Executor::current() == nullptr);
    CHECK(loop.run([&] { return loop.loop.isCurrent(); }));
}

TEST_CASE("work that a stopped loop did not run is destroyed, and so is later work") {
    auto witness = std::make_shared<int>(1);
    EventLoop loop;
    loop.post([&] { loop.stop(); });
    loop.post([witness, &loop] {
        // Posted in the last turn.
        loop.post([witness] { FAIL("ran after the stop"); });
    });
    loop.run();
    CHECK(witness.use_count() == 1);
    loop.post([witness] { FAIL("ran after the stop"); });
    CHECK(witness.use_count() == 1);
}

TEST_CASE("an event for a source that went away in the same turn reaches nobody") {
    EventLoop loop;
    struct Probe final : EventLoop::Source {
        void onReady(std::uint32_t) override {
            ++events;
            loop->unwatch(other->event.get());
            loop->remove(other->handle);
            // Takes the slot which the other has left.
            newcomer = loop->add(*other);
            loop->unwatch(event.get());
            loop->post([this] { loop->stop(); });
        }
        EventLoop* loop = nullptr;
        Probe* other = nullptr;
        Fd event{::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)};
        EventLoop::Handle handle = 0;
        EventLoop::Handle newcomer = 0;
        int events = 0;
    };
    Probe one;
    Probe two;
    one.other = &two;
    two.other = &one;
    for (auto* probe : {&one, &two}) {
        probe->loop = &loop;
        probe->handle = loop.add(*probe);
        REQUIRE(loop.watch(probe->event.get(), probe->handle, EPOLLIN));
    }
    loop.run();
    CHECK(one.events + two.events == 1);
}

TEST_CASE("borrowed strings come back empty, and large ones are not kept") {
    EventLoop loop;
    auto small = loop.borrowString();
    small->assign("x");
    auto* const address = small.get();
    loop.giveBack(std::move(small));
    auto again = loop.borrowString();
    CHECK(again.get() == address);
    CHECK(again->empty());
    again->assign(1 << 20, 'x');
    loop.giveBack(std::move(again));
    CHECK(loop.borrowString()->capacity() < 1 << 20);
}
