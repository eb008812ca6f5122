#include "stream/bosh_body.h"

#include "core/xml_scanner.h"
#include "stream/xml_frames.h"

#include <algorithm>
#include <charconv>

namespace epode {

namespace {

void skipSpace(std::string_view& text) {
    while (!text.empty() &&
           std::string_view{" \t\r\n"}.find(text.front()) != std::string_view::npos)
        text.remove_prefix(1);
}

// Where a start tag ends, behind its ">"; a ">" in quotes does not count.
std::size_t endOfTag(std::string_view text) {
    char quote = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (quote) {
            if (text[i] == quote) quote = 0;
        } else if (text[i] == '\'' || text[i] == '"') {
            quote = text[i];
        } else if (text[i] == '>') {
            return i + 1;
        }
    }
    return std::string_view::npos;
}

}  // namespace

std::optional<std::uint64_t> BoshBody::number(std::string_view name) const {
    const std::string_view text = get(name);
    std::uint64_t value = 0;
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), value);
    if (text.empty() || parsed.ec != std::errc{} || parsed.ptr != text.data() + text.size())
        return std::nullopt;
    return value;
}

bool BoshBody::isRestart() const {
    const auto restart = wrapper->find("restart", xboshNs).value_or("");
    return restart == "true" || restart == "1";
}

std::optional<BoshBody> parseBoshBody(std::string_view text) {
    skipSpace(text);
    if (text.starts_with("<?xml ")) {
        const auto end = text.find("?>");
        if (end == std::string_view::npos) return std::nullopt;
        text.remove_prefix(end + 2);
        skipSpace(text);
    }
    if (!isOneElement(text)) return std::nullopt;
    const auto tagEnd = endOfTag(text);
    if (tagEnd == std::string_view::npos || tagEnd < 3) return std::nullopt;
    std::string tag{text.substr(0, tagEnd)};
    const bool isEmpty = tag[tag.size() - 2] == '/';
    if (!isEmpty) {
        tag.pop_back();
        tag.append("/>");
    }
    auto parsed = parseElement(tag);
    if (!parsed.document || !parsed.document->is("body", boshNs)) return std::nullopt;
    BoshBody body;
    body.wrapper = std::move(parsed.document);
    const auto rid = body.number("rid");
    if (!rid || *rid == 0 || *rid > boshRidMax) return std::nullopt;
    body.rid = *rid;
    std::string_view rest = text.substr(tagEnd);
    while (!isEmpty) {
        skipSpace(rest);
        if (rest.starts_with("</")) {
            std::string_view end = rest.substr(2, endOfTag(rest) - 3);
            while (!end.empty() &&
                   std::string_view{" \t\r\n"}.find(end.back()) != std::string_view::npos)
                end.remove_suffix(1);
            const auto name = std::string_view{tag}.substr(1, tag.find_first_of(" \t\r\n/>") - 1);
            if (end != name) return std::nullopt;
            break;
        }
        if (rest.size() < 4 || rest[0] != '<' || rest[1] == '!' || rest[1] == '?')
            return std::nullopt;
        XmlScanner scanner;
        const auto found = scanner.scan(rest);
        if (!found.hasEnd) return std::nullopt;
        body.payloads.push_back(rest.substr(0, found.bytes));
        rest.remove_prefix(found.bytes);
    }
    return body;
}

}  // namespace epode
