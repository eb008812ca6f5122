// Works of the database that take minutes: they tell how far they are, and can be ended.
#pragma once

#include "store/sql.h"

#include <cstdint>
#include <functional>

namespace epode {

// Told now and then how much is done, of how much (0: not known); false ends the work. Called on a
// thread of the database.
using LongWork = std::function<bool(std::int64_t done, std::int64_t total)>;

// Throws StoreUnavailable when the work shall end.
inline void goOn(const LongWork& work, std::int64_t done, std::int64_t total) {
    if (work && !work(done, total)) throw StoreUnavailable{"It was ended before it was done."};
}

}  // namespace epode
