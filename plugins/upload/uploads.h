// What the hosts of a server share about uploads: the storage, its threads, and who is uploading.
#pragma once

#include "file_store.h"
#include "limits.h"
#include "moving.h"
#include "storage.h"

#include "core/worker_pool.h"

#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>

namespace epode {
class Server;
class Waker;
}  // namespace epode

namespace epode::upload {

// Thread-safe.
class Uploads {
public:
    explicit Uploads(Server& server);

    // The one of a server, while anybody uses it.
    static std::shared_ptr<Uploads> of(Server& server);

    FileStore& store() { return store_; }
    const std::shared_ptr<FileStorage>& storage() const { return storage_; }
    // When new files go to a bucket, others may still be in the folder; else nothing.
    std::shared_ptr<MovingStorage> moving() const {
        return std::dynamic_pointer_cast<MovingStorage>(storage_);
    }
    WorkerPool& workers();
    // For what is under way, and can't go to the storage yet.
    const std::string& folder() const { return folder_; }

    // One upload for each slot at a time; false when there is one.
    bool claim(const std::string& token);
    void release(const std::string& token);

    // Something is to be removed.
    void wake();
    void setWaker(std::weak_ptr<Waker> waker);

private:
    FileStore store_;
    WorkerPool& serversWorkers_;
    const unsigned threads_;
    const std::string folder_;
    std::mutex mutex_;
    std::unique_ptr<WorkerPool> workers_;
    std::shared_ptr<FileStorage> storage_;
    std::set<std::string, std::less<>> claimed_;
    std::weak_ptr<Waker> waker_;
};

}  // namespace epode::upload
