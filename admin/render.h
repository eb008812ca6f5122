// Results as people read them.
#pragma once

#include "core/command_result.h"

#include <string>
#include <string_view>

namespace epode::admin {

enum class Amount { All, Quiet };
enum class Emphasis { None, Terminal };

// Columns that `text` takes on a terminal: wide East Asian characters and emoji take two, combining
// marks none.
std::size_t displayWidth(std::string_view text);

// "3 min 5 s", "64.0 KiB", "2026-11-20 12:54:00" in local time; "-" for null. Control characters
// are escaped: names come from strangers, and a terminal obeys.
std::string displayText(const Cell& cell);
std::string displaySize(Bytes bytes);
std::string displayDuration(Duration duration);

// Quiet: no message, and of a table the first column without a heading.
std::string render(const CommandResult& result, Amount amount = Amount::All,
                   Emphasis emphasis = Emphasis::None);

}  // namespace epode::admin
