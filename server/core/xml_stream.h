// Cuts the bytes of an XML stream (RFC 6120, 4 and 11) into its header and first-level elements.
//
// A whole plain element in the input takes a fast path of our own; whatever is unusual or
// incomplete goes to expat. Parsers of expat stand between two elements, in a pool that the streams
// of one loop share, so that an idle stream holds none.
#pragma once

#include "core/element.h"
#include "core/stream_error.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace epode {

// What a stranger may send before it is refused with policy-violation.
struct XmlLimits {
    std::size_t elementBytesMax = 262144;  // bytes of one first-level element
    std::size_t depthMax = 64;             // nesting below the stream's root
    std::size_t attributesMax = 64;        // of one element, declarations included
    std::size_t nodesMax = 10000;          // elements and text runs of one first-level element
    std::size_t parserBytesMax = 2097152;  // heap of expat and tree together
};

struct StreamHeader {
    std::string to;
    std::string from;
    std::string id;
    std::string lang;
    std::string version;    // "" when absent
    std::string defaultNs;  // jabber:client, jabber:server, …; "" when none is declared
    bool hasDeclaration = false;
};

// ExpatOnly is for tests: both ways must give the same events and the same trees.
enum class XmlPath { FastThenExpat, ExpatOnly };

// Parsers of one loop. Not thread-safe; outlives its streams.
class XmlParserPool {
public:
    explicit XmlParserPool(XmlPath path = XmlPath::FastThenExpat);
    ~XmlParserPool();
    std::size_t idle() const;   // parsers that wait for somebody
    std::size_t inUse() const;  // parsers inside an element, or of streams with unusual headers

private:
    friend class XmlStream;
    struct State;
    std::unique_ptr<State> state_;
};

class XmlStream {
public:
    enum class Event {
        NeedMore,  // all input was taken
        Header,    // header() was read
        Element,   // takeElement() has it
        Close,     // </stream:stream>
        Failure,   // error() says why; the stream is over
    };

    XmlStream(XmlParserPool& pool, const XmlLimits& limits);
    ~XmlStream();
    XmlStream(XmlStream&& other) noexcept;
    XmlStream& operator=(XmlStream&& other) noexcept;

    // Takes from the front of `input` up to the next event. Nothing after an event's last byte is
    // taken, so that the caller may restart the stream, start TLS or stop there.
    Event next(std::string_view& input);

    const StreamHeader& header() const;
    // The element of the last event. `innerText()` is the text between its tags if it can be reused
    // verbatim (fast path, standard declarations), else empty; it lives in the document.
    Document takeElement();
    std::string_view innerText() const;
    const StreamError& error() const;

    // After STARTTLS or SASL success: the next bytes are a new stream.
    void restart();
    // Other limits from now on (after login).
    void setLimits(const XmlLimits& limits);
    // To the pool of another loop. Only between two elements or inside one: state moves along.
    void moveTo(XmlParserPool& pool);

    // True inside an element or header (bytes of it were taken).
    bool isInside() const;

private:
    friend struct XmlStreamAccess;
    struct State;
    std::unique_ptr<State> state_;
};

// One whole element outside of a stream (WebSocket frames, stored XML): white space around it is
// skipped, anything else beside it is an error. `ns` is the default namespace that the text
// inherits; the prefix `stream` is bound as on a stream.
struct ParsedElement {
    Document document;
    std::string_view innerText;  // as XmlStream::innerText
    StreamError error;           // why there is no document
};
ParsedElement parseElement(XmlParserPool& pool, const XmlLimits& limits, std::string_view text,
                           std::string_view ns = {});
// With a pool and limits of this thread's own.
ParsedElement parseElement(std::string_view text, std::string_view ns = {});

}  // namespace epode
