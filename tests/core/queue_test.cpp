#include "core/queue.h"

#include "tests/support/catch.h"

#include <algorithm>
#include <deque>
#include <memory>
#include <random>

using namespace epode;

TEST_CASE("a queue gives back what it got, in order") {
    // As std::deque does, whatever happens in whatever order.
    std::mt19937 random{7};
    Queue<int> queue;
    std::deque<int> model;
    for (int i = 0; i < 20000; ++i) {
        const auto dice = random() % 100;
        // Long and short at times.
        if (dice < ((i / 1000) % 2 ? 70u : 40u)) {
            queue.push_back(i);
            model.push_back(i);
        } else if (dice < 95 && !model.empty()) {
            queue.pop_front();
            model.pop_front();
        } else if (dice < 99 && !model.empty()) {
            const auto where = random() % model.size();
            queue.erase(queue.begin() + where);
            model.erase(model.begin() + std::ptrdiff_t(where));
        } else if (dice == 99) {
            queue.clear();
            model.clear();
        }
        REQUIRE(queue.size() == model.size());
        REQUIRE(queue.empty() == model.empty());
        REQUIRE(std::equal(queue.begin(), queue.end(), model.begin(), model.end()));
        if (model.empty()) continue;
        REQUIRE(queue.front() == model.front());
        REQUIRE(queue.back() == model.back());
        REQUIRE(queue[model.size() / 2] == model[model.size() / 2]);
    }
}

TEST_CASE("what leaves a queue is let go at once") {
    const auto value = std::make_shared<int>(1);
    Queue<std::shared_ptr<int>> queue;
    for (int i = 0; i < 10; ++i) queue.push_back(value);
    queue.pop_front();
    CHECK(value.use_count() == 10);
    queue.erase(queue.begin() + 3);
    CHECK(value.use_count() == 9);
    queue.clear();
    CHECK(value.use_count() == 1);
}

TEST_CASE("a queue that was moved from is empty") {
    Queue<int> queue;
    queue.push_back(1);
    queue.push_back(2);
    queue.pop_front();
    auto other = std::exchange(queue, {});
    CHECK(queue.empty());
    queue.push_back(3);
    CHECK(queue.front() == 3);
    CHECK(other.size() == 1);
    CHECK(other.front() == 2);
}
