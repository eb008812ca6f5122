// Parses TOML past its syntax errors, so that one run tells all of them. (The parser itself stops
// at the first.) Only for the control floor.
#pragma once

#include <toml++/toml.h>

#include <string>
#include <string_view>
#include <vector>

namespace epode {

struct SyntaxMistake {
    int line;
    int column;
    std::string message;
};

// What could be understood. Statements with errors are left out, and with a broken section header
// its whole section, whose keys would land elsewhere. Places of nodes are those of `text`.
toml::table parseWithRecovery(std::string_view text, std::vector<SyntaxMistake>& mistakes);

}  // namespace epode
