// Names with their values as lines of text, as plugins keep configurations in the database: "name
// value", several values in several lines, line feeds and backslashes escaped.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

// A name has no space and no line feed in it. Without values nothing is written.
void writeNamedValues(std::string& out, std::string_view name,
                      const std::vector<std::string>& values);
// A line that has no space in it is left out.
std::map<std::string, std::vector<std::string>, std::less<>> readNamedValues(std::string_view text);

}  // namespace epode
