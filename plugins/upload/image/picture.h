// Pixels on their way to a small picture.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace epode::image {

struct Picture {
    unsigned width = 0;
    unsigned height = 0;
    unsigned channels = 3;  // red, green, blue; 4: and how opaque it is
    std::vector<std::uint8_t> pixels{};
};

// The size within a square, with the proportions as they are; never larger than it was.
void fitInto(unsigned side, unsigned width, unsigned height, unsigned& smallWidth,
             unsigned& smallHeight);

// Takes rows from above to below, and keeps the means of what falls on each pixel of the result
// alone.
class Shrinker {
public:
    Shrinker(unsigned width, unsigned height, unsigned smallWidth, unsigned smallHeight,
             unsigned channels);
    void add(const std::uint8_t* row);
    Picture take();

private:
    void endRow();

    const unsigned width_;
    const unsigned height_;
    Picture picture_;
    std::vector<std::uint64_t> sums_;
    std::vector<std::uint64_t> counts_;
    unsigned row_ = 0;
    unsigned smallRow_ = 0;
};

// As EXIF's orientation says.
Picture turned(Picture picture, unsigned orientation);

}  // namespace epode::image
