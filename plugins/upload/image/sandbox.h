// Where this process gives up what it doesn't need, before it looks at a stranger's bytes.
#pragma once

#include <cstdint>

namespace epode::image {

// From now on it can read and write what is open, ask for memory up to that much, and end; anything
// else kills it, and so does working longer. False when the kernel can't promise that.
bool enterSandbox(std::uint64_t memoryBytes, unsigned cpuSeconds);

}  // namespace epode::image
