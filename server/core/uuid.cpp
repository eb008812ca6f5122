#include "core/uuid.h"

#include "core/random.h"

#include <algorithm>

namespace epode {

namespace {

constexpr std::int64_t stampMax = (std::int64_t{1} << 48) - 1;
constexpr std::size_t textBytes = 36;

constexpr bool isHyphenAt(std::size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

constexpr auto hexPairs = [] {
    std::array<std::array<char, 2>, 256> pairs{};
    constexpr std::string_view digits = "0123456789abcdef";
    for (unsigned i = 0; i < 256; ++i) pairs[i] = {digits[i >> 4], digits[i & 15]};
    return pairs;
}();

int nibbleOf(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

Uuid Uuid::at(WallTime stamp) {
    Uuid uuid;
    fillRandom(uuid.bytes_.data() + 6, 10);
    uuid.bytes_[6] = std::uint8_t(0x70 | (uuid.bytes_[6] & 0x0F));
    uuid.bytes_[8] = std::uint8_t(0x80 | (uuid.bytes_[8] & 0x3F));
    uuid.setStamp(stamp);
    return uuid;
}

std::optional<Uuid> Uuid::parse(std::string_view text) {
    if (text.size() != textBytes) return std::nullopt;
    Uuid uuid;
    std::size_t at = 0;
    for (std::size_t i = 0; i < textBytes;) {
        if (isHyphenAt(i)) {
            if (text[i++] != '-') return std::nullopt;
            continue;
        }
        const int high = nibbleOf(text[i]);
        const int low = nibbleOf(text[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        uuid.bytes_[at++] = std::uint8_t(high << 4 | low);
        i += 2;
    }
    if (!uuid.isVersion7()) return std::nullopt;
    return uuid;
}

std::optional<Uuid> Uuid::fromBytes(std::string_view bytes) {
    Uuid uuid;
    if (bytes.size() != uuid.bytes_.size()) return std::nullopt;
    std::copy(bytes.begin(), bytes.end(), uuid.bytes_.begin());
    if (!uuid.isVersion7()) return std::nullopt;
    return uuid;
}

Uuid Uuid::movedTo(WallTime stamp) const {
    Uuid moved = *this;
    moved.setStamp(stamp);
    return moved;
}

WallTime Uuid::stamp() const {
    std::int64_t milliseconds = 0;
    for (std::size_t i = 0; i < 6; ++i) milliseconds = milliseconds << 8 | bytes_[i];
    return WallTime{std::chrono::milliseconds{milliseconds}};
}

std::string Uuid::text() const {
    std::string out;
    appendTo(out);
    return out;
}

void Uuid::appendTo(std::string& out) const {
    char text[textBytes];
    std::size_t at = 0;
    for (const auto byte : bytes_) {
        if (isHyphenAt(at)) text[at++] = '-';
        text[at++] = hexPairs[byte][0];
        text[at++] = hexPairs[byte][1];
    }
    out.append(text, textBytes);
}

void Uuid::setStamp(WallTime stamp) {
    auto milliseconds = std::clamp<std::int64_t>(toMilliseconds(stamp), 0, stampMax);
    for (std::size_t i = 6; i-- > 0;) {
        bytes_[i] = std::uint8_t(milliseconds & 0xFF);
        milliseconds >>= 8;
    }
}

}  // namespace epode
