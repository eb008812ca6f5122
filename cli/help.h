// Help made from the declarations of the verbs: for the terminal, and the page docs/cli.md.
#pragma once

#include "cli/verb.h"

#include <string>

namespace epode::cli {

std::string overview();
std::string helpOf(const Verb& verb);
std::string referencePage();

}  // namespace epode::cli
