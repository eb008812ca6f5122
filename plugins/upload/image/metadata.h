// Pictures without what their makers say in them: place, time, device, names, comments, earlier
// versions and whatever follows their end. Parts are left out and the others copied as they are, so
// that not one pixel changes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace epode::image {

enum class Format { None, Jpeg, Png, Webp, Gif };
Format formatOf(std::string_view image);

// How the picture is to be turned (EXIF, 1 to 8); 1 when nothing is said.
unsigned orientationOf(std::string_view image);

// Colour profiles and the orientation stay. Nothing when it isn't a picture of these formats, or is
// broken.
std::optional<std::string> withoutMetadata(std::string_view image);

}  // namespace epode::image
