// What a picture is, by its first bytes: what its sender says of it is only a claim.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace epode::avatar {

// Nothing for anything but PNG, JPEG, GIF and WebP: "image/png".
std::optional<std::string_view> typeOf(std::string_view bytes);

// Width and height when the beginning of the file tells them, else nothing.
struct Dimensions {
    std::uint32_t width;
    std::uint32_t height;
};
std::optional<Dimensions> dimensionsOf(std::string_view bytes);

// Base 64 as people write it, with line breaks; nothing when it is none.
std::optional<std::string> decodeLoosely(std::string_view text);

}  // namespace epode::avatar
