// Files that lie in a folder while new ones go elsewhere: they are served from where they are, and
// may be moved one by one. They have the same names in both places.
#pragma once

#include "storage.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

namespace epode::upload {

class MovingStorage final : public FileStorage {
public:
    MovingStorage(std::string folder, std::unique_ptr<FileStorage> old,
                  std::unique_ptr<FileStorage> target);

    std::string makePlace() override { return target_->makePlace(); }
    std::unique_ptr<IncomingFile> create(const std::string& place, std::uint64_t bytes) override {
        return target_->create(place, bytes);
    }
    void remove(const std::string& place) override;
    bool mayBeUnclean() override { return old_->mayBeUnclean() || target_->mayBeUnclean(); }
    void clean() override;
    std::uint64_t freeBytes() override { return target_->freeBytes(); }
    void serve(const HttpExchangePtr& exchange, const std::string& place, HttpFile file,
               std::uint64_t bytes) override;

    // One mover at a time; false when there is one.
    bool claim() { return !isMoving_.exchange(true); }
    void release() { isMoving_ = false; }
    // What is still in the folder. Blocks.
    std::vector<std::string> left() const;
    // It is in the folder until it is durable elsewhere; where that fails, it stays. Also when it
    // was removed meanwhile. Blocks, and throws StorageFailure.
    void move(const std::string& place);

private:
    const std::string folder_;
    const std::unique_ptr<FileStorage> old_;
    const std::unique_ptr<FileStorage> target_;
    std::atomic<bool> isMoving_{false};
};

}  // namespace epode::upload
