#include "tests/dialogues/dialogue.h"

namespace epode::dialogue {

namespace {

std::string_view trimmed(std::string_view text) {
    const auto first = text.find_first_not_of(" \t\r");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t\r") - first + 1);
}

}  // namespace

Dialogue parse(std::string_view text) {
    Dialogue dialogue;
    bool continuesConfig = false, canContinue = false;
    for (int number = 1; !text.empty(); ++number) {
        const auto end = text.find('\n');
        const auto whole = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        const auto line = trimmed(whole);
        const bool isIndented = whole.starts_with(' ') || whole.starts_with('\t');
        if (isIndented && continuesConfig) {
            dialogue.config += std::string{line} + "\n";
        } else if (line.empty()) {
            canContinue = false;
        } else if (isIndented) {
            if (!canContinue) throw Mistake{number, "this continues no line"};
            dialogue.steps.back().text += "\n" + std::string{line};
        } else if (line.starts_with('#')) {
            if (dialogue.title.empty()) dialogue.title = trimmed(line.substr(1));
            canContinue = false;
        } else if (line == "config") {
            if (!dialogue.steps.empty())
                throw Mistake{number, "config comes before everything else"};
            continuesConfig = true;
            continue;
        } else if (line.starts_with("shards ")) {
            if (!dialogue.steps.empty())
                throw Mistake{number, "shards come before everything else"};
            dialogue.shards = static_cast<unsigned>(std::stoul(std::string{line.substr(7)}));
        } else {
            dialogue.steps.push_back({number, std::string{line}});
            canContinue = true;
        }
        continuesConfig = continuesConfig && (isIndented || line.empty());
    }
    if (dialogue.title.empty())
        throw Mistake{1, "a dialogue begins with a comment that says what it shows"};
    if (dialogue.steps.empty()) throw Mistake{1, "nothing happens here"};
    return dialogue;
}

}  // namespace epode::dialogue
