// Small things about text, times and addresses that several verbs need.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace epode::cli {

// Parts of an address, as written: the server prepares and judges it.
std::string bareOf(std::string_view address);
std::string localOf(std::string_view address);
std::string domainOf(std::string_view address);
std::string resourceOf(std::string_view address);
// Catches what was plainly mistyped ("romeo@", "a b@c"); the server knows better.
bool looksLikeAddress(std::string_view address);

bool isUtf8(std::string_view text);
// Whether XML can carry the text: UTF-8 without control characters other than tab and new lines.
bool fitsInXml(std::string_view text);
// What strangers wrote, made harmless for a terminal: no control characters (an escape sequence can
// begin with one), no characters that turn the direction of what follows.
std::string printable(std::string_view text);
// The same, with its further lines indented, so that no text can pose as somebody else's line.
std::string indented(std::string_view text, std::size_t columns);
// Columns on a terminal.
std::size_t widthOf(std::string_view text);

using WallClock = std::chrono::system_clock;
// XEP-0082. Nothing when it is not a date and time.
std::optional<WallClock::time_point> parseTime(std::string_view text);
std::string isoTime(WallClock::time_point time);
// For people, in local time: "12:03" today, else "2026-11-19 12:03".
std::string shortTime(WallClock::time_point time);

// What people type for a point in time: XEP-0082, a date, or an age such as 2h, 3d.
std::optional<WallClock::time_point> parseMoment(std::string_view text);

}  // namespace epode::cli
