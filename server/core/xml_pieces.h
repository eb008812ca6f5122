// Reads an XML document of any size in pieces: the elements that are wanted come as whole trees,
// those around them as a start and an end. For files of people who are trusted; streams of
// strangers go through XmlStream.
#pragma once

#include "core/element.h"

#include <cstddef>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <vector>

namespace epode {

// The document is not well-formed, declares a document type, or has too large an element. The text
// names the line.
class XmlPiecesError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

class XmlPieces {
public:
    struct Event {
        enum class Kind { Start, Whole, End };
        Kind kind;
        Document element;  // Start: with its attributes alone; End: nothing
    };
    enum class Shape { Opened, Whole };
    // Asked at each start tag that is not inside of a whole element; `depth` is 0 for the root.
    using Decide = std::function<Shape(const Element& start, std::size_t depth)>;

    explicit XmlPieces(Decide decide, std::size_t wholeBytesMax = 64u << 20);
    ~XmlPieces();
    XmlPieces(const XmlPieces&) = delete;
    XmlPieces& operator=(const XmlPieces&) = delete;

    // What these bytes complete, in order. Text between pieces is left out. Throws XmlPiecesError.
    std::vector<Event> feed(std::string_view bytes);
    // After the last byte: what it has completed. Throws when the document is not complete.
    std::vector<Event> finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace epode
