// Text for manual pages (the man macros of groff and mandoc).
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

namespace epode {

// What a backslash, a leading dot, a quote or a hyphen would mean otherwise is escaped; what isn't
// ASCII becomes "\[u2026]", as roff itself reads no UTF-8. A paragraph of its own begins at each
// empty line.
inline std::string roff(std::string_view text) {
    std::string result;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char letter = text[i];
        const auto lead = static_cast<unsigned char>(letter);
        const bool beginsLine = i == 0 || text[i - 1] == '\n';
        if (beginsLine && (letter == '.' || letter == '\'')) result += "\\&";
        if (beginsLine && letter == '\n') {
            result += ".PP";
        }
        if (letter == '\\') {
            result += "\\e";
        } else if (letter == '-') {
            result += "\\-";
        } else if (letter == '"') {
            result += "\\(dq";
        } else if (letter == '\'') {
            result += "\\(aq";
        } else if (letter == '`') {
            result += "\\(ga";
        } else if (letter == '^') {
            result += "\\(ha";
        } else if (letter == '~') {
            result += "\\(ti";
        } else if (lead >= 0xc0) {
            std::size_t bytes = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
            std::uint32_t code = lead & (0xffu >> (bytes + 1));
            for (; bytes > 1 && i + 1 < text.size(); --bytes)
                code = code << 6 | (static_cast<unsigned char>(text[++i]) & 0x3fu);
            char name[16];
            std::snprintf(name, sizeof name, "\\[u%04X]", static_cast<unsigned>(code));
            result += name;
        } else {
            result += letter;
        }
    }
    return result;
}

}  // namespace epode
