#include "store/remote_queue_store.h"
#include "tests/store/databases.h"

using namespace epode;

namespace {

const WallTime day = fromMilliseconds(1'790'000'000'000);

QueuedStanza message(std::int64_t id, std::string text) {
    return {.id = id,
            .local = "capulet.example",
            .remote = "montague.example",
            .queued = day,
            .expires = day + std::chrono::hours{2},
            .stanza = std::move(text)};
}

// Waits for the commit.
Task<bool> add(RemoteQueueStore& store, QueuedStanza row) {
    auto begin = [&store, row = std::move(row)](UniqueFunction<void(bool)> resolve) mutable {
        store.add(*Executor::current(), std::move(row),
                  [resolve = std::move(resolve)](std::exception_ptr failure) mutable {
                      resolve(!failure);
                  });
    };
    Callback<bool> added(std::move(begin));
    const bool isAdded = co_await added;
    co_return isAdded;
}

Task<bool> remove(RemoteQueueStore& store, std::int64_t id) {
    auto begin = [&store, id](UniqueFunction<void(bool)> resolve) mutable {
        store.remove(*Executor::current(), id,
                     [resolve = std::move(resolve)](std::exception_ptr failure) mutable {
                         resolve(!failure);
                     });
    };
    Callback<bool> removed(std::move(begin));
    const bool isRemoved = co_await removed;
    co_return isRemoved;
}

}  // namespace

TEST_CASE("what waits for another server is found again in its order, until it is removed") {
    overAllDatabases([](Setup& setup) {
        setup.stores();
        RemoteQueueStore store{setup.database()};
        const std::string text{"<message>\0\xff</message>", 21};
        CHECK(setup.await(add(store, message(std::int64_t{1} << 53, "later"))));
        CHECK(setup.await(add(store, message(7, text))));
        CHECK(setup.await(add(store, message(9, "gone"))));
        CHECK(setup.await(remove(store, 9)));
        CHECK(setup.await(remove(store, 4711)));
        const auto rows = setup.await(store.all());
        REQUIRE(rows.size() == 2);
        CHECK(rows[0].id == 7);
        CHECK(rows[0].local == "capulet.example");
        CHECK(rows[0].remote == "montague.example");
        CHECK(rows[0].queued == day);
        CHECK(rows[0].expires == day + std::chrono::hours{2});
        CHECK(rows[0].stanza == text);
        CHECK(rows[1].id == std::int64_t{1} << 53);
    });
}

TEST_CASE("a number is taken once") {
    overAllDatabases([](Setup& setup) {
        setup.stores();
        RemoteQueueStore store{setup.database()};
        CHECK(setup.await(add(store, message(7, "first"))));
        CHECK_FALSE(setup.await(add(store, message(7, "second"))));
        const auto rows = setup.await(store.all());
        REQUIRE(rows.size() == 1);
        CHECK(rows[0].stanza == "first");
    });
}
