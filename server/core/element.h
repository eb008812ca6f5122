// XML as XMPP uses it: elements with a namespace, attributes, and text, as a tree in an arena.
//
// A tree is made by the parser or by code (`Document query{"query", ns::roster};
// query->add("item")`), and freed as a whole. No function of this page recurses: a stranger decides
// how deep a tree is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace epode {

// Memory that is given back all at once. Not thread-safe.
class Arena {
public:
    Arena() = default;
    Arena(const Arena&) = delete;
    Arena& operator=(const Arena&) = delete;
    ~Arena();

    // An arena whose first `room` bytes stand in the same block of heap as itself: who knows how
    // much will be needed pays for one allocation.
    static std::unique_ptr<Arena> withRoom(std::size_t room);

    void* allocate(std::size_t bytes, std::size_t alignment) {
        const auto padding = -reinterpret_cast<std::uintptr_t>(next_) & (alignment - 1);
        if (padding + bytes > std::size_t(end_ - next_)) return allocateElsewhere(bytes);
        std::byte* const start = next_ + padding;
        next_ = start + bytes;
        return start;
    }
    // A copy that lives as long as the arena.
    std::string_view keep(std::string_view text);
    // Both texts in one, in place when `head` was the last thing kept and there is room, so that a
    // text which grows by small pieces costs no more than its length.
    std::string_view join(std::string_view head, std::string_view tail);
    // Bytes taken from the heap so far: what a stranger's stanza really costs.
    std::size_t bytes() const { return bytes_; }

    // Blocks are larger than the type says (withRoom), hence no sized deallocation.
    static void operator delete(void* block) { ::operator delete(block); }

private:
    struct Chunk;
    explicit Arena(std::size_t room) noexcept;
    void* allocateElsewhere(std::size_t bytes);

    Chunk* newest_ = nullptr;
    std::byte* next_ = nullptr;
    std::byte* end_ = nullptr;
    std::size_t bytes_ = 0;
};

struct Attribute {
    std::string_view name;
    std::string_view ns;  // empty for the usual, unprefixed ones; ns::xml for xml:lang
    std::string_view value;
    Attribute* next = nullptr;
};

template <typename Node>
class ElementRange;

// An element or, among `nodes()`, a run of text. It lives in the arena of its Document.
class Element {
public:
    Element(const Element&) = delete;
    Element& operator=(const Element&) = delete;

    bool isText() const { return name_.data() == nullptr; }
    std::string_view name() const { return name_; }
    std::string_view ns() const { return isText() ? std::string_view{} : nsOrText_; }
    bool is(std::string_view name, std::string_view ns) const {
        return name_ == name && this->ns() == ns;
    }

    // The value of an attribute without namespace; `fallback` when it is absent.
    std::string_view get(std::string_view name, std::string_view fallback = {}) const;
    std::optional<std::string_view> find(std::string_view name, std::string_view ns = {}) const;
    const Attribute* attributes() const { return attributes_; }

    // The text of a run, or the text of an element: its first run when it has several.
    std::string_view text() const;

    // The first child element that fits; null when there is none.
    const Element* child(std::string_view name, std::string_view ns) const;
    const Element* child(std::string_view name) const;  // in this element's own namespace
    const Element* firstChild() const;                  // the first child element
    Element* child(std::string_view name, std::string_view ns);
    Element* child(std::string_view name);
    Element* firstChild();
    // The text of a child of the same namespace.
    std::string_view childText(std::string_view name) const;

    // `for (const Element& item : query.children())`: child elements, or with `nodes` text as well.
    ElementRange<const Element> children() const;
    ElementRange<Element> children();
    ElementRange<const Element> nodes() const;

    // Building. Names and values are copied into the arena.
    Element& set(std::string_view name, std::string_view value);  // adds or replaces
    Element& set(std::string_view name, std::string_view ns, std::string_view value);
    void unset(std::string_view name);
    Element& add(std::string_view name);  // in this element's namespace; returns the child
    Element& add(std::string_view name, std::string_view ns);
    Element& add(const Element& tree);                                   // a deep copy; returns it
    Element& addText(std::string_view text);                             // returns this element
    Element& addWithText(std::string_view name, std::string_view text);  // returns the child
    // Removes every child element for which `match(const Element&)` holds; returns how many.
    template <typename Match>
    std::size_t removeChildren(Match match);

    // For parsers: views that live in the arena already are taken as they are.
    static Element& make(Arena& arena, std::string_view keptName, std::string_view keptNs);
    void appendAttribute(std::string_view keptName, std::string_view keptNs,
                         std::string_view keptValue);
    void appendChild(Element& child);
    void appendText(std::string_view keptText);  // joins with a run before it

    Arena& arena() const { return *arena_; }
    Element* parent() const { return parent_; }
    Element* nextSibling() const { return next_; }  // text or element
    Element* firstNode() const { return firstNode_; }

