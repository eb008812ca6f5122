#include "core/xml_stream.h"

#include "core/namespaces.h"
#include "core/xml_chars.h"
#include "core/xml_expat.h"
#include "core/xml_fast.h"

#include <algorithm>
#include <array>
#include <cassert>
#include <vector>

namespace epode {
namespace {

constexpr std::string_view dialbackNs = "jabber:server:dialback";
constexpr std::string_view streamEnd = "</stream:stream>";
// Idle parsers that are kept for each kind of stream: about 11 kB each.
constexpr std::size_t idleMax = 32;

// Streams whose headers declare the same share their parsers. Others have one of their own.
enum class Kind : std::uint8_t { Client, Server, ServerWithDialback, Component, Other };
constexpr std::size_t sharedKinds = std::size_t(Kind::Other);

StreamDeclarations declarationsOf(std::string_view defaultNs) {
    StreamDeclarations made;
    if (!defaultNs.empty()) made.namespaces.emplace_back("", defaultNs);
    made.namespaces.emplace_back("stream", ns::streams);
    return made;
}

StreamDeclarations declarationsOf(Kind kind) {
    switch (kind) {
        case Kind::Component:
            return declarationsOf(ns::component);
        case Kind::Server:
            return declarationsOf(ns::server);
        case Kind::ServerWithDialback: {
            auto made = declarationsOf(ns::server);
            made.namespaces.emplace_back("db", dialbackNs);
            return made;
        }
        case Kind::Client:
        case Kind::Other:
            break;
    }
    return declarationsOf(ns::client);
}

Kind kindOf(const StreamDeclarations& declarations) {
    const auto declares = [&](std::string_view prefix, std::string_view ns) {
        return std::ranges::find(declarations.namespaces,
                                 std::pair<std::string, std::string>{prefix, ns}) !=
               declarations.namespaces.end();
    };
    const auto count = declarations.namespaces.size();
    if (!declarations.hasPrefix || !declares("stream", ns::streams)) return Kind::Other;
    if (count == 2 && declares("", ns::client)) return Kind::Client;
    if (count == 2 && declares("", ns::server)) return Kind::Server;
    if (count == 2 && declares("", ns::component)) return Kind::Component;
    if (count == 3 && declares("", ns::server) && declares("db", dialbackNs)) {
        return Kind::ServerWithDialback;
    }
    return Kind::Other;
}

}  // namespace

struct XmlParserPool::State {
    XmlPath path;
    XmlFastParser fast;
    std::array<std::vector<std::unique_ptr<XmlExpatParser>>, sharedKinds> idle;
    std::size_t inUse = 0;

    // One that stands behind the header of such a stream; null when out of memory.
    std::unique_ptr<XmlExpatParser> take(Kind kind, const StreamDeclarations* declarations) {
        if (kind != Kind::Other) {
            auto& waiting = idle[std::size_t(kind)];
            if (!waiting.empty()) {
                auto parser = std::move(waiting.back());
                waiting.pop_back();
                return parser;
            }
        }
        auto parser = std::make_unique<XmlExpatParser>();
        const bool ready =
            parser->prime(kind == Kind::Other ? *declarations : declarationsOf(kind));
        return ready ? std::move(parser) : nullptr;
    }

    void giveBack(Kind kind, std::unique_ptr<XmlExpatParser> parser) {
        auto& waiting = idle[std::size_t(kind)];
        if (parser->isReusable() && waiting.size() < idleMax) waiting.push_back(std::move(parser));
    }
};

XmlParserPool::XmlParserPool(XmlPath path) : state_{std::make_unique<State>()} {
    state_->path = path;
}
XmlParserPool::~XmlParserPool() = default;

std::size_t XmlParserPool::idle() const {
    std::size_t count = 0;
    for (const auto& waiting : state_->idle) count += waiting.size();
    return count;
}

std::size_t XmlParserPool::inUse() const { return state_->inUse; }

struct XmlStream::State {
    enum class Phase : std::uint8_t { BeforeHeader, Open, Closed, Failed };

    XmlParserPool::State* pool;
    XmlLimits limits;
    Phase phase = Phase::BeforeHeader;
    Kind kind = Kind::Client;
    bool isInside = false;      // of a header or element that expat reads
    bool closesAtOnce = false;  // the header was an empty tag
    StreamHeader header;
    std::unique_ptr<StreamDeclarations> declarations;  // of Kind::Other
    std::unique_ptr<XmlExpatParser> parser;
    Document document;
    std::string_view inner;
    std::unique_ptr<StreamError> error;

    ~State() { drop(); }

