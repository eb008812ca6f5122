// What a client asks for again with the same key (Idempotency-Key) is done once, and answered as it
// was then: over a restart as well.
#pragma once

#include "core/task.h"
#include "core/time.h"
#include "store/account_store.h"
#include "store/database.h"
#include "store/migration.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <utility>

namespace epode::rest {

extern const Migration idempotencyTable;
AccountTable idempotencyRows();

class Idempotency {
public:
    // How long a key is known, and how many of an account; the oldest go first.
    Idempotency(Database& database, Duration lifetime, std::int64_t most);

    enum class What : std::uint8_t {
        Fresh,         // to be done
        Interrupted,   // was begun, and nobody knows whether it was done
        Repeated,      // was done: `status` and `answer`
        OtherRequest,  // the key stands for something else
        UnderWay,
    };
    // Whoever holds it has to do it, or does so no more.
    using Mark = std::shared_ptr<const void>;
    struct Begun {
        What what = What::Fresh;
        std::string messageId;  // the one that was chosen first
        WallTime at{};          // when
        int status = 0;
        std::string answer;
        Mark mark;
    };
    // `fingerprint`: what is asked for, in few bytes. All throw StoreUnavailable.
    Task<Begun> begin(AccountId account, std::string key, std::string fingerprint,
                      std::string messageId, WallTime now);
    Task<void> finish(AccountId account, std::string key, int status, std::string answer);
    // Nothing was done, and it may be tried again.
    Task<void> forget(AccountId account, std::string key);

    // Removes what is older than that; how much it was.
    Task<std::int64_t> expire(WallTime now, std::int64_t most);

private:
    using Place = std::pair<AccountId, std::string>;
    struct UnderWay {
        std::mutex mutex;
        std::set<Place> places;
    };

    Database& database_;
    const std::int64_t lifetimeMs_;
    const std::int64_t most_;
    const std::shared_ptr<UnderWay> underWay_ = std::make_shared<UnderWay>();
};

}  // namespace epode::rest
