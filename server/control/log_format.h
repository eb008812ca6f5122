// How a log line looks. Pure: a line and its time become one line of text, whatever is in it:
// control characters and broken UTF-8 in fields are escaped, so that nobody can forge lines.
#pragma once

#include "core/log.h"
#include "core/time.h"

#include <string>

namespace epode {

enum class LogFormat { Text, Json };
enum class Colour { Off, On };
// Whether the journal adds time and priority itself.
enum class Journal { No, Yes };

struct LogStyle {
    LogFormat format = LogFormat::Text;
    Colour colour = Colour::Off;
    Journal journal = Journal::No;
};

// Appends the line with its final newline:
//     2026-11-20T11:54:00.123Z notice  stream    session resumed account=juliet@capulet.example
//     {"time":"2026-11-20T11:54:00.123Z","level":"notice","area":"stream","text":"session
//     resumed",…} <5>stream: session resumed account=juliet@capulet.example
void formatLogLine(std::string& out, const LogLine& line, WallTime time, const LogStyle& style);

// Appends text for a terminal or file; what would act on it (control characters, bidirectional
// ones, broken UTF-8) is written as \n, \t or \xNN.
void appendPrintable(std::string& out, std::string_view text);

// "2026-11-20T11:54:00.123Z"
std::string isoTime(WallTime time);

}  // namespace epode