    XmlScope scope() const {
        switch (kind) {
            case Kind::Client:
                return {.defaultNs = ns::client};
            case Kind::Server:
            case Kind::ServerWithDialback:
                return {.defaultNs = ns::client, .contentNs = ns::server};
            case Kind::Component:
                return {.defaultNs = ns::client, .contentNs = ns::component};
            case Kind::Other:
                break;
        }
        return otherScope();
    }

    XmlScope otherScope() const {
        XmlScope scope{.defaultNs = declaredNs(""), .keepDefaultNs = true};
        if (scope.defaultNs == ns::client) {
            scope = {.defaultNs = ns::client};
        } else if (scope.defaultNs == ns::server) {
            scope = {.defaultNs = ns::client, .contentNs = ns::server};
        } else if (scope.defaultNs == ns::component) {
            scope = {.defaultNs = ns::client, .contentNs = ns::component};
        }
        scope.hasStreamPrefix = declaredNs("stream") == ns::streams;
        return scope;
    }

    std::string_view declaredNs(std::string_view prefix) const {
        for (const auto& [declared, ns] : declarations->namespaces) {
            if (declared == prefix) return ns;
        }
        return {};
    }

    void setParser(std::unique_ptr<XmlExpatParser> taken) {
        if (taken && !parser) ++pool->inUse;
        if (!taken && parser) --pool->inUse;
        parser = std::move(taken);
    }

    void drop() { setParser(nullptr); }

    void giveBack() {
        --pool->inUse;
        pool->giveBack(kind, std::move(parser));
    }

    Event fail(StreamError why) {
        phase = Phase::Failed;
        error = std::make_unique<StreamError>(std::move(why));
        isInside = false;
        drop();
        return Event::Failure;
    }

