#include "core/xml_pieces.h"

#include <expat.h>

#include <new>
#include <string>
#include <utility>

namespace epode {

namespace {

// Between namespace and name in what expat tells; no character of XML.
constexpr char separator = '\x01';
constexpr std::size_t depthMax = 1000;

std::pair<std::string_view, std::string_view> split(std::string_view name) {
    const auto at = name.find(separator);
    if (at == std::string_view::npos) return {{}, name};
    return {name.substr(0, at), name.substr(at + 1)};
}

}  // namespace

struct XmlPieces::State {
    Decide decide;
    std::size_t wholeBytesMax;
    XML_Parser parser = XML_ParserCreateNS("UTF-8", separator);
    std::vector<Event> events;
    std::size_t depth = 0;  // of elements that are open
    Document whole;         // the tree that is being built
    Element* current = nullptr;
    std::int64_t wholeFrom = 0;
    std::string problem;

    State(Decide d, std::size_t most) : decide{std::move(d)}, wholeBytesMax{most} {
        if (!parser) throw std::bad_alloc{};
        XML_SetUserData(parser, this);
        XML_SetElementHandler(parser, onStart, onEnd);
        XML_SetCharacterDataHandler(parser, onText);
        XML_SetStartDoctypeDeclHandler(parser, onDoctype);
    }
    ~State() { XML_ParserFree(parser); }

    void fail(std::string text) {
        if (problem.empty()) problem = std::move(text);
        XML_StopParser(parser, XML_FALSE);
    }

    static void fill(Element& element, const char** attributes) {
        for (; *attributes; attributes += 2) {
            const auto [ns, name] = split(attributes[0]);
            if (ns.empty())
                element.set(name, attributes[1]);
            else
                element.set(name, ns, attributes[1]);
        }
    }

    static void onStart(void* user, const char* qname, const char** attributes) {
        State& it = *static_cast<State*>(user);
        const auto [ns, name] = split(qname);
        if (++it.depth > depthMax) return it.fail("elements are nested too deeply");
        if (it.current) {
            it.current = &it.current->add(name, ns);
            fill(*it.current, attributes);
            return;
        }
        Document start{name, ns};
        fill(*start, attributes);
        if (it.decide(*start, it.depth - 1) == Shape::Opened) {
            it.events.push_back({Event::Kind::Start, std::move(start)});
            return;
        }
        it.whole = std::move(start);
        it.current = &*it.whole;
        it.wholeFrom = XML_GetCurrentByteIndex(it.parser);
    }

    static void onEnd(void* user, const char*) {
        State& it = *static_cast<State*>(user);
        --it.depth;
        if (!it.current) {
            it.events.push_back({Event::Kind::End, {}});
            return;
        }
        it.current = it.current->parent();
        if (!it.current) it.events.push_back({Event::Kind::Whole, std::move(it.whole)});
    }

    static void onText(void* user, const char* text, int bytes) {
        State& it = *static_cast<State*>(user);
        if (it.current) it.current->addText({text, std::size_t(bytes)});
    }

    // Entities could make a small file a large one; nobody needs them here.
    static void onDoctype(void* user, const char*, const char*, const char*, int) {
        static_cast<State*>(user)->fail("a document type is declared");
    }

    void parse(std::string_view bytes, bool isLast) {
        // In bounded pieces, so that a too large element is noticed before it is in memory.
        do {
            const auto piece = bytes.substr(0, 1u << 16);
            bytes.remove_prefix(piece.size());
            const auto status =
                XML_Parse(parser, piece.data(), int(piece.size()), isLast && bytes.empty());
            if (status != XML_STATUS_OK || !problem.empty()) {
                if (problem.empty()) problem = XML_ErrorString(XML_GetErrorCode(parser));
                throw XmlPiecesError{"line " + std::to_string(XML_GetCurrentLineNumber(parser)) +
                                     ": " + problem};
            }
            if (current &&
                XML_GetCurrentByteIndex(parser) - wholeFrom > std::int64_t(wholeBytesMax))
                throw XmlPiecesError{"line " + std::to_string(XML_GetCurrentLineNumber(parser)) +
                                     ": an element has more than " + std::to_string(wholeBytesMax) +
                                     " bytes"};
        } while (!bytes.empty());
    }
};

XmlPieces::XmlPieces(Decide decide, std::size_t wholeBytesMax)
    : state_{std::make_unique<State>(std::move(decide), wholeBytesMax)} {}

XmlPieces::~XmlPieces() = default;

std::vector<XmlPieces::Event> XmlPieces::feed(std::string_view bytes) {
    if (!bytes.empty()) state_->parse(bytes, false);
    return std::exchange(state_->events, {});
}

std::vector<XmlPieces::Event> XmlPieces::finish() {
    state_->parse({}, true);
    return std::exchange(state_->events, {});
}

}  // namespace epode
