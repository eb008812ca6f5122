#include "stream/xml_frames.h"

#include "core/element.h"
#include "core/namespaces.h"
#include "core/xml_scanner.h"

#include <algorithm>

namespace epode {

namespace {

constexpr std::string_view headerTag = "<stream:stream";
constexpr std::string_view stanzaNs = " xmlns='jabber:client'";
constexpr std::string_view streamNs = " xmlns:stream='http://etherx.jabber.org/streams'";

bool isSpace(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

std::string_view nameOf(std::string_view element) {
    if (element.empty()) return {};
    const auto end = element.find_first_of(" \t\r\n/>", 1);
    return element.substr(1, end == std::string_view::npos ? end : end - 1);
}

}  // namespace

std::optional<XmlPiece> takeXmlPiece(std::string_view& text) {
    while (!text.empty() && isSpace(text.front())) text.remove_prefix(1);
    if (text.empty()) return std::nullopt;
    if (text.starts_with(streamEndTag)) {
        const XmlPiece piece{XmlPiece::Kind::Close, text.substr(0, streamEndTag.size())};
        text.remove_prefix(streamEndTag.size());
        return piece;
    }
    if (text.starts_with("<?xml") || text.starts_with(headerTag)) {
        const auto tag = text.find(headerTag);
        const auto end = tag == std::string_view::npos ? tag : text.find('>', tag);
        if (end == std::string_view::npos) return std::nullopt;
        const XmlPiece piece{XmlPiece::Kind::Header, text.substr(tag, end + 1 - tag)};
        text.remove_prefix(end + 1);
        return piece;
    }
    XmlScanner scanner;
    const auto found = scanner.scan(text);
    if (!found.hasEnd) return std::nullopt;
    const XmlPiece piece{XmlPiece::Kind::Element, text.substr(0, found.bytes)};
    text.remove_prefix(found.bytes);
    return piece;
}

MissingDeclaration missingDeclaration(std::string_view element) {
    const std::string_view name = nameOf(element);
    if (name == "message" || name == "iq" || name == "presence") return {1 + name.size(), stanzaNs};
    if (name.starts_with("stream:")) return {1 + name.size(), streamNs};
    return {};
}

std::string headerAttributes(std::string_view header) {
    header.remove_prefix(std::min(headerTag.size(), header.size()));
    std::string kept;
    while (true) {
        const auto start = header.find_first_not_of(' ');
        if (start == std::string_view::npos) return kept;
        const auto equals = header.find('=', start);
        if (equals == std::string_view::npos || equals + 1 >= header.size()) return kept;
        const auto end = header.find(header[equals + 1], equals + 2);
        if (end == std::string_view::npos) return kept;
        const std::string_view name = header.substr(start, equals - start);
        if (name != "xmlns" && name != "xmlns:stream")
            kept.append(" ").append(header.substr(start, end + 1 - start));
        header.remove_prefix(end + 1);
    }
}

std::string headerAttribute(std::string_view header, std::string_view name) {
    const std::string wanted = " " + std::string{name} + "='";
    const auto start = header.find(wanted);
    if (start == std::string_view::npos) return {};
    const auto from = start + wanted.size();
    return std::string{header.substr(from, header.find('\'', from) - from)};
}

std::string toStreamHeader(const ClientHeader& header) {
    std::string text =
        "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'";
    const auto add = [&](std::string_view name, std::string_view value) {
        if (value.empty()) return;
        text.append(" ").append(name).append("='");
        escapeAttribute(text, value);
        text.append("'");
    };
    add("to", header.to);
    add("from", header.from);
    add("version", header.version);
    add("xml:lang", header.lang);
    return text.append(">");
}

bool isOneElement(std::string_view text) {
    if (text.size() < 4 || text[0] != '<' || text[1] == '?' || text[1] == '!' || text[1] == '/')
        return false;
    XmlScanner scanner;
    const auto found = scanner.scan(text);
    if (!found.hasEnd) return false;
    return std::all_of(text.begin() + std::ptrdiff_t(found.bytes), text.end(), isSpace);
}

std::string_view localNameOf(std::string_view element) {
    const std::string_view name = nameOf(element);
    const auto colon = name.find(':');
    return colon == std::string_view::npos ? name : name.substr(colon + 1);
}

}  // namespace epode
