#include "spool.h"

#include "storage.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace epode::upload {

namespace {

[[noreturn]] void failed(const std::string& what) {
    const int error = errno;
    const bool isFull = error == ENOSPC || error == EDQUOT || error == EFBIG;
    throw StorageFailure{isFull ? StorageFailure::Kind::Full : StorageFailure::Kind::Other,
                         what + ": " + std::generic_category().message(error)};
}

}  // namespace

Spool::Spool(const std::string& folder) {
    std::error_code ignored;
    std::filesystem::create_directories(folder, ignored);
    file_ = Fd{::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
    if (file_) return;
    // Not every file system has such files.
    std::string name = folder + "/spool-XXXXXX";
    file_ = Fd{::mkostemp(name.data(), O_CLOEXEC)};
    if (!file_) failed("a file in " + folder + " can't be made");
    ::unlink(name.c_str());
}

void Spool::write(std::string_view bytes) {
    while (!bytes.empty()) {
        const auto done = ::pwrite(file_.get(), bytes.data(), bytes.size(), off_t(bytes_));
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) failed("an upload can't be written");
        bytes.remove_prefix(std::size_t(done));
        bytes_ += std::uint64_t(done);
    }
}

std::string Spool::read(std::uint64_t first, std::size_t bytes) const {
    std::string piece(bytes, '\0');
    std::size_t got = 0;
    while (got < bytes) {
        const auto done = ::pread(file_.get(), piece.data() + got, bytes - got, off_t(first + got));
        if (done < 0 && errno == EINTR) continue;
        if (done < 0) failed("an upload can't be read");
        if (done == 0) break;
        got += std::size_t(done);
    }
    piece.resize(got);
    return piece;
}

void Spool::empty() {
    if (::ftruncate(file_.get(), 0) != 0) failed("an upload can't be written");
    bytes_ = 0;
}

void Spool::measure() {
    struct stat facts{};
    if (::fstat(file_.get(), &facts) != 0) failed("an upload can't be read");
    bytes_ = std::uint64_t(facts.st_size);
}

}  // namespace epode::upload
