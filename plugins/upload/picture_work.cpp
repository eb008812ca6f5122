#include "picture_work.h"

#include "checksum.h"
#include "spool.h"

#include "core/log.h"
#include "core/metric.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <optional>
#include <vector>

#ifndef EPODE_IMAGE_PROGRAM
#define EPODE_IMAGE_PROGRAM ""
#endif

namespace epode::upload {

namespace {

const Log uploadLog{"plugin.upload"};
Counter picturesStripped{"epode_upload_pictures_stripped_total",
                         "Pictures that were kept without their metadata"};
Counter thumbnailsMade{"epode_upload_thumbnails_total", "Small pictures that were made"};
Counter picturesFailed{"epode_upload_pictures_failed_total",
                       "Pictures that were kept as they are, for nothing could be made of them"};

constexpr std::size_t copyBytes = 256 * 1024;
constexpr std::uint64_t thumbnailBytesMax = 4 * 1024 * 1024;
constexpr std::size_t headBytes = 12;  // that tell what it is

bool beginsAsPicture(std::string_view head) {
    return head.starts_with("\xFF\xD8\xFF") || head.starts_with("\x89PNG\r\n\x1a\n") ||
           head.starts_with("GIF87a") || head.starts_with("GIF89a") ||
           (head.size() >= headBytes && head.starts_with("RIFF") && head.substr(8, 4) == "WEBP");
}

// Its process may take no longer than that.
bool endsWell(pid_t process, Duration time) {
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(time).count();
    const Fd watched{int(::syscall(SYS_pidfd_open, process, 0))};
    pollfd end{watched.get(), POLLIN, 0};
    int ready = 0;
    do {
        ready = watched ? ::poll(&end, 1, int(ms)) : 0;
    } while (ready < 0 && errno == EINTR);
    if (ready != 1) ::kill(process, SIGKILL);
    int status = 0;
    while (::waitpid(process, &status, 0) < 0 && errno == EINTR) {
    }
    return ready == 1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool run(const PictureWish& wish, bool strips, unsigned side, const Spool& picture,
         const Spool& stripped, const Spool& small) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(wish.time).count();
    std::vector<std::string> words{wish.program,
                                   std::to_string(wish.memoryBytes),
                                   std::to_string(seconds),
                                   strips ? "1" : "0",
                                   std::to_string(side),
                                   std::to_string(wish.pixelsMax)};
    std::vector<char*> arguments;
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    std::array<char*, 1> environment{nullptr};
    ::lseek(picture.file(), 0, SEEK_SET);
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    // Each is one of its first four, and it has no other. (The numbers of ours are higher.)
    ::posix_spawn_file_actions_adddup2(&files, picture.file(), 0);
    ::posix_spawn_file_actions_adddup2(&files, stripped.file(), 1);
    ::posix_spawn_file_actions_addopen(&files, 2, "/dev/null", O_WRONLY, 0);
    ::posix_spawn_file_actions_adddup2(&files, small.file(), 3);
    ::posix_spawn_file_actions_addclosefrom_np(&files, 4);
    pid_t process = 0;
    const int failed = ::posix_spawn(&process, wish.program.c_str(), &files, nullptr,
                                     arguments.data(), environment.data());
    ::posix_spawn_file_actions_destroy(&files);
    if (failed != 0) {
        uploadLog.error("the program for pictures can't be started", {{"program", wish.program}});
        return false;
    }
    return endsWell(process, wish.time);
}

// "image/jpeg 320 240\n", then the picture.
std::optional<SmallPicture> smallPictureIn(Spool& small) {
    small.measure();
    if (small.bytes() == 0 || small.bytes() > thumbnailBytesMax) return std::nullopt;
    std::string text = small.read(0, std::size_t(small.bytes()));
    const auto end = text.find('\n');
    if (end == std::string::npos || end > 100) return std::nullopt;
    SmallPicture picture;
    const std::string_view line{text.data(), end};
    const auto first = line.find(' ');
    const auto second = line.find(' ', first + 1);
    if (second == std::string_view::npos) return std::nullopt;
    picture.type = line.substr(0, first);
    if (picture.type != "image/jpeg" && picture.type != "image/png") return std::nullopt;
    std::from_chars(line.data() + first + 1, line.data() + second, picture.width);
    std::from_chars(line.data() + second + 1, line.data() + end, picture.height);
    picture.content = text.substr(end + 1);
    return picture;
}

class IncomingPicture final : public IncomingFile {
public:
    IncomingPicture(FileStorage& storage, std::string place, std::uint64_t bytes,
                    const PictureWish& wish)
        : storage_{storage}, place_{std::move(place)}, bytes_{bytes}, wish_{wish} {}

