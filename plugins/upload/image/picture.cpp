#include "picture.h"

#include <algorithm>
#include <utility>

namespace epode::image {

void fitInto(unsigned side, unsigned width, unsigned height, unsigned& smallWidth,
             unsigned& smallHeight) {
    const unsigned longer = std::max({width, height, 1u});
    const unsigned to = std::min(side, longer);
    const auto scaled = [&](unsigned length) {
        return unsigned(
            std::max<std::uint64_t>(1, (std::uint64_t(length) * to + longer / 2) / longer));
    };
    smallWidth = scaled(width);
    smallHeight = scaled(height);
}

Shrinker::Shrinker(unsigned width, unsigned height, unsigned smallWidth, unsigned smallHeight,
                   unsigned channels)
    : width_{width},
      height_{height},
      picture_{smallWidth, smallHeight, channels, {}},
      sums_(std::size_t(smallWidth) * channels),
      counts_(smallWidth) {
    picture_.pixels.resize(std::size_t(smallWidth) * smallHeight * channels);
}

void Shrinker::add(const std::uint8_t* row) {
    const auto smallRow = unsigned(std::uint64_t(row_) * picture_.height / height_);
    if (smallRow != smallRow_) {
        endRow();
        smallRow_ = smallRow;
    }
    ++row_;
    const unsigned channels = picture_.channels;
    for (unsigned x = 0; x < width_; ++x, row += channels) {
        const auto small = std::size_t(std::uint64_t(x) * picture_.width / width_);
        // What can't be seen has no colour.
        const std::uint64_t weight = channels == 4 ? row[3] : 1;
        for (unsigned c = 0; c < 3; ++c) sums_[small * channels + c] += row[c] * weight;
        if (channels == 4) sums_[small * channels + 3] += row[3];
        ++counts_[small];
    }
}

void Shrinker::endRow() {
    const unsigned channels = picture_.channels;
    std::uint8_t* out = picture_.pixels.data() + std::size_t(smallRow_) * picture_.width * channels;
    for (unsigned x = 0; x < picture_.width; ++x) {
        const std::uint64_t count = std::max<std::uint64_t>(1, counts_[x]);
        const std::uint64_t weight =
            channels == 4 ? std::max<std::uint64_t>(1, sums_[std::size_t(x) * 4 + 3]) : count;
        for (unsigned c = 0; c < channels; ++c) {
            const std::uint64_t divisor = c == 3 ? count : weight;
            *out++ = std::uint8_t((sums_[std::size_t(x) * channels + c] + divisor / 2) / divisor);
        }
    }
    std::fill(sums_.begin(), sums_.end(), 0);
    std::fill(counts_.begin(), counts_.end(), 0);
}

Picture Shrinker::take() {
    endRow();
    return std::move(picture_);
}

Picture turned(Picture picture, unsigned orientation) {
    if (orientation < 2 || orientation > 8) return picture;
    const bool isAcross = orientation >= 5;
    Picture result{isAcross ? picture.height : picture.width,
                   isAcross ? picture.width : picture.height,
                   picture.channels,
                   {}};
    result.pixels.resize(picture.pixels.size());
    for (unsigned y = 0; y < result.height; ++y)
        for (unsigned x = 0; x < result.width; ++x) {
            unsigned fromX = isAcross ? y : x;
            unsigned fromY = isAcross ? x : y;
            if (orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8)
                fromX = picture.width - 1 - fromX;
            if (orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7)
                fromY = picture.height - 1 - fromY;
            std::copy_n(
                &picture.pixels[(std::size_t(fromY) * picture.width + fromX) * picture.channels],
                picture.channels,
                &result.pixels[(std::size_t(y) * result.width + x) * picture.channels]);
        }
    return result;
}

}  // namespace epode::image
