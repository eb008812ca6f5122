#include "core/xml_expat.h"

#include "core/namespaces.h"
#include "core/xml_chars.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <new>

namespace epode {
namespace {

using xml::same;

// Between namespace, name and prefix in what expat tells. It is no character of XML, so that no
// namespace contains it.
constexpr char separator = '\x01';
// Expat copies what it is fed: small pieces keep its buffers small.
constexpr std::size_t pieceBytesMax = 8192;
// A tag or other token of this size is no longer looked at with each new byte.
constexpr std::size_t tokenBytesPatient = 4096;
// A parser that has taken this much more than it began with is not used for another element.
constexpr std::size_t growthMax = 65536;
// Nobody needs more than about 1 kB.
constexpr std::size_t headerBytesMax = 16384;
constexpr std::size_t keptTextBytes = 4096;

// Where expat is. Newer headers call the function by another name, and warn of the old one.
template <typename Parser>
std::int64_t byteIndex(Parser parser) {
    if constexpr (requires { XML_GetCurrentByteIndex64(parser); }) {
        return XML_GetCurrentByteIndex64(parser);
    } else {
        return XML_GetCurrentByteIndex(parser);
    }
}

// Expat 2.6 (and Debian's 2.5) puts off looking at an unfinished token again until more has come,
// which would hold back a stanza whose start tag came in two reads. A template, as older headers
// don't declare the function.
template <typename Parser>
void disableReparseDeferral(Parser parser) {
    if constexpr (requires { XML_SetReparseDeferralEnabled(parser, XML_FALSE); }) {
        XML_SetReparseDeferralEnabled(parser, XML_FALSE);
    }
}

struct Name {
    std::string_view ns;
    std::string_view local;
    std::string_view prefix;
};

Name split(std::string_view triplet) {
    const auto first = triplet.find(separator);
    if (first == triplet.npos) return {{}, triplet, {}};
    const auto second = triplet.find(separator, first + 1);
    if (second == triplet.npos) return {triplet.substr(0, first), triplet.substr(first + 1), {}};
    return {triplet.substr(0, first), triplet.substr(first + 1, second - first - 1),
            triplet.substr(second + 1)};
}

// What appears in trees for it, without a copy where there is a constant.
std::string_view knownNs(std::string_view ns) {
    static constexpr std::string_view known[] = {
        ns::client,
        ns::server,
        ns::streams,
        ns::stanzaErrors,
        ns::xml,
        ns::tls,
        ns::sasl,
        ns::bind,
        ns::session,
        ns::roster,
        ns::streamManagement,
        ns::delay,
        ns::discoInfo,
        ns::discoItems,
        ns::dataForms,
        ns::rsm,
        ns::stanzaIds,
        ns::hints,
        ns::forward,
        ns::caps,
        ns::chatStates,
        ns::muc,
        ns::mucUser,
    };
    for (const auto candidate : known) {
        if (candidate == ns) return candidate;
    }
    return {};
}

bool isUtf8(std::string_view encoding) {
    return encoding.size() == 5 &&
           std::equal(encoding.begin(), encoding.end(), "utf-8",
                      [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; });
}

}  // namespace

std::string StreamDeclarations::toHeader() const {
    std::string header = hasPrefix ? "<stream:stream" : "<stream";
    for (const auto& [prefix, ns] : namespaces) {
        header += prefix.empty() ? " xmlns" : " xmlns:";
        header += prefix;
        header += "='";
        escapeAttribute(header, ns);
        header += '\'';
    }
    return header + '>';
}

struct alignas(std::max_align_t) XmlExpatParser::Block {
    Account* account;
    std::size_t bytes;
};

// Expat's memory functions know nothing of the parser that asks; it is whoever runs on this thread.
thread_local XmlExpatParser::Account* XmlExpatParser::account = nullptr;

void* XmlExpatParser::allocate(std::size_t bytes) {
    if (account->bytes + bytes > account->bytesMax) {
        account->isExceeded = true;
        return nullptr;
    }
    auto* const block = static_cast<Block*>(std::malloc(sizeof(Block) + bytes));
    if (!block) return nullptr;
    account->bytes += bytes;
    block->account = account;
    block->bytes = bytes;
    return block + 1;
}

void* XmlExpatParser::reallocate(void* memory, std::size_t bytes) {
    if (!memory) return allocate(bytes);
    auto* const before = static_cast<Block*>(memory) - 1;
    Account& owner = *before->account;
    const std::size_t bytesBefore = before->bytes;
    if (bytes > bytesBefore && owner.bytes + bytes - bytesBefore > owner.bytesMax) {
        owner.isExceeded = true;
        return nullptr;
    }
    auto* const block = static_cast<Block*>(std::realloc(before, sizeof(Block) + bytes));
    if (!block) return nullptr;
    owner.bytes += bytes - bytesBefore;
    block->bytes = bytes;
    return block + 1;
}

void XmlExpatParser::release(void* memory) {
    if (!memory) return;
    auto* const block = static_cast<Block*>(memory) - 1;
    block->account->bytes -= block->bytes;
    std::free(block);
}

XmlExpatParser::XmlExpatParser() {
    static const XML_Memory_Handling_Suite memory{allocate, reallocate, release};
    account = &account_;
    parser_ = XML_ParserCreate_MM("UTF-8", &memory, std::string{separator}.c_str());
    if (!parser_) throw std::bad_alloc{};
    disableReparseDeferral(parser_);
    XML_SetUserData(parser_, this);
    XML_SetReturnNSTriplet(parser_, 1);
    XML_SetElementHandler(parser_, onStart, onEnd);
    XML_SetCharacterDataHandler(parser_, onText);
    XML_SetStartNamespaceDeclHandler(parser_, onNamespace);
    XML_SetXmlDeclHandler(parser_, onDeclaration);
    XML_SetStartDoctypeDeclHandler(parser_, onDoctype);
    XML_SetCommentHandler(parser_, onComment);
    XML_SetProcessingInstructionHandler(parser_, onInstruction);
    XML_SetStartCdataSectionHandler(parser_, onCdata);
    scanner_.expectHeader();
}

XmlExpatParser::~XmlExpatParser() { XML_ParserFree(parser_); }

bool XmlExpatParser::prime(const StreamDeclarations& declarations) {
    const XmlLimits unlimited{.elementBytesMax = SIZE_MAX,
                              .depthMax = SIZE_MAX,
                              .attributesMax = SIZE_MAX,
                              .nodesMax = SIZE_MAX,
                              .parserBytesMax = SIZE_MAX};
    const XmlScope scope;
    const std::string header = declarations.toHeader();
    std::string_view input = header;
    isPriming_ = true;
    const bool done = feed(input, scope, unlimited) == Outcome::Header;
    isPriming_ = false;
    header_ = {};
    declarations_ = {};
    return done;
}

XmlExpatParser::Outcome XmlExpatParser::feed(std::string_view& input, const XmlScope& scope,
                                             const XmlLimits& limits) {
    scope_ = &scope;
    limits_ = &limits;
    account = &account_;
    const std::size_t treeAndText = treeBytes();
    account_.bytesMax = limits.parserBytesMax - std::min(limits.parserBytesMax, treeAndText);
    const std::size_t bytesMax = hasHeader_ || isPriming_
                                     ? limits.elementBytesMax
                                     : std::min(limits.elementBytesMax, headerBytesMax);

    while (!input.empty()) {
        if (taken_ == bytesMax) {
            fail(StreamCondition::PolicyViolation,
                 (hasHeader_ ? "A stanza" : "A stream header") +
                     (" has more than " + std::to_string(bytesMax) + " bytes."));
            // RFC 6120, 4.9.3.14.
            error_.extra = "<stanza-too-big xmlns='urn:xmpp:errors'/>";
            return Outcome::Failure;
        }
        // Nothing behind the end of an element may reach expat.
        std::string_view piece = input.substr(0, std::min(pieceBytesMax, bytesMax - taken_));
        const auto found = scanner_.scan(piece);
        piece = piece.substr(0, found.bytes);
        input.remove_prefix(found.bytes);
        taken_ += found.bytes;

        // Expat takes this for UTF-16, whatever it was told.
        if (fed_ < 2 && fed_ + piece.size() >= 2 && piece[1 - fed_] == '\0') {
            fail(StreamCondition::UnsupportedEncoding, "The encoding of a stream is UTF-8.");
            return Outcome::Failure;
        }
        // Expat reads an unfinished tag from its start with each piece. When somebody sends a long
        // one byte by byte, the bytes wait until there are enough of them.
        if (unfinished_ >= tokenBytesPatient && !found.hasTagEnd &&
            held_.size() + piece.size() < unfinished_ / 2) {
            held_ += piece;
            continue;
        }
        if (!held_.empty() && !parse(std::exchange(held_, {}))) return Outcome::Failure;
        if (!parse(piece)) return Outcome::Failure;
        if (headerDone_ || elementDone_ || isClosed_) return outcome();
        if (found.hasEnd) {
            // Expat waits for the rest of a character which the `>` has cut.
            fail(StreamCondition::NotWellFormed, "The XML is not well-formed.");
            return Outcome::Failure;
        }
    }
    return Outcome::NeedMore;
}

XmlExpatParser::Outcome XmlExpatParser::outcome() {
    taken_ = 0;
    unfinished_ = 0;
    if (std::exchange(headerDone_, false)) {
        hasHeader_ = true;
        baseBytes_ = account_.bytes;
        return Outcome::Header;
    }
    if (isClosed_) return Outcome::Close;
    elementDone_ = false;
    return Outcome::Element;
}

bool XmlExpatParser::parse(std::string_view piece) {
    fed_ += piece.size();
    const auto status = XML_Parse(parser_, piece.data(), int(piece.size()), XML_FALSE);
    if (status != XML_STATUS_OK && !hasFailed_) failFromExpat();
    if (hasFailed_) return false;
    // Expat's event is where it stopped: at the token that is not finished.
    if (taken_ >= tokenBytesPatient) {
        unfinished_ = std::size_t(std::int64_t(fed_) - byteIndex(parser_));
    }
    return true;
}

bool XmlExpatParser::isReusable() const {
    return hasHeader_ && !hasFailed_ && !isClosed_ && depth_ == 0 && taken_ == 0 &&
           account_.bytes <= baseBytes_ + growthMax;
}

Document XmlExpatParser::takeDocument() {
    namespaces_.clear();
    nodes_ = expansion_ = 0;
    current_ = nullptr;
    return Document{std::move(arena_), *std::exchange(root_, nullptr)};
}

void XmlExpatParser::onStart(void* parser, const char* qname, const char** attributes) {
    XmlExpatParser& it = self(parser);
    if (it.hasFailed_) return;
    if (!it.hasHeader_ && !it.headerDone_)
        it.startHeader(qname, attributes);
    else
        it.startElement(qname, attributes);
}

void XmlExpatParser::startHeader(std::string_view qname, const char** attributes) {
    const Name name = split(qname);
    if (name.ns != ns::streams) {
        return fail(StreamCondition::InvalidNamespace,
                    "A stream begins with <stream:stream> in the namespace " +
                        std::string{ns::streams} + ".");
    }
    if (!name.prefix.empty() && name.prefix != "stream") {
        return fail(StreamCondition::BadNamespacePrefix,
                    "The prefix of the stream's namespace must be \"stream\".");
    }
    if (name.local != "stream") {
        return fail(StreamCondition::BadFormat, "A stream begins with <stream:stream>.");
    }
    declarations_.hasPrefix = !name.prefix.empty();
    std::size_t count = std::exchange(declared_, 0);
    for (; *attributes; attributes += 2, ++count) {
        const Name attribute = split(attributes[0]);
        const std::string_view value = attributes[1];
        if (attribute.ns == ns::xml && attribute.local == "lang") header_.lang = value;
        if (!attribute.ns.empty()) continue;
        if (attribute.local == "to") header_.to = value;
        if (attribute.local == "from") header_.from = value;
        if (attribute.local == "id") header_.id = value;
        if (attribute.local == "version") header_.version = value;
    }
    if (count > limits_->attributesMax) {
        return fail(
            StreamCondition::PolicyViolation,
            "An element has more than " + std::to_string(limits_->attributesMax) + " attributes.");
    }
    for (const auto& [prefix, ns] : declarations_.namespaces) {
        if (prefix.empty() && declarations_.hasPrefix) header_.defaultNs = ns;
    }
    headerDone_ = true;
}

void XmlExpatParser::startElement(std::string_view qname, const char** attributes) {
    endText();
    const auto refuse = [&](std::size_t most, std::string_view what) {
        fail(StreamCondition::PolicyViolation,
             "A stanza has more than " + std::to_string(most) + " " + std::string{what} + ".");
    };
    if (++depth_ > limits_->depthMax) return refuse(limits_->depthMax, "levels of elements");
    if (++nodes_ > limits_->nodesMax) return refuse(limits_->nodesMax, "elements and texts");

    std::size_t count = std::exchange(declared_, 0);
    for (auto** at = attributes; *at; at += 2) ++count;
    if (count > limits_->attributesMax) {
        return fail(
            StreamCondition::PolicyViolation,
            "An element has more than " + std::to_string(limits_->attributesMax) + " attributes.");
    }

    if (!arena_) arena_ = std::make_unique<Arena>();
    const Name name = split(qname);
    const std::string_view parentNs = current_ ? current_->ns() : scope_->defaultNs;
    const std::string_view elementNs = keepNs(name.ns, current_ ? parentNs : std::string_view{});
    if (depth_ == 1 && !name.prefix.empty() &&
        (elementNs == ns::client || elementNs == ns::server)) {
        return fail(StreamCondition::BadNamespacePrefix,
                    "Stanzas and their namespace have no prefix.");
    }
    if (!current_ || !same(elementNs, parentNs)) expansion_ += elementNs.size();
    Element& element = Element::make(*arena_, arena_->keep(name.local), elementNs);
    if (current_)
        current_->appendChild(element);
    else
        root_ = &element;
    current_ = &element;

    for (; *attributes; attributes += 2) {
        const Name attribute = split(attributes[0]);
        std::string_view attributeNs;
        if (!attribute.ns.empty()) {
            attributeNs = keepNs(attribute.ns, elementNs);
            if (attributeNs != ns::xml) expansion_ += attributeNs.size();
        }
        element.appendAttribute(arena_->keep(attribute.local), attributeNs,
                                arena_->keep(attributes[1]));
    }
    // Written out again, a namespace that was declared once may stand on each element that uses it.
    if (expansion_ > limits_->parserBytesMax) {
        return fail(StreamCondition::PolicyViolation,
                    "The namespaces of a stanza are too long for the number of their uses.");
    }
    checkMemory();
}

// A namespace for the tree. It is stored once for each stanza, however often it is used.
std::string_view XmlExpatParser::keepNs(std::string_view ns, std::string_view parentNs) {
    if (ns.empty()) return {};
    if (!scope_->contentNs.empty() && ns == scope_->contentNs) return ns::client;
    if (same(ns, parentNs)) return parentNs;
    if (const auto known = knownNs(ns); !known.empty()) return known;
    if (const auto found = namespaces_.find(ns); found != namespaces_.end()) return *found;
    return *namespaces_.insert(arena_->keep(ns)).first;
}

void XmlExpatParser::onEnd(void* parser, const char*) {
    XmlExpatParser& it = self(parser);
    if (it.hasFailed_) return;
    if (it.depth_ == 0) {
        it.isClosed_ = true;
        return;
    }
    it.endText();
    it.current_ = it.current_->parent();
    if (--it.depth_ == 0) it.elementDone_ = true;
}

void XmlExpatParser::onText(void* parser, const char* text, int bytes) {
    XmlExpatParser& it = self(parser);
    if (it.hasFailed_) return;
    if (it.depth_ == 0) {
        return it.fail(StreamCondition::BadFormat, "Text is not allowed between stanzas.");
    }
    it.text_.append(text, std::size_t(bytes));
    it.checkMemory();
}

void XmlExpatParser::endText() {
    if (text_.empty()) return;
    if (++nodes_ > limits_->nodesMax) {
        fail(StreamCondition::PolicyViolation, "A stanza may have at most " +
                                                   std::to_string(limits_->nodesMax) +
                                                   " elements and texts.");
    } else {
        current_->appendText(arena_->keep(text_));
    }
    text_.clear();
    if (text_.capacity() > keptTextBytes) text_ = {};
}

void XmlExpatParser::onNamespace(void* parser, const char* prefix, const char* uri) {
    XmlExpatParser& it = self(parser);
    ++it.declared_;
    if (it.hasHeader_ || it.headerDone_) return;
    const std::string_view name = prefix ? prefix : "";
    if (name != "xml") it.declarations_.namespaces.emplace_back(name, uri ? uri : "");
}

void XmlExpatParser::onDeclaration(void* parser, const char* version, const char* encoding, int) {
    XmlExpatParser& it = self(parser);
    if (it.hasFailed_) return;
    // Without version it is the declaration of an external entity.
    if (!version) return;
    it.header_.hasDeclaration = true;
    if (encoding && !isUtf8(encoding)) {
        it.fail(StreamCondition::UnsupportedEncoding, "The encoding of a stream is UTF-8.");
    }
}

void XmlExpatParser::onDoctype(void* parser, const char*, const char*, const char*, int) {
    self(parser).fail(StreamCondition::RestrictedXml,
                      "A document type declaration is not allowed.");
}

void XmlExpatParser::onComment(void* parser, const char*) {
    self(parser).fail(StreamCondition::RestrictedXml, "Comments are not allowed.");
}

void XmlExpatParser::onInstruction(void* parser, const char*, const char*) {
    self(parser).fail(StreamCondition::RestrictedXml, "Processing instructions are not allowed.");
}

void XmlExpatParser::onCdata(void* parser) {
    XmlExpatParser& it = self(parser);
    if (it.depth_ == 0) {
        it.fail(StreamCondition::BadFormat, "Text is not allowed between stanzas.");
    }
}

std::size_t XmlExpatParser::treeBytes() const {
    return (arena_ ? arena_->bytes() : 0) + text_.capacity();
}

void XmlExpatParser::checkMemory() {
    if (account_.bytes + treeBytes() > limits_->parserBytesMax) {
        fail(StreamCondition::PolicyViolation, "A stanza takes too much memory.");
    }
}

void XmlExpatParser::fail(StreamCondition condition, std::string_view text) {
    if (std::exchange(hasFailed_, true)) return;
    error_ = {.condition = condition, .text = std::string{text}};
    XML_StopParser(parser_, XML_FALSE);
}

void XmlExpatParser::failFromExpat() {
    const XML_Error code = XML_GetErrorCode(parser_);
    hasFailed_ = true;
    switch (code) {
        case XML_ERROR_NO_MEMORY:
            if (account_.isExceeded) {
                error_ = {StreamCondition::PolicyViolation, "A stanza takes too much memory."};
            } else {
                error_ = {StreamCondition::ResourceConstraint, "The server is short of memory."};
            }
            return;
        case XML_ERROR_UNKNOWN_ENCODING:
        case XML_ERROR_INCORRECT_ENCODING:
            error_ = {StreamCondition::UnsupportedEncoding, "The encoding of a stream is UTF-8."};
            return;
        case XML_ERROR_UNDEFINED_ENTITY:
        case XML_ERROR_RECURSIVE_ENTITY_REF:
        case XML_ERROR_BINARY_ENTITY_REF:
        case XML_ERROR_ATTRIBUTE_EXTERNAL_ENTITY_REF:
        case XML_ERROR_EXTERNAL_ENTITY_HANDLING:
            error_ = {StreamCondition::RestrictedXml,
                      "Only the five predefined entities are allowed."};
            return;
        default:
            error_ = {StreamCondition::NotWellFormed,
                      std::string{"The XML is not well-formed: "} + XML_ErrorString(code) + "."};
    }
}

}  // namespace epode
