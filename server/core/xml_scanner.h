// Finds where first-level elements end, without judging them: a piece that is given to expat must
// not go beyond, and expat itself says so only afterwards. It agrees with expat on all that expat
// accepts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace epode {

class XmlScanner {
public:
    struct Found {
        std::size_t bytes = 0;   // read, up to the end if there is one
        bool hasEnd = false;     // of a first-level element, of the header, or of the stream
        bool hasTagEnd = false;  // of any tag
    };

    // `begin` stands at the start of a header or between two elements, or where it was left.
    Found scan(std::string_view piece);

    // The first tag is no element, but the header of the stream.
    void expectHeader() { isHeader_ = true; }

private:
    enum class State : std::uint8_t {
        Text,
        Open,  // behind a `<`
        StartTag,
        EndTag,
        Quoted,       // inside a start tag or declaration
        Bang,         // behind `<!`
        BangDash,     // behind `<!-`
        Comment,      // ends with `-->`
        Cdata,        // ends with `]]>`
        Instruction,  // ends with `?>`
        Declaration,  // of a document type
    };

    const char* readOpen(const char* at);
    const char* readTag(const char* at, const char* end, Found& found);
    const char* readUntil(const char* at, const char* end, char mark, unsigned marks);

    State state_ = State::Text;
    State quotedIn_ = State::Text;
    char quote_ = 0;
    bool isHeader_ = false;
    bool hasSlash_ = false;  // the last byte of a start tag was one
    unsigned marks_ = 0;     // how many of those that come before the `>`
    std::size_t depth_ = 0;
};

}  // namespace epode
