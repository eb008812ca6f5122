#include "tests/dialogues/pattern.h"

#include "core/base64.h"
#include "core/element.h"
#include "core/namespaces.h"

#include <algorithm>
#include <optional>
#include <regex>
#include <sstream>
#include <stdexcept>

namespace epode::dialogue {

namespace {

// The next "{…}" of lower-case letters, digits, and whatever else `filled` takes.
struct Braces {
    std::size_t begin, end;  // of the braces themselves
    std::string_view inside;
};
std::optional<Braces> nextBraces(std::string_view text, std::size_t from = 0) {
    for (auto open = text.find('{', from); open != text.npos; open = text.find('{', open + 1)) {
        const auto close = text.find('}', open);
        if (close == text.npos) return std::nullopt;
        const auto inside = text.substr(open + 1, close - open - 1);
        if (!inside.empty() &&
            ((inside[0] >= 'a' && inside[0] <= 'z') || (inside[0] >= '1' && inside[0] <= '9')))
            return Braces{open, close + 1, inside};
    }
    return std::nullopt;
}

bool matches(std::string_view pattern, std::string_view got, Words& words) {
    const auto braces = nextBraces(pattern);
    if (!braces) return pattern == got;
    if (got.substr(0, braces->begin) != pattern.substr(0, braces->begin)) return false;
    got.remove_prefix(braces->begin);
    const auto rest = pattern.substr(braces->end);
    const std::string word{braces->inside};
    if (const auto known = words.find(word); known != words.end()) {
        return got.starts_with(known->second) &&
               matches(rest, got.substr(known->second.size()), words);
    }
    // As little as possible, so that what follows the word ends it.
    for (std::size_t length = 0; length <= got.size(); ++length) {
        Words tried = words;
        if (word != "any") tried[word] = got.substr(0, length);
        if (!matches(rest, got.substr(length), tried)) continue;
        words = std::move(tried);
        return true;
    }
    return false;
}

std::string trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r\n");
    if (first == text.npos) return {};
    return std::string{text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1)};
}

// All of an element's own text, whatever stands between.
std::string textOf(const Element& element) {
    std::string text;
    for (const auto& node : element.nodes())
        if (node.isText()) text += node.text();
    return trimmed(text);
}

std::string mismatch(const Element& pattern, const Element& got, Words& words) {
    if (!got.is(pattern.name(), pattern.ns()))
        return "it is <" + std::string{got.name()} + " xmlns='" + std::string{got.ns()} + "'>";
    const std::string where = " of <" + std::string{got.name()} + ">";
    for (auto* at = pattern.attributes(); at; at = at->next) {
        const auto value = got.find(at->name, at->ns);
        if (!value) return std::string{at->name} + where + " is missing";
        if (!matches(at->value, *value, words))
            return std::string{at->name} + where + " is '" + std::string{*value} + "'";
    }
    for (auto* at = got.attributes(); at; at = at->next) {
        const bool isFree =
            at->name == "id" || at->name == "to" || at->name == "ver" || at->name == "lang";
        if (!isFree && !pattern.find(at->name, at->ns))
            return "nothing was said of " + std::string{at->name} + "='" + std::string{at->value} +
                   "'" + where;
    }
    auto text = textOf(pattern);
    const bool isOpen = text == "{any}";
    if (!isOpen && !matches(text, textOf(got), words))
        return "the text" + where + " is \"" + textOf(got) + "\"";
    auto next = got.children().begin();
    const auto end = got.children().end();
    // What an error says to people, unless the pattern speaks of it.
    const auto skipText = [&] {
        if (next != end && !pattern.child("text", next->ns()) &&
            (next->is("text", ns::stanzaErrors) || next->is("text", ns::streamErrors) ||
             (next->is("text", ns::sasl) && got.name() == "failure")))
            ++next;
    };
    for (const Element& child : pattern.children()) {
        std::string problem;
        skipText();
        for (; next != end; ++next) {
            Words tried = words;
            const auto one = mismatch(child, *next, tried);
            if (one.empty()) {
                words = std::move(tried);
                break;
            }
            if (problem.empty() || next->is(child.name(), child.ns())) problem = one;
            if (!isOpen) return problem;
        }
        if (next == end)
            return problem.empty() ? "<" + std::string{child.name()} + "> is missing" + where
                                   : problem;
        ++next;
    }
    if (isOpen) return {};
    skipText();
    if (next != end) return "nothing was said of <" + std::string{next->name()} + ">" + where;
    return {};
}

// "stream:" is bound by the header of a stream, which a pattern has not.
std::string withStreamPrefix(std::string_view xml) {
    static const std::regex opening{"<stream:([a-z]+)"}, closing{"</stream:"};
    const auto opened = std::regex_replace(std::string{xml}, opening,
                                           "<$1 xmlns='" + std::string{ns::streams} + "'");
    return std::regex_replace(opened, closing, "</");
}

}  // namespace

std::string mismatch(std::string_view pattern, std::string_view got, Words& words) {
    const auto expected = parseXml(withStreamPrefix(pattern), ns::client);
    if (!expected) return "what is expected is no XML";
    if (got.empty()) return "nothing came";
    const auto actual = parseXml(got, ns::client);
    if (!actual) return "what came is no XML";
    Words tried = words;
    auto problem = mismatch(**expected, **actual, tried);
    if (problem.empty()) words = std::move(tried);
    return problem;
}

std::string filled(std::string_view text, const Words& words) {
    std::string result;
    std::size_t at = 0;
    while (const auto braces = nextBraces(text, at)) {
        result += text.substr(at, braces->begin - at);
        at = braces->end;
        const std::string inside{braces->inside};
        std::smatch parts;
        if (std::regex_match(inside, parts, std::regex{"([0-9]+) times ([^]+)"})) {
            for (auto left = std::stoul(parts[1]); left > 0; --left) result += parts[2];
        } else if (inside.starts_with("bytes ")) {
            std::istringstream numbers{inside.substr(6)};
            for (std::string number; numbers >> number;)
                result += static_cast<char>(std::stoul(number, nullptr, 16));
        } else if (inside.starts_with("base64 ")) {
            std::string plain = inside.substr(7);
            for (auto nul = plain.find("\\0"); nul != plain.npos; nul = plain.find("\\0", nul + 1))
                plain.replace(nul, 2, 1, '\0');
            result += encodeBase64(plain);
        } else if (const auto known = words.find(inside); known != words.end()) {
            result += known->second;
        } else {
            throw std::invalid_argument{"{" + inside + "} stands for nothing yet"};
        }
    }
    return result.append(text.substr(at));
}

}  // namespace epode::dialogue
