#include "image.h"

#include "core/base64.h"

#include <algorithm>

namespace epode::avatar {

namespace {

using namespace std::literals;

constexpr std::string_view pngMark = "\x89PNG\r\n\x1a\n"sv;

std::uint32_t byteAt(std::string_view bytes, std::size_t at) {
    return static_cast<unsigned char>(bytes[at]);
}
std::uint32_t big(std::string_view bytes, std::size_t at, std::size_t count) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < count; ++i) value = value << 8 | byteAt(bytes, at + i);
    return value;
}
std::uint32_t little(std::string_view bytes, std::size_t at, std::size_t count) {
    std::uint32_t value = 0;
    for (std::size_t i = count; i > 0; --i) value = value << 8 | byteAt(bytes, at + i - 1);
    return value;
}

bool isWebP(std::string_view bytes) {
    return bytes.size() >= 12 && bytes.starts_with("RIFF") && bytes.substr(8, 4) == "WEBP";
}

// Through the segments to the frame's header (ITU T.81, B.2.2).
std::optional<Dimensions> ofJpeg(std::string_view bytes) {
    std::size_t at = 2;
    while (at + 9 <= bytes.size() && byteAt(bytes, at) == 0xff) {
        const auto marker = byteAt(bytes, at + 1);
        const bool isFrame =
            marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
        if (isFrame) return Dimensions{big(bytes, at + 7, 2), big(bytes, at + 5, 2)};
        at += 2 + big(bytes, at + 2, 2);
    }
    return std::nullopt;
}

std::optional<Dimensions> ofWebP(std::string_view bytes) {
    if (bytes.size() < 30) return std::nullopt;
    const auto kind = bytes.substr(12, 4);
    if (kind == "VP8X") return Dimensions{little(bytes, 24, 3) + 1, little(bytes, 27, 3) + 1};
    if (kind == "VP8 ")
        return Dimensions{little(bytes, 26, 2) & 0x3fff, little(bytes, 28, 2) & 0x3fff};
    if (kind == "VP8L") {
        const auto bits = little(bytes, 21, 4);
        return Dimensions{(bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1};
    }
    return std::nullopt;
}

}  // namespace

std::optional<std::string_view> typeOf(std::string_view bytes) {
    if (bytes.starts_with(pngMark)) return "image/png";
    if (bytes.starts_with("\xff\xd8\xff"sv)) return "image/jpeg";
    if (bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a")) return "image/gif";
    if (isWebP(bytes)) return "image/webp";
    return std::nullopt;
}

std::optional<Dimensions> dimensionsOf(std::string_view bytes) {
    std::optional<Dimensions> found;
    if (bytes.starts_with(pngMark) && bytes.size() >= 24 && bytes.substr(12, 4) == "IHDR")
        found = Dimensions{big(bytes, 16, 4), big(bytes, 20, 4)};
    else if (bytes.starts_with("GIF8") && bytes.size() >= 10)
        found = Dimensions{little(bytes, 6, 2), little(bytes, 8, 2)};
    else if (bytes.starts_with("\xff\xd8\xff"sv))
        found = ofJpeg(bytes);
    else if (isWebP(bytes))
        found = ofWebP(bytes);
    // The attributes of XEP-0084 are short numbers.
    const bool isSensible = found && found->width > 0 && found->width <= 0xffff &&
                            found->height > 0 && found->height <= 0xffff;
    return isSensible ? found : std::nullopt;
}

std::optional<std::string> decodeLoosely(std::string_view text) {
    std::string dense;
    dense.reserve(text.size());
    std::copy_if(text.begin(), text.end(), std::back_inserter(dense),
                 [](char c) { return c != ' ' && c != '\t' && c != '\r' && c != '\n'; });
    return decodeBase64(dense);
}

}  // namespace epode::avatar