    bool operator==(const Element& other) const;  // same names, attributes (in any order), nodes

private:
    friend class Document;
    friend class XmlFastParser;  // lays whole trees out in one block
    explicit Element(Arena& arena) : arena_{&arena} {}
    Element& copyNode(const Element& node, std::string_view inheritedNs);
    void unlink(Element* before, Element& node);

    Arena* arena_;
    std::string_view name_;
    std::string_view nsOrText_;  // of an element, or of a run: there are many of both
    Attribute* attributes_ = nullptr;
    Element* parent_ = nullptr;
    Element* firstNode_ = nullptr;
    Element* lastNode_ = nullptr;
    Element* next_ = nullptr;
};

// Walks the child elements (or all nodes) of an element.
template <typename Node>
class ElementRange {
public:
    class Iterator {
    public:
        using value_type = Node;
        using difference_type = std::ptrdiff_t;
        using reference = Node&;
        using pointer = Node*;
        using iterator_category = std::forward_iterator_tag;
        Iterator() = default;
        Iterator(Node* node, bool texts) : node_{node}, texts_{texts} { skip(); }
        Node& operator*() const { return *node_; }
        Node* operator->() const { return node_; }
        Iterator& operator++() {
            node_ = node_->nextSibling();
            skip();
            return *this;
        }
        Iterator operator++(int) {
            auto before = *this;
            ++*this;
            return before;
        }
        bool operator==(const Iterator& other) const { return node_ == other.node_; }

    private:
        void skip() {
            while (!texts_ && node_ && node_->isText()) node_ = node_->nextSibling();
        }
        Node* node_ = nullptr;
        bool texts_ = false;
    };

    ElementRange(Node* first, bool texts) : first_{first}, texts_{texts} {}
    Iterator begin() const { return Iterator(first_, texts_); }
    Iterator end() const { return Iterator(); }
    bool empty() const { return begin() == end(); }
    std::size_t size() const { return std::size_t(std::distance(begin(), end())); }

private:
    Node* first_;
    bool texts_;
};

inline ElementRange<const Element> Element::children() const { return {firstNode_, false}; }
inline ElementRange<Element> Element::children() { return {firstNode_, false}; }
inline ElementRange<const Element> Element::nodes() const { return {firstNode_, true}; }

template <typename Match>
std::size_t Element::removeChildren(Match match) {
    std::size_t removed = 0;
    Element* before = nullptr;
    for (Element* node = firstNode_; node;) {
        Element* next = node->next_;
        if (!node->isText() && match(static_cast<const Element&>(*node))) {
            unlink(before, *node);
            ++removed;
        } else {
            before = node;
        }
        node = next;
    }
    return removed;
}

// Owns a tree. Moves are cheap and keep every reference into the tree valid.
class Document {
public:
    Document() = default;
    Document(std::string_view name, std::string_view ns);
    Document(const Element& tree);  // a deep copy
    // For parsers: the arena with the tree that was built in it.
    Document(std::unique_ptr<Arena> arena, Element& root)
        : arena_{std::move(arena)}, root_{&root} {}

    Document(Document&& other) noexcept
        : arena_{std::move(other.arena_)}, root_{std::exchange(other.root_, nullptr)} {}
    Document& operator=(Document&& other) noexcept {
        arena_ = std::move(other.arena_);
        root_ = std::exchange(other.root_, nullptr);
        return *this;
    }

    explicit operator bool() const { return root_ != nullptr; }
    Element& operator*() { return *root_; }
    const Element& operator*() const { return *root_; }
    Element* operator->() { return root_; }
    const Element* operator->() const { return root_; }

private:
    std::unique_ptr<Arena> arena_;  // on the heap: nodes point to it
    Element* root_ = nullptr;
};

// Appends `element` as XML to `out`. `inheritedNs` is the default namespace that is in force where
// the text goes (no xmlns is written for it). Prefixed attributes other than xml: get a prefix.
void writeXml(std::string& out, const Element& element, std::string_view inheritedNs = {});
// The nodes inside `element` alone, as they stand within a start tag of its namespace.
void writeInnerXml(std::string& out, const Element& element);
// One attribute, with a blank before it. `prefixes` counts those that the start tag declares.
void writeAttributeXml(std::string& out, const Attribute& attribute, unsigned& prefixes);
std::string toXml(const Element& element, std::string_view inheritedNs = {});

// Appends text with `<`, `&`, `>` (and in attributes both quotes and white space) escaped.
void escapeText(std::string& out, std::string_view text);
void escapeAttribute(std::string& out, std::string_view value);

// Parses one whole element (stored XML, tests, tools), with the same limits and refusals as a
// stream. Nothing when it is not well-formed or more than one element. `ns` is the default
// namespace that the text inherits.
std::optional<Document> parseXml(std::string_view text, std::string_view ns = {});

}  // namespace epode
