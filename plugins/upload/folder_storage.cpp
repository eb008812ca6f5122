#include "storage.h"

#include "core/digest.h"
#include "core/log.h"
#include "core/random.h"
#include "core/worker_pool.h"
#include "net/fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

namespace epode::upload {

namespace {

const Log uploadLog{"plugin.upload"};

constexpr mode_t fileMode = 0640;
constexpr mode_t folderMode = 0750;
// So much is handed to the disk at once, so that the sync at the end has little left to do.
constexpr std::uint64_t writeBackBytes = 8 * 1024 * 1024;

[[noreturn]] void failed(const std::string& what, int error) {
    const bool isFull = error == ENOSPC || error == EDQUOT || error == EFBIG;
    throw StorageFailure{isFull ? StorageFailure::Kind::Full : StorageFailure::Kind::Other,
                         what + ": " + std::generic_category().message(error)};
}

void sync(int file, const std::string& path) {
    if (::fsync(file) != 0) failed(path + " can't be synced", errno);
}

// So that a name in it is there after a power cut.
void syncFolder(const std::string& path) {
    const Fd folder{::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (!folder) failed(path + " can't be opened", errno);
    sync(folder.get(), path);
}

// Each new one is synced into the one above, up to the first that was there.
void makeFolder(const std::filesystem::path& path) {
    if (path.empty() || ::access(path.c_str(), F_OK) == 0) return;
    makeFolder(path.parent_path());
    if (::mkdir(path.c_str(), folderMode) != 0) {
        if (errno == EEXIST) return;  // somebody else was quicker
        failed(path.string() + " can't be made", errno);
    }
    syncFolder(path.has_parent_path() ? path.parent_path().string() : ".");
}

class IncomingInFolder final : public IncomingFile {
public:
    IncomingInFolder(std::string path, std::string folder, std::string target, std::uint64_t bytes)
        : path_{std::move(path)},
          folder_{std::move(folder)},
          target_{std::move(target)},
          file_{::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
                       fileMode)} {
        if (!file_) failed(path_ + " can't be made", errno);
        // Not all file systems can say beforehand whether there is room.
        if (::fallocate(file_.get(), 0, 0, off_t(bytes)) != 0 &&
            (errno == ENOSPC || errno == EDQUOT || errno == EFBIG)) {
            const int error = errno;
            drop();
            failed(path_ + " has no room", error);
        }
    }
    ~IncomingInFolder() override { drop(); }

    void write(std::string_view bytes) override {
        while (!bytes.empty()) {
            const auto taken = ::write(file_.get(), bytes.data(), bytes.size());
            if (taken < 0 && errno == EINTR) continue;
            if (taken < 0) failed(path_ + " can't be written", errno);
            bytes.remove_prefix(std::size_t(taken));
            written_ += std::uint64_t(taken);
        }
        if (written_ - handedOver_ < writeBackBytes) return;
        ::sync_file_range(file_.get(), off_t(handedOver_), off_t(written_ - handedOver_),
                          SYNC_FILE_RANGE_WRITE);
        handedOver_ = written_;
    }

    Kept keep() override {
        sync(file_.get(), path_);
        makeFolder(folder_);
        if (::rename(path_.c_str(), target_.c_str()) != 0)
            failed(path_ + " can't be renamed", errno);
        path_.clear();
        syncFolder(folder_);
        return {};
    }

private:
    void drop() {
        file_.reset();
        if (!path_.empty()) ::unlink(path_.c_str());
    }

    std::string path_;
    const std::string folder_;
    const std::string target_;
    Fd file_;
    std::uint64_t written_ = 0;
    std::uint64_t handedOver_ = 0;
};

class FolderStorage final : public FileStorage {
public:
    FolderStorage(std::string folder, std::string process, std::function<WorkerPool&()> readers)
        : folder_{std::move(folder)}, process_{std::move(process)}, readers_{std::move(readers)} {}

    std::string makePlace() override { return encodeHex(randomBytes(16)); }

    std::unique_ptr<IncomingFile> create(const std::string& place, std::uint64_t bytes) override {
        makeFolder(incoming());
        return std::make_unique<IncomingInFolder>(
            incoming() + "/" + process_ + "." + encodeHex(randomBytes(8)), folderOf(place),
            pathOf(place), bytes);
    }

    void remove(const std::string& place) override {
        const std::string path = pathOf(place);
        if (::unlink(path.c_str()) != 0 && errno != ENOENT)
            failed(path + " can't be removed", errno);
    }

    bool mayBeUnclean() override { return ::access(incoming().c_str(), F_OK) == 0; }

    void clean() override {
        std::error_code problem;
        std::filesystem::directory_iterator entries{incoming(), problem};
        std::int64_t removed = 0;
        for (; !problem && entries != std::filesystem::directory_iterator{};
             entries.increment(problem)) {
            const auto& path = entries->path();
            if (path.filename().string().starts_with(process_ + ".")) continue;
            removed += ::unlink(path.c_str()) == 0;
        }
        if (removed > 0)
            uploadLog.info("removed uploads that were interrupted by the server's end",
                           {{"files", removed}});
    }

    std::uint64_t freeBytes() override {
        struct statvfs facts{};
        std::string path = folder_;
        // Before the first file the disk is that of the folder above.
        while (::statvfs(path.c_str(), &facts) != 0) {
            const auto above = std::filesystem::path{path}.parent_path().string();
            if (above.empty() || above == path)
                return ::statvfs(".", &facts) == 0 ? std::uint64_t(facts.f_bavail) * facts.f_frsize
                                                   : UINT64_MAX;
            path = above;
        }
        return std::uint64_t(facts.f_bavail) * facts.f_frsize;
    }

    void serve(const HttpExchangePtr& exchange, const std::string& place, HttpFile file,
               std::uint64_t) override {
        file.path = pathOf(place);
        file.readers = &readers_();
        serveHttpFile(exchange, file);
    }

private:
    std::string incoming() const { return folder_ + "/incoming"; }
    std::string folderOf(const std::string& place) const {
        return folder_ + "/files/" + place.substr(0, 2);
    }
    std::string pathOf(const std::string& place) const { return pathInFolder(folder_, place); }

    const std::string folder_;
    const std::string process_;
    const std::function<WorkerPool&()> readers_;
};

}  // namespace

std::string pathInFolder(const std::string& folder, const std::string& place) {
    return folder + "/files/" + place.substr(0, 2) + "/" + place.substr(2);
}

std::unique_ptr<FileStorage> makeFolderStorage(std::string folder, std::string process,
                                               std::function<WorkerPool&()> readers) {
    return std::make_unique<FolderStorage>(std::move(folder), std::move(process),
                                           std::move(readers));
}

}  // namespace epode::upload
