// Compares a stanza with what a test expects of it.
#pragma once

#include "core/element.h"
#include "core/namespaces.h"

#include <optional>
#include <string>
#include <string_view>

namespace epode {

// Why `got` is not as `pattern` says; "" when it is. Attributes and children are those of the
// pattern and no others, but for what the server is free in: `id`, `to` and `ver` count only where
// the pattern has them, and an attribute "*" is there with whatever value. An <error/> may have a
// text.
inline std::string mismatch(const Element& pattern, const Element& got) {
    if (!got.is(pattern.name(), pattern.ns()))
        return "element " + std::string{got.name()} + " in " + std::string{got.ns()};
    for (auto* at = pattern.attributes(); at; at = at->next) {
        const auto value = got.find(at->name, at->ns);
        if (!value || (at->value != "*" && *value != at->value))
            return "attribute " + std::string{at->name} + " is " +
                   (value ? std::string{*value} : "missing");
    }
    for (auto* at = got.attributes(); at; at = at->next) {
        const bool isFree = at->name == "id" || at->name == "to" || at->name == "ver";
        if (!isFree && !pattern.find(at->name, at->ns))
            return "unexpected attribute " + std::string{at->name};
    }
    if (got.text() != pattern.text()) return "text \"" + std::string{got.text()} + '"';
    auto next = got.children().begin();
    const auto end = got.children().end();
    for (const Element& child : pattern.children()) {
        if (next == end) return std::string{child.name()} + " is missing";
        if (auto problem = mismatch(child, *next); !problem.empty())
            return std::string{child.name()} + ": " + problem;
        ++next;
    }
    if (next != end && next->is("text", ns::stanzaErrors)) ++next;
    if (next != end) return "unexpected " + std::string{next->name()};
    return {};
}

inline std::string mismatch(std::string_view pattern, std::string_view got) {
    const auto expected = parseXml(pattern, ns::client);
    const auto actual = parseXml(got, ns::client);
    if (!expected) return "the pattern is no XML";
    if (!actual) return "nothing came";
    return mismatch(**expected, **actual);
}

}  // namespace epode
