// Lines from standard input as they come, without blocking the event loop.
#pragma once

#include <deque>
#include <optional>
#include <string>

namespace epode::cli {

class LineReader {
public:
    // Reads what is there; call it when the file is readable.
    void readSome();
    // The next whole line (the last one may lack its end).
    std::optional<std::string> next();
    // Nothing more will come, and all lines were taken.
    bool isOver() const { return hasEnded_ && lines_.empty(); }

private:
    std::string begun_;
    std::deque<std::string> lines_;
    bool hasEnded_ = false;
};

// All of standard input, or of a file. A usage Failure when it cannot be read.
std::string readWhole(const std::string& path);

}  // namespace epode::cli
