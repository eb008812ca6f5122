#include "core/xml_fast.h"

#include "core/namespaces.h"
#include "core/xml_chars.h"

#include <cstring>

namespace epode {
namespace {

using namespace xml;

constexpr std::uint32_t none = UINT32_MAX;
// More than this is no plain stanza; looking through them one by one would take too long.
constexpr std::size_t bindingsMax = 32;
constexpr std::size_t plainAttributesMax = 32;
// Room that is kept for the next element.
constexpr std::size_t keptNodes = 1024;

constexpr std::string_view xmlnsNs = "http://www.w3.org/2000/xmlns/";

// The end of a name without colon; null when there is none.
const char* skipName(const char* at, const char* end) {
    if (at == end || !isNameStart(*at)) return nullptr;
    do ++at;
    while (at != end && isNameChar(*at));
    return at;
}

// The end of a name with or without prefix. `prefixBytes` counts the colon.
const char* skipQName(const char* at, const char* end, std::uint32_t& prefixBytes) {
    const char* const start = at;
    prefixBytes = 0;
    at = skipName(at, end);
    if (!at || at == end || *at != ':') return at;
    prefixBytes = std::uint32_t(at + 1 - start);
    return skipName(at + 1, end);
}

bool isCharacter(std::uint32_t code) {
    if (code < 0x20) return code == '\t' || code == '\n' || code == '\r';
    return code < 0xD800 || (code > 0xDFFF && code < 0xFFFE) || (code > 0xFFFF && code <= 0x10FFFF);
}

struct Reference {
    const char* end = nullptr;  // null: not one that we know
    std::uint32_t code = 0;
};

Reference readNumber(const char* at, const char* end) {
    const std::uint32_t base = at != end && *at == 'x' ? 16 : 10;
    if (base == 16) ++at;
    std::uint32_t code = 0;
    const char* const digits = at;
    for (; at != end && *at != ';'; ++at) {
        std::uint32_t digit;
        if (*at >= '0' && *at <= '9')
            digit = std::uint32_t(*at - '0');
        else if (base == 16 && *at >= 'a' && *at <= 'f')
            digit = std::uint32_t(*at - 'a' + 10);
        else if (base == 16 && *at >= 'A' && *at <= 'F')
            digit = std::uint32_t(*at - 'A' + 10);
        else
            return {};
        if (at - digits >= 8) return {};
        code = code * base + digit;
    }
    if (at == end || at == digits || !isCharacter(code)) return {};
    return {at + 1, code};
}

// `at` is behind the `&`.
Reference readReference(const char* at, const char* end) {
    if (at != end && *at == '#') return readNumber(at + 1, end);
    const std::string_view rest{at, std::size_t(end - at)};
    if (rest.starts_with("lt;")) return {at + 3, '<'};
    if (rest.starts_with("gt;")) return {at + 3, '>'};
    if (rest.starts_with("amp;")) return {at + 4, '&'};
    if (rest.starts_with("apos;")) return {at + 5, '\''};
    if (rest.starts_with("quot;")) return {at + 5, '"'};
    return {};
}

char* putUtf8(char* out, std::uint32_t code) {
    if (code < 0x80) {
        *out++ = char(code);
    } else if (code < 0x800) {
        *out++ = char(0xC0 | code >> 6);
        *out++ = char(0x80 | (code & 0x3F));
    } else if (code < 0x10000) {
        *out++ = char(0xE0 | code >> 12);
        *out++ = char(0x80 | (code >> 6 & 0x3F));
        *out++ = char(0x80 | (code & 0x3F));
    } else {
        *out++ = char(0xF0 | code >> 18);
        *out++ = char(0x80 | (code >> 12 & 0x3F));
        *out++ = char(0x80 | (code >> 6 & 0x3F));
        *out++ = char(0x80 | (code & 0x3F));
    }
    return out;
}

enum class Place { Text, Attribute };

// Decodes what `readReference` has accepted before: never longer than it was.
std::string_view decode(char*& out, std::string_view raw, Place place) {
    const char* const start = out;
    const char* const end = raw.data() + raw.size();
    for (const char* at = raw.data(); at != end;) {
        if (*at == '&') {
            const auto reference = readReference(at + 1, end);
            out = putUtf8(out, reference.code);
            at = reference.end;
        } else {
            // XML 1.0, 3.3.3: white space in an attribute is a blank unless it is written as
            // number.
            *out++ = place == Place::Attribute && isSpace(*at) ? ' ' : *at;
            ++at;
        }
    }
    return {start, std::size_t(out - start)};
}

}  // namespace

bool XmlFastParser::parse(std::string_view input, const XmlScope& scope, const XmlLimits& limits,
                          Result& result) {
    scope_ = &scope;
    limits_ = &limits;
    input = input.substr(0, limits.elementBytesMax);
    end_ = input.data() + input.size();
    current_ = none;
    depth_ = decodedBytes_ = expansion_ = 0;
    isVerbatim_ = true;
    if (nodes_.capacity() > keptNodes) nodes_ = {};
    if (attributes_.capacity() > keptNodes) attributes_ = {};
    nodes_.clear();
    attributes_.clear();
    bindings_.clear();

    const char* at = input.data();
    for (;;) {
        // `at` is at a `<`.
        if (end_ - at < 2) return false;
        if (at[1] != '/') {
            bool isEmpty = false;
            at = readStartTag(at + 1, isEmpty);
            if (!at) return false;
            if (!isEmpty) {
                at = readText(at);
                if (!at) return false;
                continue;
            }
        } else {
            if (current_ == none) return false;
            at += 2;
            const Node& open = nodes_[current_];
            if (std::size_t(end_ - at) <= open.nameBytes) return false;
            if (std::memcmp(at, open.name, open.nameBytes) != 0) return false;
            at += open.nameBytes;
            if (*at != '>') {
                at = skipSpace(at, end_);
                if (at == end_ || *at != '>') return false;
            }
            ++at;
        }
        // An element ends here.
        --depth_;
        bindings_.resize(nodes_[current_].bindingCount);
        current_ = nodes_[current_].parent;
        if (current_ == none) break;
        at = readText(at);
        if (!at) return false;
    }
    result.bytes = std::size_t(at - input.data());
    return build(input.data(), result);
}

// From behind the `<` to behind the `>`.
const char* XmlFastParser::readStartTag(const char* at, bool& isEmpty) {
    if (++depth_ > limits_->depthMax || nodes_.size() >= limits_->nodesMax) return nullptr;
    Node& node = nodes_.emplace_back();
    node.parent = current_;
    node.firstAttribute = std::uint32_t(attributes_.size());
    node.bindingCount = std::uint32_t(bindings_.size());
    node.defaultNs = current_ == none ? scope_->defaultNs : nodes_[current_].defaultNs;
    node.name = at;
    at = skipQName(at, end_, node.prefixBytes);
    if (!at) return nullptr;
    node.nameBytes = std::uint32_t(at - node.name);
    declarations_ = 0;
    hasOwnDefaultNs_ = false;

    for (;;) {
        if (at == end_) return nullptr;
        if (*at == '>') break;
        if (*at == '/') {
            isEmpty = true;
            if (++at == end_ || *at != '>') return nullptr;
            break;
        }
        if (!isSpace(*at)) return nullptr;
        at = skipSpace(at, end_);
        if (at == end_) return nullptr;
        if (*at == '>' || *at == '/') continue;
        at = readAttribute(at);
        if (!at) return nullptr;
    }
    current_ = std::uint32_t(nodes_.size() - 1);
    return resolve(node) ? at + 1 : nullptr;
}

const char* XmlFastParser::readAttribute(const char* at) {
    RawAttribute attribute;
    attribute.name = at;
    attribute.isCoded = false;
    at = skipQName(at, end_, attribute.prefixBytes);
    if (!at) return nullptr;
    attribute.nameBytes = std::uint32_t(at - attribute.name);
    at = skipSpace(at, end_);
    if (at == end_ || *at != '=') return nullptr;
    at = skipSpace(at + 1, end_);
    if (at == end_) return nullptr;
    const char quote = *at;
    if (quote != '\'' && quote != '"') return nullptr;

    const char* const start = ++at;
    for (;;) {
        at = skipPlain<true>(at, end_, quote, '<', '&');
        if (at == end_) return nullptr;
        if (*at == quote) break;
        if (*at == '&') {
            attribute.isCoded = true;
            at = readReference(at + 1, end_).end;
        } else if (*at == '\t' || *at == '\n') {
            attribute.isCoded = true;
            ++at;
        } else if (std::uint8_t(*at) >= 0x80) {
            at = skipUtf8(at, end_);
        } else {
            return nullptr;
        }
        if (!at) return nullptr;
    }
    attribute.value = {start, std::size_t(at - start)};

    const std::string_view name{attribute.name, attribute.nameBytes};
    if (name.starts_with("xmlns") && (attribute.prefixBytes == 6 || name.size() == 5)) {
        return declare(attribute) ? at + 1 : nullptr;
    }
    if (attribute.isCoded) decodedBytes_ += attribute.value.size();
    attributes_.push_back(attribute);
    return at + 1;
}

bool XmlFastParser::declare(const RawAttribute& declaration) {
    std::string_view value = declaration.value;
    if (declaration.isCoded) return false;
    if (value == ns::xml || value == xmlnsNs) return false;
    ++declarations_;
    if (declaration.prefixBytes == 0) {
        if (hasOwnDefaultNs_) return false;
        if (!scope_->contentNs.empty() && value == scope_->contentNs) {
            value = ns::client;
            isVerbatim_ = isVerbatim_ && depth_ == 1;
        }
        ownDefaultNs_ = value;
        hasOwnDefaultNs_ = true;
        return true;
    }
    const auto prefix = std::string_view{declaration.name, declaration.nameBytes}.substr(6);
    if (value.empty() || prefix.starts_with("xml") || bindings_.size() >= bindingsMax) return false;
    if (!scope_->contentNs.empty() && value == scope_->contentNs) {
        value = ns::client;
        isVerbatim_ = false;
    }
    for (auto i = nodes_.back().bindingCount; i < bindings_.size(); ++i) {
        if (bindings_[i].prefix == prefix) return false;
    }
    bindings_.push_back({prefix, value});
    if (depth_ == 1) isVerbatim_ = false;
    return true;
}

const std::string_view* XmlFastParser::find(std::string_view prefix) {
    for (auto i = bindings_.size(); i-- > 0;) {
        if (bindings_[i].prefix == prefix) return &bindings_[i].ns;
    }
    if (prefix == "stream" && scope_->hasStreamPrefix) {
        isVerbatim_ = false;
        return &ns::streams;
    }
    return nullptr;
}

// Once all declarations of a tag are known.
bool XmlFastParser::resolve(Node& node) {
    node.attributeCount = std::uint32_t(attributes_.size()) - node.firstAttribute;
    const auto count = node.attributeCount + declarations_;
    if (count > limits_->attributesMax || count > plainAttributesMax) return false;
    if (hasOwnDefaultNs_) {
        // A declaration that repeats what is inherited would survive in the text of a stanza when
        // that is written to a stream of another content namespace.
        if (depth_ > 1 && same(ownDefaultNs_, node.defaultNs)) isVerbatim_ = false;
        node.defaultNs = ownDefaultNs_;
    }
    node.ns = node.defaultNs;
    if (node.prefixBytes != 0) {
        const auto* found = find({node.name, node.prefixBytes - 1});
        if (!found) return false;
        node.ns = *found;
        // RFC 6120, 4.8.5 forbids prefixes there; expat's side says so.
        if (depth_ == 1 && (node.ns == ns::client || node.ns == ns::server)) return false;
    }
    if (depth_ == 1) {
        isVerbatim_ = isVerbatim_ && node.prefixBytes == 0 && node.ns == ns::client;
        expansion_ += node.ns.size();
    } else if (!same(node.ns, nodes_[node.parent].ns)) {
        expansion_ += node.ns.size();
    }

    RawAttribute* const own = attributes_.data() + node.firstAttribute;
    for (std::uint32_t i = 0; i < node.attributeCount; ++i) {
        RawAttribute& attribute = own[i];
        std::string_view local{attribute.name, attribute.nameBytes};
        if (attribute.prefixBytes != 0) {
            local.remove_prefix(attribute.prefixBytes);
            const std::string_view prefix{attribute.name, attribute.prefixBytes - 1};
            if (prefix == "xml") {
                attribute.ns = ns::xml;
            } else {
                const auto* found = find(prefix);
                if (!found) return false;
                attribute.ns = *found;
                expansion_ += found->size();
            }
        }
        for (std::uint32_t k = 0; k < i; ++k) {
            const RawAttribute& other = own[k];
            if (other.nameBytes - other.prefixBytes == local.size() &&
                std::memcmp(other.name + other.prefixBytes, local.data(), local.size()) == 0 &&
                same(other.ns, attribute.ns)) {
                return false;
            }
        }
    }
    return expansion_ <= limits_->parserBytesMax;
}

// To the next `<`.
const char* XmlFastParser::readText(const char* at) {
    const char* const start = at;
    bool isCoded = false;
    for (;;) {
        at = skipPlain<true>(at, end_, '<', '&', '>');
        if (at == end_) return nullptr;
        if (*at == '<') break;
        if (*at == '&') {
            isCoded = true;
            at = readReference(at + 1, end_).end;
        } else if (*at == '>') {
            if (at - start >= 2 && at[-1] == ']' && at[-2] == ']') return nullptr;
            ++at;
        } else if (*at == '\t' || *at == '\n') {
            ++at;
        } else if (std::uint8_t(*at) >= 0x80) {
            at = skipUtf8(at, end_);
        } else {
            return nullptr;
        }
        if (!at) return nullptr;
    }
    if (at == start) return at;
    if (nodes_.size() >= limits_->nodesMax) return nullptr;
    Node& run = nodes_.emplace_back();
    run.name = nullptr;
    run.parent = current_;
    run.ns = {start, std::size_t(at - start)};
    run.attributeCount = isCoded;
    if (isCoded) decodedBytes_ += run.ns.size();
    return at;
}

// Everything is known: the tree is laid out in one block, with the text of the element behind it.
bool XmlFastParser::build(const char* begin, Result& result) {
    const std::size_t bytes = result.bytes;
    const std::size_t nsBytes = scope_->keepDefaultNs ? scope_->defaultNs.size() : 0;
    const std::size_t room = nodes_.size() * sizeof(Element) +
                             attributes_.size() * sizeof(Attribute) + decodedBytes_ + nsBytes +
                             bytes;
    if (room > limits_->parserBytesMax) return false;
    auto arena = Arena::withRoom(room);
    auto* const elements =
        static_cast<Element*>(arena->allocate(nodes_.size() * sizeof(Element), alignof(Element)));
    auto* nextAttribute = static_cast<Attribute*>(
        arena->allocate(attributes_.size() * sizeof(Attribute), alignof(Attribute)));
    char* decoded = static_cast<char*>(arena->allocate(decodedBytes_, 1));
    const auto defaultNs = nsBytes ? arena->keep(scope_->defaultNs) : std::string_view{};
    const char* const copy = arena->keep({begin, bytes}).data();

    const auto kept = [&](std::string_view view) -> std::string_view {
        const auto offset =
            reinterpret_cast<std::uintptr_t>(view.data()) - reinterpret_cast<std::uintptr_t>(begin);
        if (offset < bytes) return {copy + offset, view.size()};
        if (nsBytes && view.data() == scope_->defaultNs.data()) return defaultNs;
        return view;  // static
    };

    for (std::size_t i = 0; i < nodes_.size(); ++i) {
        const Node& node = nodes_[i];
        auto* const element = new (elements + i) Element{*arena};
        if (node.parent != none) elements[node.parent].appendChild(*element);
        if (!node.name) {
            element->nsOrText_ =
                node.attributeCount ? decode(decoded, node.ns, Place::Text) : kept(node.ns);
            continue;
        }
        element->name_ = {copy + (node.name - begin) + node.prefixBytes,
                          node.nameBytes - node.prefixBytes};
        element->nsOrText_ = kept(node.ns);
        if (node.attributeCount == 0) continue;
        element->attributes_ = nextAttribute;
        for (std::uint32_t k = 0; k < node.attributeCount; ++k) {
            const RawAttribute& raw = attributes_[node.firstAttribute + k];
            auto* const attribute = new (nextAttribute++) Attribute;
            attribute->name = {copy + (raw.name - begin) + raw.prefixBytes,
                               raw.nameBytes - raw.prefixBytes};
            attribute->ns = kept(raw.ns);
            attribute->value =
                raw.isCoded ? decode(decoded, raw.value, Place::Attribute) : kept(raw.value);
            attribute->next = nextAttribute;
        }
        nextAttribute[-1].next = nullptr;
    }

    result.inner = {};
    if (isVerbatim_ && elements->firstNode_) {
        const std::string_view text{copy, bytes};
        const auto start = [&] {
            const Node& first = nodes_[1];
            // The first thing inside is a run of text, or the name behind a `<`.
            return first.name ? std::size_t(first.name - begin) - 1
                              : std::size_t(first.ns.data() - begin);
        }();
        result.inner = text.substr(start, text.rfind('<') - start);
    }
    result.document = Document{std::move(arena), *elements};
    return true;
}

}  // namespace epode
