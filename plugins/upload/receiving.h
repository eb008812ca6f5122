// The body of a PUT on its way to the storage.
#pragma once

#include "checksum.h"
#include "picture_work.h"
#include "storage.h"

#include "core/unique_function.h"
#include "core/worker_pool.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace epode::upload {

// What came of it.
struct Received {
    enum class Outcome : std::uint8_t { Kept, Full, Failed, ClientGone };
    Outcome outcome = Outcome::Failed;
    std::string checksum{};
    std::string problem{};  // for the log
    Kept kept{};
};

// Takes the body in blocks: while a worker writes one, the next is filled, and when that is full as
// well, the client waits. So an upload costs two blocks of memory, however large the file and
// however slow the disk.
//
// The exchange keeps it until it is done, and the workers know nothing of either: a connection that
// ends while the disk is busy ends on its own thread.
class Receiving : public std::enable_shared_from_this<Receiving> {
public:
    // Called once, on the exchange's executor, unless the server ends first.
    using Done = UniqueFunction<void(Received)>;

    static constexpr std::size_t blockBytes = 256 * 1024;

    Receiving(HttpExchangePtr exchange, std::shared_ptr<FileStorage> storage, WorkerPool& workers,
              std::string place, std::uint64_t bytes, PictureWish wish, Done done);

    // Once.
    void start();

private:
    // What a worker has in hand, or nobody.
    struct Part {
        std::shared_ptr<FileStorage> storage;
        std::string place;
        std::uint64_t bytes = 0;
        PictureWish wish{};
        std::unique_ptr<IncomingFile> file{};
        Checksum checksum{};
        std::string block{};
        std::optional<Received> failure{};
        bool isKept = false;
        Kept kept{};
    };

    void taken(std::string_view piece);
    void ended();
    void goOn();
    void offload(void (*work)(Part&));
    void finish(Received received);

    HttpExchangePtr exchange_;
    WorkerPool& workers_;
    Done done_;
    std::shared_ptr<Part> part_;  // also held by the worker
    std::string waiting_;
    bool isBusy_ = false;
    bool isPaused_ = false;
    bool isTaking_ = false;
    bool hasEnded_ = false;
};

}  // namespace epode::upload
