#include "cli/input.h"

#include "cli/failure.h"

#include <unistd.h>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>

namespace epode::cli {

void LineReader::readSome() {
    char part[4096];
    const ssize_t bytes = read(STDIN_FILENO, part, sizeof part);
    if (bytes < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (bytes <= 0) {
        hasEnded_ = true;
        if (!begun_.empty()) lines_.push_back(std::move(begun_));
        begun_.clear();
        return;
    }
    begun_.append(part, static_cast<std::size_t>(bytes));
    for (std::size_t end; (end = begun_.find('\n')) != std::string::npos;) {
        lines_.push_back(begun_.substr(0, end));
        begun_.erase(0, end + 1);
    }
}

std::optional<std::string> LineReader::next() {
    if (lines_.empty()) return std::nullopt;
    std::string line = std::move(lines_.front());
    lines_.pop_front();
    if (line.ends_with('\r')) line.pop_back();
    return line;
}

std::string readWhole(const std::string& path) {
    if (path == "-") return {std::istreambuf_iterator<char>{std::cin}, {}};
    std::ifstream file{path, std::ios::binary};
    std::string text{std::istreambuf_iterator<char>{file}, {}};
    if (!file.is_open() || file.bad()) {
        throw usage("The file " + path + " cannot be read: " + std::strerror(errno) + ".");
    }
    return text;
}

}  // namespace epode::cli
