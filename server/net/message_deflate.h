// Compression of WebSocket's messages (RFC 7692, permessage-deflate), each for itself: neither side
// remembers what came before ("no context takeover"), so that a connection costs no memory between
// two messages. What it takes is shared by the connections of a thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace epode {

struct DeflateAgreement {
    unsigned windowBits = 0;  // of what we send; 0: there is no compression
    std::string answer{};     // for Sec-WebSocket-Extensions
};
// The first offer of Sec-WebSocket-Extensions that we can take; several fields joined by commas.
DeflateAgreement agreeOnDeflate(std::string_view offers);

enum class Inflated : std::uint8_t { Whole, TooLarge, Broken };
// Replaces `text` by what was compressed. Stops as soon as it is larger than `bytesMax`.
Inflated inflateMessage(std::string_view compressed, std::size_t bytesMax, std::string& text);

// Replaces `compressed`; false when that would be no smaller.
bool deflateMessage(std::string_view text, unsigned windowBits, std::string& compressed);

}  // namespace epode
