#include "file_type.h"

#include "net/http_message.h"

#include <algorithm>
#include <array>

namespace epode::upload {

namespace {

constexpr std::size_t typeBytesMax = 127;

char lower(char c) { return c >= 'A' && c <= 'Z' ? char(c - 'A' + 'a') : c; }

std::string_view trimmed(std::string_view text) {
    while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
    while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
    return text;
}

std::string_view essenceOf(std::string_view type) {
    return trimmed(type.substr(0, type.find(';')));
}

bool isShownInPlace(std::string_view essence) {
    static constexpr std::array<std::string_view, 11> pictures{
        "image/png",  "image/jpeg", "image/gif", "image/webp", "image/avif", "image/bmp",
        "image/heic", "image/heif", "image/jxl", "image/apng", "text/plain",
    };
    return essence.starts_with("audio/") || essence.starts_with("video/") ||
           std::find(pictures.begin(), pictures.end(), essence) != pictures.end();
}

// What a browser would take as a script, a style sheet or a program for a page that asks for it.
bool isPartOfPages(std::string_view essence) {
    return essence.find("script") != std::string_view::npos || essence == "text/css" ||
           essence == "application/wasm" || essence == "application/x-shockwave-flash" ||
           essence == "text/cache-manifest" || essence.ends_with("json") ||
           essence == "application/java-archive" || essence == "text/jsx";
}

}  // namespace

std::string readMediaType(std::string_view text) {
    text = trimmed(text);
    if (text.size() > typeBytesMax) return {};
    const std::string_view essence = essenceOf(text);
    const auto slash = essence.find('/');
    if (slash == std::string_view::npos || !isHttpToken(essence.substr(0, slash)) ||
        !isHttpToken(essence.substr(slash + 1)))
        return {};
    std::string type;
    for (const char c : essence) type += lower(c);
    std::string_view parameters = text.substr(std::min(text.find(';'), text.size()));
    for (const char c : parameters)
        if (c < 0x20 || c > 0x7E) return {};
    return type.append(trimmed(parameters));
}

bool isSameType(std::string_view a, std::string_view b) {
    return equalIgnoringCase(essenceOf(a), essenceOf(b));
}

Serving servingOf(std::string_view mediaType) {
    const std::string_view essence = essenceOf(mediaType);
    if (essence.empty() || isPartOfPages(essence)) return {std::string{unknownType}, false};
    const bool isShown = isShownInPlace(essence);
    if (essence == "text/plain" && mediaType == essence)
        return {"text/plain; charset=utf-8", isShown};
    return {std::string{mediaType}, isShown};
}

std::string readFileName(std::string_view text, std::size_t bytesMax) {
    if (const auto folder = text.find_last_of("/\\"); folder != std::string_view::npos)
        text.remove_prefix(folder + 1);
    std::string name;
    for (const char c : text) name += (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) ? '_' : c;
    // C1 controls and what turns the direction of writing around hide an ending from people.
    for (const std::string_view hidden :
         {"\xE2\x80\xAA", "\xE2\x80\xAB", "\xE2\x80\xAC", "\xE2\x80\xAD", "\xE2\x80\xAE",
          "\xE2\x81\xA6", "\xE2\x81\xA7", "\xE2\x81\xA8", "\xE2\x81\xA9", "\xE2\x80\x8E",
          "\xE2\x80\x8F"})
        for (auto at = name.find(hidden); at != std::string::npos; at = name.find(hidden, at))
            name.replace(at, hidden.size(), "_");
    if (name == "." || name == ".." || name.size() > bytesMax) return {};
    return name;
}

std::string percentEncoded(std::string_view text) {
    static constexpr std::string_view digits = "0123456789ABCDEF";
    static constexpr std::string_view plain =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    std::string out;
    for (const char c : text) {
        if (plain.find(c) != std::string_view::npos) {
            out += c;
            continue;
        }
        const auto byte = static_cast<unsigned char>(c);
        (out += '%').append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
    }
    return out;
}

std::string contentDisposition(std::string_view name, bool isShown) {
    return (isShown ? "inline; filename*=UTF-8''" : "attachment; filename*=UTF-8''") +
           percentEncoded(name);
}

}  // namespace epode::upload
