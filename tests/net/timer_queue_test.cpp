#include "net/timer_queue.h"

#include "tests/support/catch.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

using namespace epode;

namespace {

SteadyTime at(int milliseconds) { return SteadyTime{std::chrono::milliseconds{milliseconds}}; }

}  // namespace

TEST_CASE("timers fire by time and then in the order they were set") {
    TimerQueue queue;
    std::string fired;
    queue.add(at(2), [&] { fired += 'c'; });
    queue.add(at(1), [&] { fired += 'a'; });
    queue.add(at(1), [&] { fired += 'b'; });
    queue.add(at(3), [&] { fired += 'd'; });
    queue.runDue(at(0));
    CHECK(fired == "");
    queue.runDue(at(2));
    CHECK(fired == "abc");
    CHECK(queue.size() == 1);
    CHECK(queue.next() == at(3));
}

TEST_CASE("a cancelled timer does not fire, and cancelling twice or late does nothing") {
    TimerQueue queue;
    int fired = 0;
    const auto first = queue.add(at(1), [&] { ++fired; });
    const auto second = queue.add(at(1), [&] { ++fired; });
    queue.cancel(first);
    CHECK_FALSE(queue.isSet(first));
    CHECK(queue.isSet(second));
    queue.cancel(first);
    queue.runDue(at(1));
    CHECK(fired == 1);
    CHECK_FALSE(queue.isSet(second));

    const auto third = queue.add(at(2), [&] { ++fired; });
    queue.cancel(first);
    queue.cancel(second);
    CHECK(queue.isSet(third));
}

TEST_CASE("a timer that sets itself again at once waits for the next turn") {
    TimerQueue queue;
    int fired = 0;
    std::function<void()> again = [&] {
        ++fired;
        queue.add(at(1), [&] { again(); });
    };
    queue.add(at(1), [&] { again(); });
    queue.runDue(at(1));
    CHECK(fired == 1);
    queue.runDue(at(1));
    CHECK(fired == 2);
}

TEST_CASE("a timer may cancel others that are due with it") {
    TimerQueue queue;
    std::uint64_t other = 0;
    bool hasFired = false;
    queue.add(at(1), [&] { queue.cancel(other); });
    other = queue.add(at(1), [&] { hasFired = true; });
    queue.runDue(at(5));
    CHECK_FALSE(hasFired);
}

TEST_CASE("what a cancelled timer owned may cancel timers by its end") {
    TimerQueue queue;
    struct Canceller {
        TimerQueue& queue;
        std::uint64_t id;
        ~Canceller() { queue.cancel(id); }
    };
    const auto victim = queue.add(at(1), [] {});
    const auto owner =
        queue.add(at(1), [canceller = std::make_unique<Canceller>(queue, victim)] {});
    queue.cancel(owner);
    CHECK_FALSE(queue.isSet(victim));
    CHECK(queue.empty());
}

TEST_CASE("many timers, some cancelled, fire each at its time and in order") {
    TimerQueue queue;
    std::mt19937 random{7};
    std::vector<int> expected;
    std::vector<int> fired;
    std::vector<std::pair<std::uint64_t, int>> set;
    for (int i = 0; i < 5000; ++i) {
        const int time = static_cast<int>(random() % 1000);
        set.emplace_back(queue.add(at(time), [&fired, time] { fired.push_back(time); }), time);
    }
    std::shuffle(set.begin(), set.end(), random);
    for (std::size_t i = 0; i < set.size(); ++i) {
        if (i % 3 == 0) {
            queue.cancel(set[i].first);
        } else {
            expected.push_back(set[i].second);
        }
    }
    std::sort(expected.begin(), expected.end());
    for (int time = 0; time <= 1000; time += 10) {
        queue.runDue(at(time));
        CHECK(std::all_of(fired.begin(), fired.end(), [&](int fire) { return fire <= time; }));
    }
    CHECK(fired == expected);
    CHECK(queue.empty());
}
