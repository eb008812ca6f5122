#include "stream/user_agent.h"

#include <algorithm>

namespace epode {

namespace {

constexpr std::size_t textBytesMax = 128;

// RFC 9562, 4: "xxxxxxxx-xxxx-4xxx-Vxxx-xxxxxxxxxxxx", V being 8, 9, a or b. In lowercase, since
// both cases are the same id.
std::optional<std::string> readUuid4(std::string_view text) {
    constexpr std::string_view form = "xxxxxxxx-xxxx-4xxx-Vxxx-xxxxxxxxxxxx";
    if (text.size() != form.size()) return std::nullopt;
    std::string id{text};
    for (std::size_t i = 0; i < form.size(); ++i) {
        char& c = id[i];
        if (c >= 'A' && c <= 'F') c = char(c - 'A' + 'a');
        const bool isHex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (form[i] == 'x'   ? !isHex
            : form[i] == 'V' ? c != '8' && c != '9' && c != 'a' && c != 'b'
                             : c != form[i])
            return std::nullopt;
    }
    return id;
}

// Cut at a character's begin; without control characters, for it is shown in terminals.
std::string readText(std::string_view text) {
    std::size_t size = std::min(text.size(), textBytesMax);
    while (size < text.size() && size > 0 && (text[size] & 0xC0) == 0x80) --size;
    std::string clean;
    for (std::size_t i = 0; i < size; ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const bool isC1 =
            byte == 0xC2 && i + 1 < size && static_cast<unsigned char>(text[i + 1]) < 0xA0;
        if (isC1) ++i;
        clean += byte < 0x20 || byte == 0x7F || isC1 ? ' ' : char(byte);
    }
    return clean;
}

}  // namespace

std::optional<UserAgent> readUserAgent(const Element& authenticate) {
    UserAgent agent;
    const Element* element = authenticate.child("user-agent");
    if (!element) return agent;
    if (const auto id = element->find("id")) {
        auto uuid = readUuid4(*id);
        if (!uuid) return std::nullopt;
        agent.id = std::move(*uuid);
    }
    agent.software = readText(element->childText("software"));
    agent.device = readText(element->childText("device"));
    return agent;
}

}  // namespace epode
