#include "core/element.h"
#include "core/namespaces.h"
#include "core/xml_chars.h"

namespace epode {
namespace {

using xml::same;

// What stands for one byte that can't stand for itself. A control character has no form at all in
// XML; the replacement character keeps the receiver's stream alive.
std::string_view escaped(char c, bool inAttribute) {
    switch (c) {
        case '<':
            return "&lt;";
        case '>':
            return "&gt;";
        case '&':
            return "&amp;";
        case '\'':
            return "&apos;";
        case '"':
            return "&quot;";
        case '\r':
            return "&#13;";
        case '\n':
            return inAttribute ? "&#10;" : "\n";
        case '\t':
            return inAttribute ? "&#9;" : "\t";
        default:
            return "\xEF\xBF\xBD";
    }
}

// The namespace of `xml:` can't be a default one (Namespaces in XML, 3): its elements keep the prefix.
void writeName(std::string& out, const Element& element) {
    if (element.ns() == ns::xml) out += "xml:";
    out += element.name();
}

// Without its `>`.
void writeStart(std::string& out, const Element& element, std::string_view inheritedNs) {
    out += '<';
    writeName(out, element);
    if (!same(element.ns(), inheritedNs) && element.ns() != ns::xml) {
        out += " xmlns='";
        escapeAttribute(out, element.ns());
        out += '\'';
    }
    unsigned prefixes = 0;
    for (const Attribute* at = element.attributes(); at; at = at->next) {
        writeAttributeXml(out, *at, prefixes);
    }
}

void writeEnd(std::string& out, const Element& element) {
    out += "</";
    writeName(out, element);
    out += '>';
}

// One node, or its start tag when there is something inside.
void writeNode(std::string& out, const Element& node, std::string_view inheritedNs) {
    if (node.isText()) {
        escapeText(out, node.text());
        return;
    }
    writeStart(out, node, inheritedNs);
    out += node.firstNode() ? ">" : "/>";
}

}  // namespace

void writeAttributeXml(std::string& out, const Attribute& attribute, unsigned& prefixes) {
    if (attribute.ns.empty()) {
        out += ' ';
    } else if (attribute.ns == ns::xml) {
        out += " xml:";
    } else {
        const auto prefix = "n" + std::to_string(prefixes++);
        out.append(" xmlns:").append(prefix).append("='");
        escapeAttribute(out, attribute.ns);
        out.append("' ").append(prefix).append(":");
    }
    out.append(attribute.name).append("='");
    escapeAttribute(out, attribute.value);
    out += '\'';
}

void escapeText(std::string& out, std::string_view text) {
    const char* at = text.data();
    const char* const end = at + text.size();
    while (at != end) {
        const char* const special = xml::skipPlain<false>(at, end, '<', '&', '>');
        out.append(at, special);
        if (special == end) return;
        out += escaped(*special, false);
        at = special + 1;
    }
}

void escapeAttribute(std::string& out, std::string_view value) {
    const char* at = value.data();
    const char* const end = at + value.size();
    while (at != end) {
        // `>` needs no escape for XML, but some programs cut at it.
        const char* const special = xml::skipPlain<false>(at, end, '<', '&', '\'');
        for (const char* c = at; c != special; ++c) {
            if (*c != '"' && *c != '>') continue;
            out.append(at, c);
            out += escaped(*c, true);
            at = c + 1;
        }
        out.append(at, special);
        if (special == end) return;
        out += escaped(*special, true);
        at = special + 1;
    }
}

void writeInnerXml(std::string& out, const Element& element) {
    const Element* node = element.firstNode();
    while (node) {
        writeNode(out, *node, node->parent()->ns());
        if (node->firstNode()) {
            node = node->firstNode();
            continue;
        }
        while (!node->nextSibling()) {
            node = node->parent();
            if (node == &element) return;
            writeEnd(out, *node);
        }
        node = node->nextSibling();
    }
}

void writeXml(std::string& out, const Element& element, std::string_view inheritedNs) {
    writeNode(out, element, inheritedNs);
    if (!element.firstNode()) return;
    writeInnerXml(out, element);
    writeEnd(out, element);
}

std::string toXml(const Element& element, std::string_view inheritedNs) {
    std::string out;
    writeXml(out, element, inheritedNs);
    return out;
}

}  // namespace epode
