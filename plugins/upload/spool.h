// A file without a name, for what can't go on its way before it is complete.
#pragma once

#include "net/fd.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace epode::upload {

// Gone with its process. Everything blocks and throws StorageFailure.
class Spool {
public:
    // In this folder, which is made if need be.
    explicit Spool(const std::string& folder);

    void write(std::string_view bytes);
    // From the beginning; fewer bytes at the end alone.
    std::string read(std::uint64_t first, std::size_t bytes) const;
    // The next write begins a new content.
    void empty();

    std::uint64_t bytes() const { return bytes_; }
    int file() const { return file_.get(); }
    // What others have written to it counts as well.
    void measure();

private:
    Fd file_;
    std::uint64_t bytes_ = 0;
};

}  // namespace epode::upload
