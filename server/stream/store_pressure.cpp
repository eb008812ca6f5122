#include "stream/store_pressure.h"

#include "store/database.h"

namespace epode {

namespace {

// How often a stream looks whether the database has caught up, and for how long it waits.
constexpr auto checkEvery = std::chrono::milliseconds{20};
constexpr auto patience = std::chrono::seconds{2};

}  // namespace

bool StorePressure::holdsBack(const Database& database) {
    if (!database.isPressed()) {
        waitedEnough_ = false;
        return false;
    }
    return !waitedEnough_;
}

void StorePressure::wait(Executor& executor, const Database& database,
                         UniqueFunction<void()> relieved) {
    look(executor, database, executor.now() + patience, std::move(relieved));
}

void StorePressure::look(Executor& executor, const Database& database, SteadyTime until,
                         UniqueFunction<void()> relieved) {
    timer_ = executor.after(
        checkEvery, [this, &executor, &database, until, relieved = std::move(relieved)]() mutable {
            timer_ = {};
            waitedEnough_ = executor.now() >= until;
            if (holdsBack(database))
                look(executor, database, until, std::move(relieved));
            else
                relieved();
        });
}

}  // namespace epode
