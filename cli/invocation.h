// A command line that was understood: the verb, its arguments and its options.
#pragma once

#include "cli/verb.h"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace epode::cli {

class Invocation {
public:
    // Throws a usage Failure that names the mistake and the nearest thing that exists.
    static Invocation parse(const Verb& verb, const std::vector<std::string>& words);

    const Verb& verb() const { return *verb_; }
    const std::vector<std::string>& arguments() const { return arguments_; }
    std::string argument(std::size_t index) const;  // empty when it was left out

    bool has(std::string_view option) const;
    std::string value(std::string_view option, std::string_view fallback = {}) const;
    std::vector<std::string> values(std::string_view option) const;
    // Throw a usage Failure when the value is no number in the range, or no time such as 30, 1.5s,
    // 2m.
    long number(std::string_view option, long fallback, long least, long most) const;
    std::optional<std::chrono::milliseconds> duration(std::string_view option) const;

private:
    const Verb* verb_ = nullptr;
    std::vector<std::string> arguments_;
    std::map<std::string, std::vector<std::string>, std::less<>> options_;
};

// The options every verb takes, and those of the verbs that talk to a server.
const std::vector<Option>& commonOptions();
const std::vector<Option>& connectionOptions();

// The verb that `words` begin with; the words of its name are removed. A usage Failure when there
// is none.
const Verb& findVerb(std::vector<std::string>& words);

// The candidate that differs from `word` by little; empty when none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace epode::cli
