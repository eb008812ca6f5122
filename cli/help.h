// Help made from the declarations of the verbs: for the terminal, the page docs/cli.md, and
// epode(1).
#pragma once

#include "cli/verb.h"

#include <string>

namespace epode::cli {

std::string overview();
std::string helpOf(const Verb& verb);
std::string referencePage();
std::string manualPage();

}  // namespace epode::cli
