// The XML of a stream, as WebSocket and BOSH carry it: element by element, each understandable by
// itself, instead of one long document.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace epode {

// What a stream writes to its transport, cut into pieces.
struct XmlPiece {
    enum class Kind {
        Header,   // <stream:stream …>, perhaps with an XML declaration before it
        Element,  // a stanza, features, an error, …
        Close,    // </stream:stream>
    };
    Kind kind;
    std::string_view text;
};
// Takes the next whole piece from the front; nothing when there is none.
std::optional<XmlPiece> takeXmlPiece(std::string_view& text);

// Where in an element its missing declaration goes, and the declaration: a stanza's default
// namespace, the prefix of `stream:features`. Both empty when it stands by itself.
struct MissingDeclaration {
    std::size_t at = 0;
    std::string_view text;
};
MissingDeclaration missingDeclaration(std::string_view element);

// The attributes of a header as they were written, without its namespaces: " version='1.0' id='…'".
std::string headerAttributes(std::string_view header);
// The value of one of them; "" when there is none.
std::string headerAttribute(std::string_view header, std::string_view name);

// The header that a client sends over TCP, from what it says here.
struct ClientHeader {
    std::string_view to;
    std::string_view from;
    std::string_view version;
    std::string_view lang;
};
std::string toStreamHeader(const ClientHeader& header);

inline constexpr std::string_view streamEndTag = "</stream:stream>";

// Whether a text is exactly one element, perhaps with white space behind it, as far as its tags
// tell: no declaration, comment or processing instruction before it.
bool isOneElement(std::string_view text);
// Its name without a prefix; for a look only.
std::string_view localNameOf(std::string_view element);

}  // namespace epode
