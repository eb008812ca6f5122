// How a command ends, and what it says when it cannot do what was asked.
#pragma once

#include <stdexcept>
#include <string>

namespace epode::cli {

// Scripts rely on these numbers: they never change.
enum class ExitCode {
    Done = 0,
    Refused = 1,       // the server, or the other side, said no
    Usage = 2,         // the command line or the configuration is wrong
    NoConnection = 3,  // no server, no TLS, or the stream broke
    TimedOut = 4,      // what was waited for did not come
    PartlyDone = 5,    // some of it was done
};

// Ends the command. what() says what happened and why; `advice` what to do about it, if we know.
// `condition` is the element name of RFC 6120 (or a word of ours) that programs look at.
class Failure : public std::runtime_error {
public:
    Failure(ExitCode code, std::string condition, const std::string& what, std::string advice = {})
        : std::runtime_error{what},
          code{code},
          condition{std::move(condition)},
          advice{std::move(advice)} {}

    ExitCode code;
    std::string condition;
    std::string advice;
};

inline Failure usage(const std::string& what, std::string advice = {}) {
    return {ExitCode::Usage, "usage", what, std::move(advice)};
}

}  // namespace epode::cli
