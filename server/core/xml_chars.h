// Classes of bytes in XML, and how to get over the plain ones quickly.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace epode::xml {

// Equal, with a short way for the usual case of the very same bytes: a namespace of 100 kB that a
// thousand elements share is not compared a thousand times.
inline bool same(std::string_view one, std::string_view other) {
    return one.size() == other.size() && (one.data() == other.data() || one.empty() ||
                                          std::memcmp(one.data(), other.data(), one.size()) == 0);
}

inline constexpr std::uint8_t nameStart = 1;
inline constexpr std::uint8_t nameChar = 2;
inline constexpr std::uint8_t space = 4;

// ASCII only: other names are left to expat. The colon is no part of a name (Namespaces in XML).
inline constexpr auto classes = [] {
    std::array<std::uint8_t, 256> table{};
    for (int c = 'a'; c <= 'z'; ++c) table[c] = nameStart | nameChar;
    for (int c = 'A'; c <= 'Z'; ++c) table[c] = nameStart | nameChar;
    for (int c = '0'; c <= '9'; ++c) table[c] = nameChar;
    table['_'] = nameStart | nameChar;
    table['-'] = table['.'] = nameChar;
    table[' '] = table['\t'] = table['\n'] = table['\r'] = space;
    return table;
}();

inline bool isNameStart(char c) { return classes[std::uint8_t(c)] & nameStart; }
inline bool isNameChar(char c) { return classes[std::uint8_t(c)] & nameChar; }
inline bool isSpace(char c) { return classes[std::uint8_t(c)] & space; }

inline const char* skipSpace(const char* at, const char* end) {
    while (at != end && isSpace(*at)) ++at;
    return at;
}

// The end of the UTF-8 sequence at `at` (which is no ASCII), null when it is cut, malformed, or no
// character of XML (surrogates, U+FFFE, U+FFFF).
inline const char* skipUtf8(const char* at, const char* end) {
    const auto byte = [&](int i) { return std::uint8_t(at[i]); };
    const auto follows = [&](int i) { return (byte(i) & 0xC0) == 0x80; };
    const auto left = end - at;
    const std::uint8_t lead = byte(0);
    if (lead < 0xC2) return nullptr;
    if (lead < 0xE0) return left > 1 && follows(1) ? at + 2 : nullptr;
    if (lead < 0xF0) {
        if (left < 3 || !follows(1) || !follows(2)) return nullptr;
        if (lead == 0xE0 && byte(1) < 0xA0) return nullptr;
        if (lead == 0xED && byte(1) > 0x9F) return nullptr;
        if (lead == 0xEF && byte(1) == 0xBF && byte(2) > 0xBD) return nullptr;
        return at + 3;
    }
    if (lead > 0xF4 || left < 4 || !follows(1) || !follows(2) || !follows(3)) return nullptr;
    if (lead == 0xF0 && byte(1) < 0x90) return nullptr;
    if (lead == 0xF4 && byte(1) > 0x8F) return nullptr;
    return at + 4;
}

// The first byte that is one of `a`, `b`, `c` or a control character, or no ASCII when
// `stopAtHigh`.
template <bool stopAtHigh>
inline const char* skipPlain(const char* at, const char* end, char a, char b, char c) {
#if defined(__SSE2__)
    const __m128i wantA = _mm_set1_epi8(a);
    const __m128i wantB = _mm_set1_epi8(b);
    const __m128i wantC = _mm_set1_epi8(c);
    while (end - at >= 16) {
        const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
        // Compared as signed numbers, bytes from 0x80 on are below 0x20 as well.
        const __m128i low = stopAtHigh
                                ? _mm_cmplt_epi8(bytes, _mm_set1_epi8(0x20))
                                : _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1F)), bytes);
        const __m128i found =
            _mm_or_si128(_mm_or_si128(low, _mm_cmpeq_epi8(bytes, wantA)),
                         _mm_or_si128(_mm_cmpeq_epi8(bytes, wantB), _mm_cmpeq_epi8(bytes, wantC)));
        if (const int mask = _mm_movemask_epi8(found)) return at + __builtin_ctz(unsigned(mask));
        at += 16;
    }
#endif
    while (at != end) {
        const auto byte = std::uint8_t(*at);
        if (byte < 0x20 || (stopAtHigh && byte >= 0x80) || *at == a || *at == b || *at == c) break;
        ++at;
    }
    return at;
}

}  // namespace epode::xml
