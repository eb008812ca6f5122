// UUIDs of version 7 (RFC 9562, 5.7): a stamp in milliseconds, then 74 bits of chance. They are the
// ids of what is archived: their order is the order of time, as bytes and as text.
#pragma once

#include "core/time.h"

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace epode {

class Uuid {
public:
    // The empty one (all zero), which is nobody's id.
    Uuid() = default;

    // A new one that nobody can guess. The stamp is cut to 48 bits; before 1970 it is 1970.
    static Uuid at(WallTime stamp);

    // "0190b0a0-5b1c-7c3e-8f2a-0123456789ab", in either case. Nothing when it is no UUID of
    // version 7.
    static std::optional<Uuid> parse(std::string_view text);
    // From the 16 bytes of `bytes()`.
    static std::optional<Uuid> fromBytes(std::string_view bytes);

    // The same chance at another time: two ids for one message whose stamp has to move.
    Uuid movedTo(WallTime stamp) const;

    WallTime stamp() const;
    bool empty() const { return *this == Uuid{}; }

    std::string text() const;  // lowercase
    void appendTo(std::string& out) const;
    std::string_view bytes() const {
        return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
    }

    friend bool operator==(const Uuid&, const Uuid&) = default;
    friend auto operator<=>(const Uuid& a, const Uuid& b) { return a.bytes() <=> b.bytes(); }

private:
    void setStamp(WallTime stamp);
    bool isVersion7() const { return bytes_[6] >> 4 == 7 && bytes_[8] >> 6 == 2; }

    std::array<std::uint8_t, 16> bytes_{};
};

}  // namespace epode

template <>
struct std::hash<epode::Uuid> {
    std::size_t operator()(const epode::Uuid& uuid) const noexcept {
        std::uint64_t chance;  // the second half is random but for its first two bits
        std::memcpy(&chance, uuid.bytes().data() + 8, sizeof chance);
        return std::size_t(chance);
    }
};
