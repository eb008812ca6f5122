#include "core/element.h"

#include "core/xml_chars.h"
#include "core/xml_stream.h"

namespace epode {

using xml::same;

std::string_view Element::get(std::string_view name, std::string_view fallback) const {
    for (const Attribute* at = attributes_; at; at = at->next) {
        if (at->name == name && at->ns.empty()) return at->value;
    }
    return fallback;
}

std::optional<std::string_view> Element::find(std::string_view name, std::string_view ns) const {
    for (const Attribute* at = attributes_; at; at = at->next) {
        if (at->name == name && at->ns == ns) return at->value;
    }
    return std::nullopt;
}

std::string_view Element::text() const {
    if (isText()) return nsOrText_;
    for (const Element* node = firstNode_; node; node = node->next_) {
        if (node->isText()) return node->nsOrText_;
    }
    return {};
}

const Element* Element::child(std::string_view name, std::string_view ns) const {
    for (const Element& child : children()) {
        if (child.name_ == name && same(child.nsOrText_, ns)) return &child;
    }
    return nullptr;
}

const Element* Element::child(std::string_view name) const { return child(name, nsOrText_); }

const Element* Element::firstChild() const {
    const auto all = children();
    return all.empty() ? nullptr : &*all.begin();
}

Element* Element::child(std::string_view name, std::string_view ns) {
    return const_cast<Element*>(std::as_const(*this).child(name, ns));
}

Element* Element::child(std::string_view name) { return child(name, nsOrText_); }

Element* Element::firstChild() { return const_cast<Element*>(std::as_const(*this).firstChild()); }

std::string_view Element::childText(std::string_view name) const {
    const Element* found = child(name);
    return found ? found->text() : std::string_view{};
}

Element& Element::set(std::string_view name, std::string_view value) {
    return set(name, {}, value);
}

Element& Element::set(std::string_view name, std::string_view ns, std::string_view value) {
    const auto kept = arena_->keep(value);
    for (Attribute* at = attributes_; at; at = at->next) {
        if (at->name == name && at->ns == ns) {
            at->value = kept;
            return *this;
        }
    }
    appendAttribute(arena_->keep(name), ns.empty() ? ns : arena_->keep(ns), kept);
    return *this;
}

void Element::unset(std::string_view name) {
    Attribute* before = nullptr;
    for (Attribute* at = attributes_; at; before = at, at = at->next) {
        if (at->name != name || !at->ns.empty()) continue;
        (before ? before->next : attributes_) = at->next;
        return;
    }
}

Element& Element::add(std::string_view name) {
    Element& child = make(*arena_, arena_->keep(name), nsOrText_);
    appendChild(child);
    return child;
}

Element& Element::add(std::string_view name, std::string_view ns) {
    if (same(ns, nsOrText_)) return add(name);
    Element& child = make(*arena_, arena_->keep(name), arena_->keep(ns));
    appendChild(child);
    return child;
}

Element& Element::add(const Element& tree) {
    // The copy stays apart until it is whole, so that an element can be added to itself.
    const Element* from = &tree;
    Element* const top = &copyNode(tree, nsOrText_);
    Element* copy = top;
    for (;;) {
        Element* into = copy;
        if (from->firstNode_) {
            from = from->firstNode_;
        } else {
            while (from != &tree && !from->next_) {
                from = from->parent_;
                copy = copy->parent_;
            }
            if (from == &tree) break;
            from = from->next_;
            into = copy->parent_;
        }
        copy = &copyNode(*from, into->nsOrText_);
        into->appendChild(*copy);
    }
    appendChild(*top);
    return *top;
}

Element& Element::copyNode(const Element& node, std::string_view inheritedNs) {
    // The same namespace is the same bytes: a long one must not be copied for each child.
    if (node.isText()) {
        Element& run = make(*arena_, {}, {});
        run.nsOrText_ = arena_->keep(node.nsOrText_);
        return run;
    }
    Element& copy =
        make(*arena_, arena_->keep(node.name_),
             same(node.nsOrText_, inheritedNs) ? inheritedNs : arena_->keep(node.nsOrText_));
    for (const Attribute* at = node.attributes_; at; at = at->next) {
        copy.appendAttribute(arena_->keep(at->name), at->ns.empty() ? at->ns : arena_->keep(at->ns),
                             arena_->keep(at->value));
    }
    return copy;
}

Element& Element::addText(std::string_view text) {
    if (!text.empty()) {
        if (lastNode_ && lastNode_->isText()) {
            lastNode_->nsOrText_ = arena_->join(lastNode_->nsOrText_, text);
        } else {
            appendText(arena_->keep(text));
        }
    }
    return *this;
}

Element& Element::addWithText(std::string_view name, std::string_view text) {
    return add(name).addText(text);
}

Element& Element::make(Arena& arena, std::string_view keptName, std::string_view keptNs) {
    auto* const made = new (arena.allocate(sizeof(Element), alignof(Element))) Element{arena};
    made->name_ = keptName;
    made->nsOrText_ = keptNs;
    return *made;
}

void Element::appendAttribute(std::string_view keptName, std::string_view keptNs,
                              std::string_view keptValue) {
    auto* const made = new (arena_->allocate(sizeof(Attribute), alignof(Attribute)))
        Attribute{keptName, keptNs, keptValue};
    Attribute** end = &attributes_;
    while (*end) end = &(*end)->next;
    *end = made;
}

void Element::appendChild(Element& child) {
    child.parent_ = this;
    (lastNode_ ? lastNode_->next_ : firstNode_) = &child;
    lastNode_ = &child;
}

void Element::appendText(std::string_view keptText) {
    if (keptText.empty()) return;
    if (lastNode_ && lastNode_->isText()) {
        lastNode_->nsOrText_ = arena_->join(lastNode_->nsOrText_, keptText);
        return;
    }
    Element& run = make(*arena_, {}, {});
    run.nsOrText_ = keptText;
    appendChild(run);
}

void Element::unlink(Element* before, Element& node) {
    (before ? before->next_ : firstNode_) = node.next_;
    if (lastNode_ == &node) lastNode_ = before;
    node.next_ = nullptr;
    node.parent_ = nullptr;
}

namespace {

bool sameAttributes(const Element& one, const Element& other) {
    std::size_t count = 0;
    for (const Attribute* at = one.attributes(); at; at = at->next, ++count) {
        if (other.find(at->name, at->ns) != at->value) return false;
    }
    for (const Attribute* at = other.attributes(); at; at = at->next) --count;
    return count == 0;
}

bool sameNode(const Element& one, const Element& other) {
    if (one.isText() || other.isText()) {
        return one.isText() && other.isText() && one.text() == other.text();
    }
    return one.name() == other.name() && same(one.ns(), other.ns()) && sameAttributes(one, other);
}

}  // namespace

bool Element::operator==(const Element& other) const {
    const Element* left = this;
    const Element* right = &other;
    for (;;) {
        if (!sameNode(*left, *right)) return false;
        if (!left->firstNode_ != !right->firstNode_) return false;
        if (left->firstNode_) {
            left = left->firstNode_;
            right = right->firstNode_;
            continue;
        }
        for (;;) {
            if (left == this) return true;
            if (!left->next_ != !right->next_) return false;
            if (left->next_) break;
            left = left->parent_;
            right = right->parent_;
        }
        left = left->next_;
        right = right->next_;
    }
}

Document::Document(std::string_view name, std::string_view ns) : arena_{std::make_unique<Arena>()} {
    root_ = &Element::make(*arena_, arena_->keep(name), arena_->keep(ns));
}

Document::Document(const Element& tree) : arena_{std::make_unique<Arena>()} {
    // The copy hangs on a parent for as long as it is made.
    Element parent{*arena_};
    root_ = &parent.add(tree);
    root_->parent_ = nullptr;
}

std::optional<Document> parseXml(std::string_view text, std::string_view ns) {
    ParsedElement parsed = parseElement(text, ns);
    if (!parsed.document) return std::nullopt;
    return std::move(parsed.document);
}

}  // namespace epode
