// The fast path of the parser: one whole plain element, read without expat.
//
// "Plain" is what nearly every stanza consists of: start, end and empty tags with ASCII names,
// attributes, namespace declarations, text in UTF-8, the predefined entities and character
// references. Everything else, and everything wrong, is left to expat, so that there is one judge
// of what is refused and why.
#pragma once

#include "core/element.h"
#include "core/xml_stream.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace epode {

// What an element inherits from the stream it stands on.
struct XmlScope {
    std::string_view defaultNs;  // as it appears in trees
    std::string_view contentNs;  // what is called jabber:client in trees; empty: nothing else is
    bool keepDefaultNs = false;  // defaultNs is not static: trees need a copy
    bool hasStreamPrefix = true;
};

class XmlFastParser {
public:
    struct Result {
        Document document;
        std::string_view inner;  // see XmlStream::innerText
        std::size_t bytes = 0;   // of the element
    };

    // True when `input` (at a `<`) begins with a whole plain element within the limits.
    bool parse(std::string_view input, const XmlScope& scope, const XmlLimits& limits,
               Result& result);

private:
    // An element, or a text run (without name). Offsets and views are into the input.
    struct Node {
        const char* name;  // with its prefix
        std::uint32_t nameBytes;
        std::uint32_t prefixBytes;  // with the colon
        std::uint32_t parent;
        std::uint32_t firstAttribute;
        std::uint32_t attributeCount;
        std::uint32_t bindingCount;  // of those around it
        std::string_view ns;         // or the text of a run
        std::string_view defaultNs;  // for what is inside
    };
    struct RawAttribute {
        const char* name;
        std::uint32_t nameBytes;
        std::uint32_t prefixBytes;
        std::string_view value;
        std::string_view ns;
        bool isCoded;
    };
    struct Binding {
        std::string_view prefix;
        std::string_view ns;
    };

    const char* readStartTag(const char* at, bool& isEmpty);
    const char* readAttribute(const char* at);
    const char* readText(const char* at);
    bool declare(const RawAttribute& declaration);
    bool resolve(Node& node);
    const std::string_view* find(std::string_view prefix);
    bool build(const char* begin, Result& result);

    const XmlScope* scope_ = nullptr;
    const XmlLimits* limits_ = nullptr;
    const char* end_ = nullptr;
    std::uint32_t current_ = 0;
    std::size_t depth_ = 0;
    std::size_t declarations_ = 0;  // of the tag being read
    std::size_t decodedBytes_ = 0;  // at most, of all that has references
    std::size_t expansion_ = 0;
    bool isVerbatim_ = true;
    std::string_view ownDefaultNs_;  // declared by the tag being read
    bool hasOwnDefaultNs_ = false;

    // Kept from element to element for their room.
    std::vector<Node> nodes_;
    std::vector<RawAttribute> attributes_;
    std::vector<Binding> bindings_;
};

}  // namespace epode
