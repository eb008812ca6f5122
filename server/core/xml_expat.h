// The thorough path of the parser: expat, with the restrictions of XMPP and our limits around it.
#pragma once

#include "core/xml_fast.h"
#include "core/xml_scanner.h"
#include "core/xml_stream.h"

#include <expat.h>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace epode {

// What a stream header declares, apart from its addresses.
struct StreamDeclarations {
    bool hasPrefix = true;  // <stream:stream> rather than <stream xmlns='http://etherx…'>
    std::vector<std::pair<std::string, std::string>> namespaces;  // prefix, namespace

    // A header that declares the same.
    std::string toHeader() const;
};

// One parser of expat, inside of a stream's header or of one element. Between two elements it knows
// nothing of the stream but the declarations of the header, so that any stream with the same
// declarations can go on with it.
class XmlExpatParser {
public:
    enum class Outcome { NeedMore, Header, Element, Close, Failure };

    XmlExpatParser();
    ~XmlExpatParser();
    XmlExpatParser(const XmlExpatParser&) = delete;
    XmlExpatParser& operator=(const XmlExpatParser&) = delete;

    // Brings a new parser to where it stands behind such a header; false when it is out of memory.
    bool prime(const StreamDeclarations& declarations);

    // Takes from the front of `input` up to the end of what it reports.
    Outcome feed(std::string_view& input, const XmlScope& scope, const XmlLimits& limits);

    // After Header.
    StreamHeader takeHeader() { return std::move(header_); }
    StreamDeclarations takeDeclarations() { return std::move(declarations_); }
    // The header was an empty tag: the stream ended where it began.
    bool isClosed() const { return isClosed_; }

    Document takeDocument();                             // after Element
    const StreamError& error() const { return error_; }  // after Failure

    // It has not grown, and stands between two elements.
    bool isReusable() const;

private:
    // Bytes of heap that expat holds. Its blocks point here.
    struct Account {
        std::size_t bytes = 0;
        std::size_t bytesMax = SIZE_MAX;
        bool isExceeded = false;
    };
    struct Block;
    static void* allocate(std::size_t bytes);
    static void* reallocate(void* memory, std::size_t bytes);
    static void release(void* memory);
    static thread_local Account* account;

    static XmlExpatParser& self(void* parser) { return *static_cast<XmlExpatParser*>(parser); }
    static void onStart(void*, const char*, const char**);
    static void onEnd(void*, const char*);
    static void onText(void*, const char*, int);
    static void onNamespace(void*, const char*, const char*);
    static void onDeclaration(void*, const char*, const char*, int);
    static void onDoctype(void*, const char*, const char*, const char*, int);
    static void onComment(void*, const char*);
    static void onInstruction(void*, const char*, const char*);
    static void onCdata(void*);

    void startHeader(std::string_view qname, const char** attributes);
    void startElement(std::string_view qname, const char** attributes);
    bool parse(std::string_view piece);
    std::string_view keepNs(std::string_view ns, std::string_view parentNs);
    void endText();
    void checkMemory();
    std::size_t treeBytes() const;
    void fail(StreamCondition condition, std::string_view text);
    void failFromExpat();
    Outcome outcome();

    Account account_;
    XML_Parser parser_ = nullptr;
    std::size_t baseBytes_ = 0;  // of expat behind the header

    // For as long as one `feed` lasts.
    const XmlScope* scope_ = nullptr;
    const XmlLimits* limits_ = nullptr;

    XmlScanner scanner_;
    bool hasHeader_ = false;
    bool isClosed_ = false;
    bool headerDone_ = false;
    bool elementDone_ = false;
    bool isPriming_ = false;
    std::size_t declared_ = 0;  // namespaces, by the next start tag

    std::uint64_t fed_ = 0;  // bytes that expat was given in all
    std::size_t taken_ = 0;  // bytes of this header or element
    std::size_t depth_ = 0;
    std::size_t nodes_ = 0;
    std::size_t expansion_ = 0;
    std::size_t unfinished_ = 0;  // bytes of a token which expat looks at anew with each piece
    std::string held_;            // see feed()
    std::string text_;            // of the run being read
    std::unique_ptr<Arena> arena_;
    Element* root_ = nullptr;
    Element* current_ = nullptr;
    std::unordered_set<std::string_view> namespaces_;  // of this element, in its arena

    StreamHeader header_;
    StreamDeclarations declarations_;
    StreamError error_;
    bool hasFailed_ = false;
};

}  // namespace epode
