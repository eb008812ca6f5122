// epode help: made from what the verbs declare.
#include "cli/help.h"

#include "cli/invocation.h"
#include "cli/verbs/verbs.h"

#include <iostream>

namespace epode::cli {

namespace {

ExitCode run(const Invocation& invocation) {
    if (invocation.has("markdown")) {
        std::cout << referencePage();
        return ExitCode::Done;
    }
    if (invocation.has("man")) {
        std::cout << manualPage();
        return ExitCode::Done;
    }
    std::vector<std::string> words = invocation.arguments();
    if (words.empty()) {
        std::cout << overview();
        return ExitCode::Done;
    }
    bool isNoun = false;
    for (const Verb* verb : verbs()) {
        const bool isOfNoun = words.size() == 1 && verb->name.starts_with(words[0] + " ");
        if (!isOfNoun) continue;
        std::cout << (isNoun ? "\n" : "") << helpOf(*verb);
        isNoun = true;
    }
    if (!isNoun) std::cout << helpOf(findVerb(words));
    return ExitCode::Done;
}

}  // namespace

const Verb help{
    .name = "help",
    .summary = "Explain a command",
    .arguments = {{"COMMAND", "Which one; all in short when there is none", Argument::Count::Any}},
    .options = {{.name = "markdown", .help = "The whole reference as a page"},
                {.name = "man", .help = "The manual page"}},
    .examples = {{"epode help send", "One command"}},
    .reach = Verb::Reach::Local,
    .run = run,
};

}  // namespace epode::cli
