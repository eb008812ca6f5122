// Dialogues: conversations with a server as text, a line for each thing that happens. README.md
// tells the format.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace epode::dialogue {

// A line, with the indented lines that continue it.
struct Step {
    int line;  // of the file, from 1
    std::string text;
};

struct Dialogue {
    std::string title;   // the first comment
    std::string config;  // TOML
    unsigned shards = 1;
    std::vector<Step> steps;
};

// What went otherwise than written, or is written wrongly; the text begins with "line: ".
class Mistake : public std::runtime_error {
public:
    Mistake(int line, const std::string& text)
        : std::runtime_error{std::to_string(line) + ": " + text} {}
};

Dialogue parse(std::string_view text);

// Plays it on a server of its own. Throws Mistake at the first line that doesn't hold.
void play(const Dialogue& dialogue);

}  // namespace epode::dialogue
