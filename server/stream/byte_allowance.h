// How much a stream may send: so many bytes at once, and so many each second on average.
#pragma once

#include "core/time.h"

#include <cstddef>

namespace epode {

class ByteAllowance {
public:
    ByteAllowance(double burst, SteadyTime now) : left_{burst}, at_{now} {}

    // `bytes` were read. How long nothing more should be: zero while it is allowed. A `perSecond`
    // of 0 allows everything.
    Duration take(std::size_t bytes, double perSecond, double burst, SteadyTime now);

private:
    double left_;
    SteadyTime at_;
};

}  // namespace epode
