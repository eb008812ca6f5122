#include "core/base64.h"

#include <array>
#include <cstdint>

namespace epode {

namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t invalid = 0xFF;

constexpr auto sextets = [] {
    std::array<std::uint8_t, 256> table{};
    table.fill(invalid);
    for (unsigned i = 0; i < alphabet.size(); ++i) {
        table[static_cast<unsigned char>(alphabet[i])] = std::uint8_t(i);
    }
    return table;
}();

std::uint8_t sextetOf(char c) { return sextets[static_cast<unsigned char>(c)]; }
std::uint32_t byteAt(std::string_view bytes, std::size_t i) {
    return static_cast<unsigned char>(bytes[i]);
}

}  // namespace

std::string encodeBase64(std::string_view bytes) {
    std::string out((bytes.size() + 2) / 3 * 4, '=');
    char* next = out.data();
    std::size_t i = 0;
    for (; i + 3 <= bytes.size(); i += 3) {
        const auto group =
            byteAt(bytes, i) << 16 | byteAt(bytes, i + 1) << 8 | byteAt(bytes, i + 2);
        *next++ = alphabet[group >> 18];
        *next++ = alphabet[group >> 12 & 63];
        *next++ = alphabet[group >> 6 & 63];
        *next++ = alphabet[group & 63];
    }
    const auto rest = bytes.size() - i;
    if (rest > 0) {
        const auto group = byteAt(bytes, i) << 16 | (rest == 2 ? byteAt(bytes, i + 1) << 8 : 0);
        *next++ = alphabet[group >> 18];
        *next++ = alphabet[group >> 12 & 63];
        if (rest == 2) *next++ = alphabet[group >> 6 & 63];
    }
    return out;
}

std::optional<std::string> decodeBase64(std::string_view text) {
    if (text.size() % 4 != 0) return std::nullopt;
    std::size_t padding = 0;
    while (padding < 2 && text.ends_with('=')) {
        text.remove_suffix(1);
        ++padding;
    }
    std::string out;
    out.reserve(text.size() / 4 * 3 + 2);
    std::uint32_t bits = 0;
    unsigned bitCount = 0;
    for (const char c : text) {
        const auto sextet = sextetOf(c);
        if (sextet == invalid) return std::nullopt;
        bits = bits << 6 | sextet;
        bitCount += 6;
        if (bitCount < 8) continue;
        bitCount -= 8;
        out.push_back(char(bits >> bitCount & 0xFF));
    }
    if ((bits & ((1u << bitCount) - 1)) != 0) return std::nullopt;
    return out;
}

}  // namespace epode
