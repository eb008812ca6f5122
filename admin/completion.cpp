#include "admin/completion.h"

#include "admin/command_line.h"

#include <algorithm>

namespace epode::admin {

namespace {

const std::vector<Candidate> toolOptions{
    {"--socket", "The control socket"},       {"--json", "One JSON object instead of text"},
    {"--quiet", "Errors and first columns"},  {"--yes", "Does not ask before dangerous commands"},
    {"--timeout", "How long to wait"},        {"--help", "Help of the command"},
    {"--version", "The version of the tool"},
};

// Takes the tool's options and their values out; a value still being typed has no candidates.
bool takeToolWords(std::vector<std::string>& words) {
    std::vector<std::string> rest;
    for (std::size_t i = 0; i < words.size(); ++i) {
        const bool isLast = i + 1 == words.size();
        if (!isLast && (words[i] == "--socket" || words[i] == "--timeout")) {
            if (++i + 1 == words.size()) return false;
            continue;
        }
        const bool isOption =
            std::any_of(toolOptions.begin(), toolOptions.end(),
                        [&](const auto& option) { return option.word == words[i]; });
        if (isLast || !isOption) rest.push_back(words[i]);
    }
    words = std::move(rest);
    return true;
}

std::vector<Candidate> nextWords(const std::vector<CommandInfo>& commands,
                                 const std::vector<std::string>& before) {
    std::vector<Candidate> found;
    for (const auto& command : commandsBelow(commands, before)) {
        std::size_t begin = 0;
        for (std::size_t i = 0; i < before.size(); ++i) begin = command.name.find(' ', begin) + 1;
        const auto end = command.name.find(' ', begin);
        const auto word = command.name.substr(begin, end - begin);
        const bool isLast = end == std::string::npos;
        if (!found.empty() && found.back().word == word) {
            found.back().help = "…";  // several commands begin so
        } else {
            found.push_back({word, isLast ? command.summary : "…"});
        }
    }
    return found;
}

std::vector<Candidate> choicesOf(const Argument& argument) {
    std::vector<Candidate> found;
    for (const auto& choice : argument.choices) found.push_back({choice, argument.help});
    return found;
}

std::vector<Candidate> optionsOf(const CommandInfo& command,
                                 const std::vector<std::string>& before) {
    std::vector<Candidate> found;
    for (const auto& argument : command.arguments) {
        if (!argument.isOption()) continue;
        if (std::find(before.begin(), before.end(), "--" + argument.name) == before.end()) {
            found.push_back({"--" + argument.name, argument.help});
        }
        if (argument.kind == ArgumentKind::Secret) {
            found.push_back({"--" + argument.name + "-file", argument.help});
        }
    }
    found.insert(found.end(), toolOptions.begin(), toolOptions.end());
    return found;
}

// What the word after `place` other words may be.
std::vector<Candidate> wordsAt(const CommandInfo& command, std::size_t place) {
    for (const auto& argument : command.arguments) {
        if (argument.isOption()) continue;
        if (place == 0 || argument.repeats == Repeats::Yes) return choicesOf(argument);
        --place;
    }
    return {};
}

// The option that `word` is and that takes the next word as its value; null for any other.
const Argument* optionWithValue(const CommandInfo& command, const std::string& word) {
    for (const auto& argument : command.arguments) {
        if (!argument.isOption() || argument.kind == ArgumentKind::Flag) continue;
        const auto ending = argument.kind == ArgumentKind::Secret ? "-file" : "";
        if (word == "--" + argument.name + ending) return &argument;
    }
    return nullptr;
}

std::vector<Candidate> argumentsOf(const CommandInfo& command,
                                   const std::vector<std::string>& before, bool isOption) {
    std::size_t place = 0;
    for (std::size_t i = 0; i < before.size(); ++i) {
        if (const auto* option = optionWithValue(command, before[i])) {
            if (i + 1 == before.size()) return choicesOf(*option);
            ++i;
        } else if (!before[i].starts_with('-')) {
            ++place;
        }
    }
    return isOption ? optionsOf(command, before) : wordsAt(command, place);
}

constexpr const char* bashScript = R"(# bash completion for epodectl
_epodectl() {
    local words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    local line
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("${line%%$'\t'*}")
    done < <("${COMP_WORDS[0]}" __complete "${words[@]}" 2>/dev/null)
    if [ ${#COMPREPLY[@]} -eq 0 ]; then
        compopt -o default 2>/dev/null
    fi
}
complete -F _epodectl epodectl
)";

constexpr const char* zshScript = R"(#compdef epodectl
# zsh completion for epodectl
_epodectl() {
    local -a found
    local line
    while IFS= read -r line; do
        found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done < <("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
    if (( ${#found} )); then
        _describe epodectl found
    else
        _files
    fi
}
compdef _epodectl epodectl
)";

constexpr const char* fishScript = R"(# fish completion for epodectl
function __epodectl_complete
    set -l words (commandline -opc) (commandline -ct)
    $words[1] __complete $words[2..-1] 2>/dev/null
end
complete -c epodectl -a '(__epodectl_complete)'
)";

}  // namespace

std::vector<Candidate> candidates(const std::vector<CommandInfo>& commands,
                                  const std::vector<std::string>& typedWords) {
    auto words = typedWords;
    if (words.empty()) words.emplace_back();
    if (!takeToolWords(words)) return {};
    const auto typing = words.back();
    words.pop_back();

    std::vector<Candidate> all;
    const bool isOption = typing.starts_with('-');
    if (const auto* command = findCommand(commands, words)) {
        words.erase(words.begin(),
                    words.begin() + static_cast<std::ptrdiff_t>(wordCount(command->name)));
        if (command->name == "help")
            all = nextWords(commands, words);
        else
            all = argumentsOf(*command, words, isOption);
    } else {
        all = isOption ? toolOptions : nextWords(commands, words);
    }
    std::erase_if(all, [&](const auto& candidate) { return !candidate.word.starts_with(typing); });
    return all;
}

std::string completionScript(const std::string& shell) {
    if (shell == "bash") return bashScript;
    if (shell == "zsh") return zshScript;
    if (shell == "fish") return fishScript;
    return "";
}

}  // namespace epode::admin