    Event next(std::string_view& input);
    Event nextBeforeHeader(std::string_view& input);
    Event nextInStream(std::string_view& input);
    Event feed(std::string_view& input);
    Event beginStream();
    Event endElement();
    void setDeclarations(StreamDeclarations found);
};

XmlStream::Event XmlStream::State::next(std::string_view& input) {
    switch (phase) {
        case Phase::BeforeHeader:
            return nextBeforeHeader(input);
        case Phase::Open:
            return nextInStream(input);
        case Phase::Failed:
            return Event::Failure;
        case Phase::Closed:
            break;
    }
    input = {};  // whatever comes behind the end of a stream
    return Event::NeedMore;
}

XmlStream::Event XmlStream::State::nextBeforeHeader(std::string_view& input) {
    if (!isInside) {
        // White space may be left over from before a restart.
        input.remove_prefix(
            std::size_t(xml::skipSpace(input.data(), input.data() + input.size()) - input.data()));
        if (input.empty()) return Event::NeedMore;
        if (*input.data() != '<') {
            // What a byte order mark, or UTF-16 without one, begins with.
            const bool isEncoded =
                std::string_view{"\xEF\xFE\xFF\0", 4}.find(input.front()) != input.npos;
            if (isEncoded) {
                return fail({StreamCondition::UnsupportedEncoding,
                             "A stream is in UTF-8, without a byte order mark."});
            }
            return fail({StreamCondition::NotWellFormed, "A stream begins with a \"<\"."});
        }
        setParser(std::make_unique<XmlExpatParser>());
        isInside = true;
    }
    return feed(input);
}

XmlStream::Event XmlStream::State::nextInStream(std::string_view& input) {
    if (closesAtOnce) {
        phase = Phase::Closed;
        return Event::Close;
    }
    if (!isInside) {
        const char* const end = input.data() + input.size();
        input.remove_prefix(std::size_t(xml::skipSpace(input.data(), end) - input.data()));
        if (input.empty()) return Event::NeedMore;
        if (input.front() != '<') {
            return fail({StreamCondition::BadFormat, "Text is not allowed between stanzas."});
        }
        const XmlScope inherited = scope();
        if (pool->path == XmlPath::FastThenExpat) {
            if (kind != Kind::Other && input.starts_with(streamEnd)) {
                input.remove_prefix(streamEnd.size());
                phase = Phase::Closed;
                return Event::Close;
            }
            XmlFastParser::Result result;
            if (pool->fast.parse(input, inherited, limits, result)) {
                input.remove_prefix(result.bytes);
                document = std::move(result.document);
                inner = result.inner;
                return Event::Element;
            }
        }
        if (!parser) setParser(pool->take(kind, declarations.get()));
        if (!parser) {
            return fail({StreamCondition::ResourceConstraint, "The server is short of memory."});
        }
        isInside = true;
    }
    return feed(input);
}

XmlStream::Event XmlStream::State::feed(std::string_view& input) {
    const auto outcome =
        parser->feed(input, phase == Phase::BeforeHeader ? XmlScope{} : scope(), limits);
    switch (outcome) {
        case XmlExpatParser::Outcome::NeedMore:
            return Event::NeedMore;
        case XmlExpatParser::Outcome::Header:
            return beginStream();
        case XmlExpatParser::Outcome::Element:
            return endElement();
        case XmlExpatParser::Outcome::Failure:
            return fail(parser->error());
        case XmlExpatParser::Outcome::Close:
            break;
    }
    phase = Phase::Closed;
    isInside = false;
    drop();
    return Event::Close;
}

void XmlStream::State::setDeclarations(StreamDeclarations found) {
    kind = kindOf(found);
    declarations =
        kind == Kind::Other ? std::make_unique<StreamDeclarations>(std::move(found)) : nullptr;
}

XmlStream::Event XmlStream::State::beginStream() {
    header = parser->takeHeader();
    setDeclarations(parser->takeDeclarations());
    closesAtOnce = parser->isClosed();
    phase = Phase::Open;
    isInside = false;
    // The parser that read the header can go on with the elements of any such stream, if there is
    // none yet. One of another kind stays.
    if (kind == Kind::Other) {
        if (closesAtOnce) drop();
    } else if (pool->idle[std::size_t(kind)].empty()) {
        giveBack();
    } else {
        drop();
    }
    return Event::Header;
}

XmlStream::Event XmlStream::State::endElement() {
    document = parser->takeDocument();
    inner = {};
    isInside = false;
    if (kind != Kind::Other)
        giveBack();
    else if (!parser->isReusable())
        drop();
    return Event::Element;
}

XmlStream::XmlStream(XmlParserPool& pool, const XmlLimits& limits)
    : state_{std::make_unique<State>()} {
    state_->pool = pool.state_.get();
    state_->limits = limits;
}

XmlStream::~XmlStream() = default;
XmlStream::XmlStream(XmlStream&& other) noexcept = default;
XmlStream& XmlStream::operator=(XmlStream&& other) noexcept = default;

XmlStream::Event XmlStream::next(std::string_view& input) { return state_->next(input); }

const StreamHeader& XmlStream::header() const { return state_->header; }

Document XmlStream::takeElement() { return std::move(state_->document); }

std::string_view XmlStream::innerText() const { return state_->inner; }

const StreamError& XmlStream::error() const {
    assert(state_->error);
    return *state_->error;
}

void XmlStream::restart() {
    State& it = *state_;
    it.drop();
    it.phase = State::Phase::BeforeHeader;
    it.kind = Kind::Client;
    it.isInside = it.closesAtOnce = false;
    it.header = {};
    it.declarations = nullptr;
    it.document = {};
    it.inner = {};
    it.error = nullptr;
}

void XmlStream::setLimits(const XmlLimits& limits) { state_->limits = limits; }

void XmlStream::moveTo(XmlParserPool& pool) {
    if (state_->parser) {
        --state_->pool->inUse;
        ++pool.state_->inUse;
    }
    state_->pool = pool.state_.get();
}

bool XmlStream::isInside() const { return state_->isInside; }

// Puts a stream behind a header which was never sent.
struct XmlStreamAccess {
    static void open(XmlStream& stream, std::string_view defaultNs) {
        // A new stream is of Kind::Client.
        if (defaultNs != ns::client) stream.state_->setDeclarations(declarationsOf(defaultNs));
        stream.state_->phase = XmlStream::State::Phase::Open;
    }
};

ParsedElement parseElement(XmlParserPool& pool, const XmlLimits& limits, std::string_view text,
                           std::string_view ns) {
    using Event = XmlStream::Event;
    XmlStream stream{pool, limits};
    XmlStreamAccess::open(stream, ns);
    ParsedElement parsed;
    switch (stream.next(text)) {
        case Event::Element:
            break;
        case Event::Failure:
            parsed.error = stream.error();
            return parsed;
        default:
            parsed.error = {StreamCondition::NotWellFormed, "The element is not complete."};
            return parsed;
    }
    if (xml::skipSpace(text.data(), text.data() + text.size()) != text.data() + text.size()) {
        parsed.error = {StreamCondition::BadFormat, "There is more than one element."};
        return parsed;
    }
    parsed.innerText = stream.innerText();
    parsed.document = stream.takeElement();
    return parsed;
}

ParsedElement parseElement(std::string_view text, std::string_view ns) {
    static thread_local XmlParserPool pool;
    return parseElement(pool, XmlLimits{}, text, ns);
}

}  // namespace epode