    void write(std::string_view bytes) override {
        if (straight_) {
            straight_->write(bytes);
            return;
        }
        if (spool_) {
            spool_->write(bytes);
            return;
        }
        head_.append(bytes);
        if (head_.size() >= headBytes) decide();
    }

    Kept keep() override {
        if (!straight_ && !spool_) decide();
        if (straight_) return straight_->keep();
        Spool stripped{wish_.folder};
        Spool small{wish_.folder};
        const bool isDone =
            run(wish_, wish_.removesMetadata, wish_.thumbnailSide, *spool_, stripped, small);
        // A picture that can't be shown may still have something to remove.
        if (!isDone && wish_.removesMetadata && wish_.thumbnailSide > 0) {
            stripped.empty();
            ::lseek(stripped.file(), 0, SEEK_SET);
            if (!run(wish_, true, 0, *spool_, stripped, small)) stripped.empty();
            small.empty();
        } else if (!isDone) {
            stripped.empty();
            small.empty();
        }
        stripped.measure();
        Kept kept;
        kept.thumbnail = smallPictureIn(small);
        if (stripped.bytes() == 0 && !kept.thumbnail) picturesFailed.add();
        if (kept.thumbnail) {
            thumbnailsMade.add();
            const std::string_view content = kept.thumbnail->content;
            const auto twin =
                storage_.create(place_ + std::string{thumbnailEnding}, content.size());
            twin->write(content);
            twin->keep();
        }
        const Spool& chosen = stripped.bytes() > 0 ? stripped : *spool_;
        const auto file = storage_.create(place_, chosen.bytes());
        Checksum checksum;
        for (std::uint64_t at = 0; at < chosen.bytes();) {
            const std::string piece = chosen.read(at, copyBytes);
            if (piece.empty()) throw StorageFailure{StorageFailure::Kind::Other, "a file is cut"};
            checksum.add(piece);
            file->write(piece);
            at += piece.size();
        }
        file->keep();
        if (stripped.bytes() > 0) {
            picturesStripped.add();
            kept.bytes = stripped.bytes();
            kept.checksum = checksum.finish();
        }
        return kept;
    }

private:
    void decide() {
        if (beginsAsPicture(head_)) {
            spool_.emplace(wish_.folder);
            spool_->write(head_);
        } else {
            straight_ = storage_.create(place_, bytes_);
            straight_->write(head_);
        }
        std::string{}.swap(head_);
    }

    FileStorage& storage_;
    const std::string place_;
    const std::uint64_t bytes_;
    const PictureWish wish_;
    std::string head_;
    std::unique_ptr<IncomingFile> straight_;
    std::optional<Spool> spool_;
};

}  // namespace

bool canMakeThumbnails() {
#ifdef EPODE_THUMBNAILS
    return true;
#else
    return false;
#endif
}

std::string findPictureProgram() {
    std::error_code problem;
    const auto own = std::filesystem::read_symlink("/proc/self/exe", problem).parent_path();
    for (const std::string& path :
         {(own / "epode-image").string(), std::string{EPODE_IMAGE_PROGRAM}})
        if (!path.empty() && ::access(path.c_str(), X_OK) == 0) return path;
    return {};
}

std::unique_ptr<IncomingFile> createWithPictures(FileStorage& storage, const std::string& place,
                                                 std::uint64_t bytes, const PictureWish& wish) {
    if (!wish.isAny() || bytes > wish.bytesMax || bytes < headBytes)
        return storage.create(place, bytes);
    return std::make_unique<IncomingPicture>(storage, place, bytes, wish);
}

}  // namespace epode::upload
