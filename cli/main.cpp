// epode: chat from the command line. This file is the table of contents: the verbs are in verbs/,
// what they share is beside this file.
#include "cli/help.h"
#include "cli/invocation.h"
#include "cli/output.h"
#include "cli/verbs/verbs.h"

#include <algorithm>
#include <clocale>
#include <csignal>
#include <exception>
#include <iostream>
#include <string>
#include <vector>

namespace epode::cli {

const std::vector<const Verb*>& verbs() {
    static const std::vector<const Verb*> all{
        &send,       &listen,       &chat,           &history,       &rosterList,
        &rosterAdd,  &rosterRemove, &ping,           &version,       &registerAccount,
        &accountAdd, &accountList,  &accountDefault, &accountRemove, &help,
    };
    return all;
}

namespace {

ExitCode run(std::vector<std::string> words) {
    if (words.empty() || words[0] == "--help" || words[0] == "-h") {
        std::cout << overview();
        return words.empty() ? ExitCode::Usage : ExitCode::Done;
    }
    if (words[0] == "--version") words[0] = "version";
    const Verb& verb = findVerb(words);
    const auto invocation = Invocation::parse(verb, words);
    if (invocation.has("help")) {
        std::cout << helpOf(verb);
        return ExitCode::Done;
    }
    return verb.run(invocation);
}

}  // namespace

}  // namespace epode::cli

int main(int argc, char** argv) {
    using namespace epode::cli;
    std::setlocale(LC_ALL, "");
    // A peer or a reader that goes away is an error to report, not a reason to die silently.
    std::signal(SIGPIPE, SIG_IGN);
    const std::vector<std::string> words{argv + 1, argv + argc};
    const bool asJson = std::find(words.begin(), words.end(), "--json") != words.end();
    try {
        return static_cast<int>(run(words));
    } catch (const Failure& failure) {
        printError(failure, asJson);
        return static_cast<int>(failure.code);
    } catch (const std::exception& error) {
        printError({ExitCode::NoConnection, "internal",
                    std::string{"An unexpected failure: "} + error.what()},
                   asJson);
        return static_cast<int>(ExitCode::NoConnection);
    }
}
