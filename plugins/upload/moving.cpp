#include "moving.h"

#include "net/fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace epode::upload {

namespace {

constexpr std::size_t pieceBytes = 256 * 1024;

[[noreturn]] void failed(const std::string& what, int error) {
    throw StorageFailure{StorageFailure::Kind::Other,
                         what + ": " + std::generic_category().message(error)};
}

}  // namespace

MovingStorage::MovingStorage(std::string folder, std::unique_ptr<FileStorage> old,
                             std::unique_ptr<FileStorage> target)
    : folder_{std::move(folder)}, old_{std::move(old)}, target_{std::move(target)} {}

void MovingStorage::remove(const std::string& place) {
    // First where it is moved from.
    old_->remove(place);
    target_->remove(place);
}

void MovingStorage::clean() {
    old_->clean();
    target_->clean();
}

void MovingStorage::serve(const HttpExchangePtr& exchange, const std::string& place, HttpFile file,
                          std::uint64_t bytes) {
    const bool isHere = ::access(pathInFolder(folder_, place).c_str(), F_OK) == 0;
    (isHere ? old_ : target_)->serve(exchange, place, std::move(file), bytes);
}

std::vector<std::string> MovingStorage::left() const {
    namespace fs = std::filesystem;
    std::vector<std::string> places;
    std::error_code problem;
    for (fs::directory_iterator parts{folder_ + "/files", problem};
         !problem && parts != fs::directory_iterator{}; parts.increment(problem)) {
        std::error_code none;
        for (fs::directory_iterator files{parts->path(), none};
             !none && files != fs::directory_iterator{}; files.increment(none))
            if (files->is_regular_file(none))
                places.push_back(parts->path().filename().string() +
                                 files->path().filename().string());
    }
    return places;
}

void MovingStorage::move(const std::string& place) {
    const std::string path = pathInFolder(folder_, place);
    const Fd file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
    if (!file && errno == ENOENT) return;
    struct stat facts{};
    if (!file || ::fstat(file.get(), &facts) != 0) failed(path + " can't be read", errno);
    const auto incoming = target_->create(place, std::uint64_t(facts.st_size));
    std::string piece(pieceBytes, '\0');
    for (auto left = std::uint64_t(facts.st_size); left > 0;) {
        const auto got = ::read(file.get(), piece.data(), piece.size());
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) failed(path + " can't be read", got < 0 ? errno : EIO);
        incoming->write(std::string_view{piece}.substr(0, std::size_t(got)));
        left -= std::uint64_t(got);
    }
    incoming->keep();
    if (::unlink(path.c_str()) == 0) return;
    if (errno != ENOENT) failed(path + " can't be removed", errno);
    // It was deleted while it was on its way.
    target_->remove(place);
}

}  // namespace epode::upload
