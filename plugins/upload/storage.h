// Where the bytes of uploaded files are: a folder of this machine, or what others make of it.
#pragma once

#include "net/http_exchange.h"
#include "net/http_files.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace epode {
class WorkerPool;
}

namespace epode::upload {

// What can't be written or removed. The text is for the log.
class StorageFailure : public std::runtime_error {
public:
    enum class Kind : std::uint8_t { Full, Other };
    StorageFailure(Kind kind, const std::string& text) : std::runtime_error{text}, kind_{kind} {}
    Kind kind() const { return kind_; }

private:
    Kind kind_;
};

// The picture of a picture, as its file says; with its bytes while it is under way.
struct SmallPicture {
    std::string type{};
    unsigned width = 0;
    unsigned height = 0;
    std::string content{};
};
// It lies beside its picture, at a place that ends with this.
inline constexpr std::string_view thumbnailEnding = ".small";

// What a file has become on its way, where that isn't what has come.
struct Kept {
    std::optional<std::uint64_t> bytes{};
    std::string checksum{};
    std::optional<SmallPicture> thumbnail{};
};

// A file on its way in, which nobody finds before it is kept. Dropped without that, nothing of it
// stays; nor does it when the process is killed, for `FileStorage::clean` finds it. Used by one
// thread at a time; everything blocks and throws StorageFailure.
class IncomingFile {
public:
    virtual ~IncomingFile() = default;
    virtual void write(std::string_view bytes) = 0;
    // Whole and durable from now on.
    virtual Kept keep() = 0;
};

// Thread-safe. Everything but `serve` and `mayBeUnclean` blocks, and throws StorageFailure.
class FileStorage {
public:
    virtual ~FileStorage() = default;

    // A new name for a file.
    virtual std::string makePlace() = 0;
    // `bytes` as many as will come: what has no room for them is refused now.
    virtual std::unique_ptr<IncomingFile> create(const std::string& place, std::uint64_t bytes) = 0;
    // Also when there is none.
    virtual void remove(const std::string& place) = 0;
    // Whether there may be something to clean; at once.
    virtual bool mayBeUnclean() = 0;
    // Removes what processes before this one have begun and not kept.
    virtual void clean() = 0;
    // UINT64_MAX when nobody knows.
    virtual std::uint64_t freeBytes() = 0;

    // Answers GET and HEAD; `file` without its path, which has so many bytes.
    virtual void serve(const HttpExchangePtr& exchange, const std::string& place, HttpFile file,
                       std::uint64_t bytes) = 0;
};

// A folder: `incoming` below it for what comes, `files/xx` for what is kept. `process` is a name of
// this process that no other has had. The folder is made with the first file. `readers` reads what
// isn't in memory.
std::unique_ptr<FileStorage> makeFolderStorage(std::string folder, std::string process,
                                               std::function<WorkerPool&()> readers);

// Where a file lies below such a folder.
std::string pathInFolder(const std::string& folder, const std::string& place);

}  // namespace epode::upload
