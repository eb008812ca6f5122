#include "control/log_format.h"

#include "core/json_text.h"

#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>

namespace epode {

namespace {

constexpr std::string_view hexDigits = "0123456789abcdef";

unsigned char byteAt(std::string_view text, std::size_t index) {
    return static_cast<unsigned char>(text[index]);
}

// Characters that act on a terminal or turn the reading order: C0, DEL, C1, line and paragraph
// separators, bidirectional controls.
bool isUnsafe(std::string_view character) {
    const auto first = static_cast<unsigned char>(character[0]);
    if (character.size() == 1) return first < 0x20 || first == 0x7f;
    if (character.size() == 2) return first == 0xc2 && byteAt(character, 1) < 0xa0;
    if (character.size() != 3) return false;
    if (first != 0xe2) return false;
    const auto second = byteAt(character, 1), third = byteAt(character, 2);
    if (second == 0x80) return third == 0x8e || third == 0x8f || (third >= 0xa8 && third <= 0xae);
    return second == 0x81 && third >= 0xa6 && third <= 0xa9;
}

void appendHexEscape(std::string& out, unsigned char byte) {
    out += "\\x";
    out += hexDigits[byte >> 4];
    out += hexDigits[byte & 15];
}

// Text for a terminal or file: what is unsafe is written as \n, \t or \xNN.
void appendEscaped(std::string& out, std::string_view text, bool isQuoted) {
    for (std::size_t i = 0; i < text.size();) {
        const auto bytes = utf8Bytes(text, i);
        if (bytes == 0) {
            appendHexEscape(out, byteAt(text, i));
            ++i;
            continue;
        }
        const auto character = text.substr(i, bytes);
        i += bytes;
        if (character == "\n") {
            out += "\\n";
        } else if (character == "\r") {
            out += "\\r";
        } else if (character == "\t") {
            out += "\\t";
        } else if (isUnsafe(character)) {
            for (const char byte : character)
                appendHexEscape(out, static_cast<unsigned char>(byte));
        } else if (isQuoted && (character == "\"" || character == "\\")) {
            out += '\\';
            out += character;
        } else {
            out += character;
        }
    }
}

bool needsQuotes(std::string_view text) {
    if (text.empty()) return true;
    for (const char letter : text) {
        const auto byte = static_cast<unsigned char>(letter);
        if (byte <= 0x20 || byte == 0x7f || letter == '"' || letter == '=' || letter == '\\' ||
            byte >= 0x80) {
            return true;
        }
    }
    return false;
}

void appendNumber(std::string& out, std::int64_t number) {
    char digits[24];
    const auto [end, failure] = std::to_chars(digits, digits + sizeof digits, number);
    out.append(digits, end);
}

void appendNumber(std::string& out, double number) {
    char digits[40];
    const auto [end, failure] = std::to_chars(digits, digits + sizeof digits, number);
    out.append(digits, end);
}

void appendTextValue(std::string& out, const LogField& field) {
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
        const bool quotes = needsQuotes(*text);
        if (quotes) out += '"';
        appendEscaped(out, *text, quotes);
        if (quotes) out += '"';
    } else if (const auto* integer = std::get_if<std::int64_t>(&field.value)) {
        appendNumber(out, *integer);
    } else if (const auto* number = std::get_if<double>(&field.value)) {
        appendNumber(out, *number);
    } else {
        out += std::get<bool>(field.value) ? "true" : "false";
    }
}

void appendJsonValue(std::string& out, const LogField& field) {
    if (const auto* text = std::get_if<std::string_view>(&field.value)) {
        appendJsonString(out, *text);
    } else if (const auto* number = std::get_if<double>(&field.value);
               number && !std::isfinite(*number)) {
        out += "null";  // JSON has no infinity
    } else {
        appendTextValue(out, field);
    }
}

std::string_view colourOf(LogLevel level) {
    switch (level) {
        case LogLevel::Debug:
            return "\033[2m";
        case LogLevel::Notice:
            return "\033[1m";
        case LogLevel::Warning:
            return "\033[33m";
        case LogLevel::Error:
            return "\033[1;31m";
        default:
            return "";
    }
}

// The priorities of syslog (RFC 5424, 6.2.1).
char priorityOf(LogLevel level) {
    switch (level) {
        case LogLevel::Debug:
            return '7';
        case LogLevel::Info:
            return '6';
        case LogLevel::Notice:
            return '5';
        case LogLevel::Warning:
            return '4';
        default:
            return '3';
    }
}

void appendPadded(std::string& out, std::string_view text, std::size_t width) {
    out += text;
    out.append(text.size() < width ? width - text.size() + 1 : 1, ' ');
}

void appendText(std::string& out, const LogLine& line, WallTime time, const LogStyle& style) {
    const auto colour = style.colour == Colour::On ? colourOf(line.level) : std::string_view{};
    if (style.journal == Journal::Yes) {
        appendEscaped(out, line.area, false);
        out += ": ";
    } else {
        out += isoTime(time) + " ";
        out += colour;
        appendPadded(out, toText(line.level), 7);
        appendPadded(out, line.area, 9);
    }
    appendEscaped(out, line.text, false);
    if (!colour.empty()) out += "\033[0m";
    for (const auto& field : line.fields) {
        out += ' ';
        appendEscaped(out, field.key, false);
        out += '=';
        appendTextValue(out, field);
    }
}

void appendJson(std::string& out, const LogLine& line, WallTime time) {
    out += "{\"time\":\"" + isoTime(time) + "\",\"level\":\"";
    out += toText(line.level);
    out += "\",\"area\":";
    appendJsonString(out, line.area);
    out += ",\"text\":";
    appendJsonString(out, line.text);
    if (line.fields.size() > 0) {
        // An object of their own: a field cannot take the place of the time or the level.
        out += ",\"fields\":{";
        bool isFirst = true;
        for (const auto& field : line.fields) {
            if (!isFirst) out += ',';
            isFirst = false;
            appendJsonString(out, field.key);
            out += ':';
            appendJsonValue(out, field);
        }
        out += '}';
    }
    out += '}';
}

}  // namespace

void formatLogLine(std::string& out, const LogLine& line, WallTime time, const LogStyle& style) {
    if (style.journal == Journal::Yes) {
        out += '<';
        out += priorityOf(line.level);
        out += '>';
    }
    if (style.format == LogFormat::Json) {
        appendJson(out, line, time);
    } else {
        appendText(out, line, time, style);
    }
    out += '\n';
}

void appendPrintable(std::string& out, std::string_view text) { appendEscaped(out, text, false); }

std::string isoTime(WallTime time) {
    const auto milliseconds = toMilliseconds(time);
    auto seconds = static_cast<std::time_t>(milliseconds / 1000);
    auto rest = static_cast<int>(milliseconds % 1000);
    if (rest < 0) {
        rest += 1000;
        --seconds;
    }
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[64];
    std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", parts.tm_year + 1900,
                  parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec, rest);
    return text;
}

}  // namespace epode
