#include "admin/render.h"

#include "core/json_text.h"
#include "control/log_format.h"

#include <unicode/uchar.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

namespace epode::admin {

namespace {

constexpr std::string_view bold = "\033[1m";
constexpr std::string_view plain = "\033[0m";

int characterWidth(UChar32 character) {
    switch (u_charType(character)) {
        case U_NON_SPACING_MARK:
        case U_ENCLOSING_MARK:
        case U_FORMAT_CHAR:
            return 0;
        default:
            break;
    }
    const auto width = u_getIntPropertyValue(character, UCHAR_EAST_ASIAN_WIDTH);
    return width == U_EA_WIDE || width == U_EA_FULLWIDTH ? 2 : 1;
}

bool isRightAligned(const Cell& cell) {
    return std::holds_alternative<std::int64_t>(cell.value()) ||
           std::holds_alternative<double>(cell.value()) ||
           std::holds_alternative<Bytes>(cell.value()) ||
           std::holds_alternative<Duration>(cell.value());
}

std::string printable(std::string_view text) {
    std::string result;
    appendPrintable(result, text);
    return result;
}

// Lines are kept apart; each is printable.
std::string printableLines(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        const auto end = text.find('\n');
        result += printable(text.substr(0, end)) + "\n";
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    }
    return result;
}

std::string localTime(WallTime time) {
    const auto seconds = static_cast<std::time_t>(toMilliseconds(time) / 1000);
    std::tm parts{};
    localtime_r(&seconds, &parts);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &parts)};
}

struct CellText {
    std::string operator()(std::monostate) const { return "-"; }
    std::string operator()(bool value) const { return value ? "yes" : "no"; }
    std::string operator()(std::int64_t value) const { return std::to_string(value); }
    std::string operator()(double value) const {
        char text[40];
        std::snprintf(text, sizeof text, "%.6g", value);
        return text;
    }
    std::string operator()(const std::string& value) const { return printable(value); }
    std::string operator()(Bytes value) const { return displaySize(value); }
    std::string operator()(Duration value) const { return displayDuration(value); }
    std::string operator()(WallTime value) const { return localTime(value); }
    std::string operator()(const std::vector<std::string>& values) const {
        std::string text;
        for (const auto& value : values) text += (text.empty() ? "" : ", ") + printable(value);
        return text.empty() ? "-" : text;
    }
};

void appendAligned(std::string& line, const std::string& text, std::size_t width, bool toTheRight) {
    const auto now = displayWidth(text);
    const std::string fill(now < width ? width - now : 0, ' ');
    line += toTheRight ? fill + text : text + fill;
}

std::string heading(std::string_view column) {
    std::string text;
    for (const char letter : printable(column)) {
        text += letter >= 'a' && letter <= 'z' ? static_cast<char>(letter - 'a' + 'A') : letter;
    }
    return text;
}

void trimEnd(std::string& line) { line.erase(line.find_last_not_of(' ') + 1); }

std::string renderTable(const CommandResult& result, Emphasis emphasis) {
    const auto count = result.columns().size();
    std::vector<std::vector<std::string>> texts;
    std::vector<std::size_t> widths(count);
    std::vector<bool> toTheRight(count, false);
    std::vector<std::string> headings;
    for (std::size_t i = 0; i < count; ++i) {
        headings.push_back(heading(result.columns()[i]));
        widths[i] = displayWidth(headings[i]);
    }
    for (const auto& row : result.rows()) {
        auto& line = texts.emplace_back();
        for (std::size_t i = 0; i < count; ++i) {
            line.push_back(displayText(row[i]));
            widths[i] = std::max(widths[i], displayWidth(line[i]));
            if (isRightAligned(row[i])) toTheRight[i] = true;
        }
    }
    std::string page;
    const auto addLine = [&](const std::vector<std::string>& cells) {
        std::string line;
        for (std::size_t i = 0; i < count; ++i) {
            if (i > 0) line += "  ";
            appendAligned(line, cells[i], widths[i], toTheRight[i]);
        }
        trimEnd(line);
        return line;
    };
    const auto top = addLine(headings);
    page += emphasis == Emphasis::Terminal ? std::string{bold} + top + std::string{plain} : top;
    page += "\n";
    for (const auto& line : texts) page += addLine(line) + "\n";
    return page;
}

std::string renderFacts(const CommandResult& result) {
    std::size_t width = 0;
    for (const auto& fact : result.facts())
        width = std::max(width, displayWidth(printable(fact.name)));
    std::string page;
    for (const auto& fact : result.facts()) {
        appendAligned(page, printable(fact.name), width, false);
        page += "  " + displayText(fact.value) + "\n";
    }
    return page;
}

}  // namespace

std::size_t displayWidth(std::string_view text) {
    std::size_t width = 0;
    const auto length = static_cast<std::int32_t>(text.size());
    for (std::int32_t i = 0; i < length;) {
        UChar32 character = 0;
        U8_NEXT(text.data(), i, length, character);
        width += character < 0 ? 1 : static_cast<std::size_t>(characterWidth(character));
    }
    return width;
}

std::string displaySize(Bytes bytes) {
    constexpr std::array<std::string_view, 5> units{"B", "KiB", "MiB", "GiB", "TiB"};
    if (bytes.value < 1024) return std::to_string(bytes.value) + " B";
    auto amount = static_cast<double>(bytes.value);
    std::size_t unit = 0;
    // What would be shown as 1024.0 is 1.0 of the next unit.
    while (amount >= 1023.95 && unit + 1 < units.size()) {
        amount /= 1024;
        ++unit;
    }
    char text[32];
    std::snprintf(text, sizeof text, "%.1f %s", amount, units[unit].data());
    return text;
}

std::string displayDuration(Duration duration) {
    using namespace std::chrono;
    if (duration.count() < 0) return "-" + displayDuration(-duration);
    const auto milliseconds = floor<std::chrono::milliseconds>(duration).count();
    if (milliseconds == 0) return "0 s";
    if (milliseconds < 1000) return std::to_string(milliseconds) + " ms";
    struct Unit {
        std::int64_t seconds;
        std::string_view name;
    };
    constexpr std::array<Unit, 4> units{{{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}}};
    auto seconds = milliseconds / 1000;
    // The two largest units that follow each other are enough to know.
    std::string text;
    for (std::size_t i = 0; i < units.size(); ++i) {
        if (seconds < units[i].seconds) continue;
        text = std::to_string(seconds / units[i].seconds) + " " + std::string{units[i].name};
        seconds %= units[i].seconds;
        if (i + 1 < units.size() && seconds >= units[i + 1].seconds) {
            text += " " + std::to_string(seconds / units[i + 1].seconds) + " " +
                    std::string{units[i + 1].name};
        }
        break;
    }
    return text;
}

std::string displayText(const Cell& cell) { return std::visit(CellText{}, cell.value()); }

std::string render(const CommandResult& result, Amount amount, Emphasis emphasis) {
    if (amount == Amount::Quiet) {
        std::string page;
        for (const auto& row : result.rows()) page += displayText(row.front()) + "\n";
        return page;
    }
    std::string page = printableLines(result.text());
    page += renderFacts(result);
    if (!result.hasTable()) return page;
    if (!page.empty() && !result.facts().empty()) page += "\n";
    if (result.rows().empty()) return page + "(none)\n";
    return page + renderTable(result, emphasis);
}

}  // namespace epode::admin
