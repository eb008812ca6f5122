// Back-pressure: a stream that sends messages is not read while the database has too much to do, so
// that senders slow down before anything has to be refused.
#pragma once

#include "core/executor.h"

namespace epode {

class Database;

class StorePressure {
public:
    // Whether the stream, which has sent a message, shall not be read now.
    bool holdsBack(const Database& database);

    // Calls `relieved` when the database has caught up, or after two seconds, much less than a
    // client waits for an answer. After that messages are taken as they come, and refused when
    // there is no room for them.
    void wait(Executor& executor, const Database& database, UniqueFunction<void()> relieved);
    bool isWaiting() const { return bool(timer_); }
    void cancel() { timer_ = {}; }

private:
    void look(Executor& executor, const Database& database, SteadyTime until,
              UniqueFunction<void()> relieved);

    Timer timer_;
    bool waitedEnough_ = false;  // for a database that does not get better
};

}  // namespace epode
