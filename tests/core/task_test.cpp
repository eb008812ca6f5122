// The forms of co_await that the tree uses (tests/lint) mean under this compiler what they say:
// everything is destroyed once, and every coroutine goes on. g++ 12 gets others wrong.
#include "core/task.h"
#include "tests/support/catch.h"

#include <memory>
#include <string>
#include <utility>

using namespace epode;

namespace {

int alive = 0;
std::string said;
UniqueFunction<void()> waiting;

struct Counted {
    explicit Counted(std::string t) : text{std::move(t)} { ++alive; }
    Counted(const Counted& other) : text{other.text} { ++alive; }
    Counted(Counted&& other) noexcept : text{std::move(other.text)} { ++alive; }
    Counted& operator=(const Counted&) = default;
    ~Counted() { --alive; }
    std::string text;
};

Counted made(const char* text) { return Counted(text); }

Task<void> say(Counted what) {
    said += what.text;
    co_return;
}
Task<int> sayAndCount(const Counted& what) {
    said += what.text;
    co_return int(said.size());
}
Task<void> sayLater(const Counted& what) {
    UniqueFunction<void(UniqueFunction<void(bool)>)> begin =
        [](UniqueFunction<void(bool)> resolve) {
            auto kept = std::make_shared<UniqueFunction<void(bool)>>(std::move(resolve));
            waiting = [kept] { (*kept)(true); };
        };
    Callback<bool> called(std::move(begin));
    const bool isCalled = co_await called;
    said += isCalled ? what.text : "?";
}

// Without a variable of their own, on purpose.
Task<void> guarded(bool yes, const Counted& named) {
    if (yes) co_await say(named);
    if (!yes) co_await say(made("no"));
    if (yes && !named.text.empty())
        co_await sayAndCount(made("b"));
    else
        co_await say(named);
    if (!yes)
        co_await say(named);
    else
        co_await sayLater(made("c"));
    if (yes || named.text.empty()) co_await sayLater(named);
}
Task<void> kept(Counted named) {
    auto count = co_await sayAndCount(named);
    co_await sayLater(named);
    while (count-- > 0) {
        co_await say(std::move(named));
    }
}

template <typename Run>
std::string run(Run task) {
    said.clear();
    bool isDone = false;
    start(std::move(task), [&isDone](std::exception_ptr failure) { isDone = !failure; });
    while (waiting) std::exchange(waiting, {})();
    CHECK(isDone);
    return said;
}

}  // namespace

TEST_CASE("what is awaited as a whole statement is done once, and destroyed once") {
    {
        const Counted named("a");
        CHECK(run(guarded(true, named)) == "abca");
        CHECK(run(guarded(false, named)) == "noaa");
        CHECK(run(kept(named)) == "aaa");
        CHECK(alive == 1);
    }
    CHECK(alive == 0);
}
