// A small picture of a picture, by libjpeg-turbo, libpng and libwebp. For a process of its own:
// what is wrong with a picture ends it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace epode::image {

struct Thumbnail {
    std::string_view type;  // "image/jpeg"; "image/png" where something can be seen through
    unsigned width = 0;
    unsigned height = 0;
    std::string bytes;
};

// Nothing for formats that this was built without, for moving WebP and GIF, and for pictures with
// more pixels than that.
std::optional<Thumbnail> thumbnailOf(std::string_view image, unsigned side,
                                     std::uint64_t pixelsMax);

}  // namespace epode::image
