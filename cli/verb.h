// What a verb of the command line declares about itself. Parsing, help and the reference page are
// made from it, so that nothing is said twice.
#pragma once

#include "cli/failure.h"

#include <string_view>
#include <vector>

namespace epode::cli {

class Invocation;

struct Argument {
    enum class Count { One, Optional, Any };
    std::string_view name;  // "PEER"
    std::string_view help;
    Count count = Count::One;
};

struct Option {
    std::string_view name;        // without dashes
    std::string_view value = {};  // "SECONDS"; empty for a flag
    std::string_view help;
    char letter = 0;
    enum class Times { Once, Repeated } times = Times::Once;
};

struct Example {
    std::string_view line;
    std::string_view says;
};

struct Verb {
    std::string_view name;  // one word, or noun and verb: "roster add"
    std::string_view summary;
    std::string_view description = {};
    std::vector<Argument> arguments = {};
    std::vector<Option> options = {};
    std::vector<Example> examples = {};
    enum class Reach { Local, Server } reach = Reach::Server;  // Server: takes connection options
    ExitCode (*run)(const Invocation&);
};

// All verbs, in the order of the help (main.cpp).
const std::vector<const Verb*>& verbs();

}  // namespace epode::cli
