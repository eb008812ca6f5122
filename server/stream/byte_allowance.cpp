#include "stream/byte_allowance.h"

#include <algorithm>

namespace epode {

Duration ByteAllowance::take(std::size_t bytes, double perSecond, double burst, SteadyTime now) {
    if (perSecond <= 0) return Duration::zero();
    const double elapsed = std::chrono::duration<double>(now - at_).count();
    left_ = std::min(burst, left_ + elapsed * perSecond) - double(bytes);
    at_ = now;
    if (left_ >= 0) return Duration::zero();
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(-left_ / perSecond));
}

}  // namespace epode
