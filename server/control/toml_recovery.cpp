#include "control/toml_recovery.h"

#include <algorithm>

namespace epode {

namespace {

// A file with more errors than this is no configuration.
constexpr std::size_t mistakesMax = 50;

std::vector<std::string> splitLines(std::string_view text) {
    std::vector<std::string> lines;
    for (;;) {
        const auto end = text.find('\n');
        lines.emplace_back(text.substr(0, end));
        if (end == std::string_view::npos) return lines;
        text.remove_prefix(end + 1);
    }
}

std::string joinLines(const std::vector<std::string>& lines) {
    std::string text;
    for (const auto& line : lines) text += line + "\n";
    text.pop_back();
    return text;
}

std::string_view trimmed(std::string_view line) {
    const auto first = line.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return {};
    return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

bool isHeader(std::string_view line) { return trimmed(line).substr(0, 1) == "["; }

bool isKeyLetter(char letter) {
    return (letter >= 'a' && letter <= 'z') || (letter >= 'A' && letter <= 'Z') ||
           (letter >= '0' && letter <= '9') || letter == '_' || letter == '-' || letter == '.' ||
           letter == '"' || letter == ' ' || letter == '\t';
}

// `key =`, `key.key =`: where a new statement starts.
bool isAssignment(std::string_view line) {
    line = trimmed(line);
    const auto equals = line.find('=');
    return equals != std::string_view::npos && equals > 0 &&
           std::all_of(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(equals),
                       isKeyLetter);
}

// What people coming from other formats write, and how it is written here.
std::string adviceFor(std::string_view line) {
    line = trimmed(line);
    if (isHeader(line)) return "";
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) {
        const auto colon = line.find(':');
        return colon == std::string_view::npos || colon == 0
                   ? ""
                   : " A value is set by =, as in " + std::string{trimmed(line.substr(0, colon))} +
                         " = …";
    }
    auto value = line.substr(equals + 1);
    value = trimmed(value.substr(0, value.find('#')));
    if (value.empty()) return " The value is missing.";
    const bool isPlain = std::none_of(value.begin(), value.end(), [](char letter) {
        return letter == '"' || letter == '\'' || letter == '[' || letter == ']' || letter == '{' ||
               static_cast<unsigned char>(letter) < 0x20;
    });
    if (!isPlain || value.size() > 60) return "";
    return " A text is written in quotes: " + std::string{trimmed(line.substr(0, equals))} +
           " = \"" + std::string{value} + "\".";
}

// Blanks the statement at `index`, so that the parser finds the next error behind it.
void blank(std::vector<std::string>& lines, std::size_t index) {
    const bool wasHeader = isHeader(lines[index]);
    lines[index].clear();
    for (auto next = index + 1; next < lines.size(); ++next) {
        if (isHeader(lines[next])) return;
        // The rest of a value over several lines has no error of its own.
        if (!wasHeader && (trimmed(lines[next]).empty() || isAssignment(lines[next]))) return;
        lines[next].clear();
    }
}

bool parses(const std::vector<std::string>& lines, std::size_t count) {
    std::string text;
    for (std::size_t i = 0; i < count; ++i) text += lines[i] + "\n";
    try {
        (void)toml::parse(text);
        return true;
    } catch (const toml::parse_error&) {
        return false;
    }
}

// The line that begins the statement with an error at `index`: all before it is sound.
std::size_t statementStart(const std::vector<std::string>& lines, std::size_t index) {
    while (index > 0 && (trimmed(lines[index]).empty() || !parses(lines, index))) --index;
    return index;
}

std::string sentence(std::string_view text) {
    std::string result{text};
    if (!result.empty() && result.back() != '.') result += '.';
    return result;
}

}  // namespace

toml::table parseWithRecovery(std::string_view text, std::vector<SyntaxMistake>& mistakes) {
    auto lines = splitLines(text);
    std::string source{text};
    while (mistakes.size() < mistakesMax) {
        try {
            return toml::parse(source);
        } catch (const toml::parse_error& error) {
            const auto line = static_cast<int>(error.source().begin.line);
            const auto column = static_cast<int>(error.source().begin.column);
            // An end that came too soon is told at a line past the last one.
            const auto index = std::min<std::size_t>(line > 0 ? line - 1 : 0, lines.size() - 1);
            const auto start = statementStart(lines, index);
            auto message = sentence(error.description());
            if (start == index) {
                message += adviceFor(lines[index]);
            } else {
                message += " (It began at line " + std::to_string(start + 1) + ".)";
            }
            mistakes.push_back({line, column, std::move(message)});
            blank(lines, start);
            source = joinLines(lines);
        }
    }
    return {};
}

}  // namespace epode
