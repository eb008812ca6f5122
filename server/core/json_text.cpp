#include "core/json_text.h"

namespace epode {

namespace {

constexpr std::string_view hexDigits = "0123456789abcdef";

unsigned char byteAt(std::string_view text, std::size_t index) {
    return static_cast<unsigned char>(text[index]);
}

}  // namespace

std::size_t utf8Bytes(std::string_view text, std::size_t index) {
    const auto lead = byteAt(text, index);
    if (lead < 0x80) return 1;
    std::size_t bytes = 0;
    unsigned least = 0x80, most = 0xbf;  // of the second byte
    if (lead >= 0xc2 && lead <= 0xdf) {
        bytes = 2;
    } else if (lead >= 0xe0 && lead <= 0xef) {
        bytes = 3;
        if (lead == 0xe0) least = 0xa0;
        if (lead == 0xed) most = 0x9f;
    } else if (lead >= 0xf0 && lead <= 0xf4) {
        bytes = 4;
        if (lead == 0xf0) least = 0x90;
        if (lead == 0xf4) most = 0x8f;
    }
    if (bytes == 0 || index + bytes > text.size()) return 0;
    for (std::size_t i = 1; i < bytes; ++i) {
        const auto byte = byteAt(text, index + i);
        if (byte < least || byte > most) return 0;
        least = 0x80;
        most = 0xbf;
    }
    return bytes;
}

void appendJsonString(std::string& out, std::string_view text) {
    out += '"';
    for (std::size_t i = 0; i < text.size();) {
        const auto bytes = utf8Bytes(text, i);
        if (bytes == 0) {
            out += "\xef\xbf\xbd";
            ++i;
            continue;
        }
        const auto character = text.substr(i, bytes);
        i += bytes;
        const auto byte = static_cast<unsigned char>(character[0]);
        if (character == "\"" || character == "\\") {
            out += '\\';
            out += character;
        } else if (character == "\n") {
            out += "\\n";
        } else if (character == "\t") {
            out += "\\t";
        } else if (bytes == 1 && (byte < 0x20 || byte == 0x7f)) {
            out += "\\u00";
            out += hexDigits[byte >> 4];
            out += hexDigits[byte & 15];
        } else {
            out += character;
        }
    }
    out += '"';
}

}  // namespace epode
