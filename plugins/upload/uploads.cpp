#include "uploads.h"

#include "s3_storage.h"

#include "core/data_folder.h"
#include "route/background.h"
#include "route/server.h"

#include <unistd.h>


namespace epode::upload {

namespace {

std::string folderOf(const Settings& settings) {
    const std::string& configured = settings.get(folderOption);
    return configured.empty() ? dataFolder(settings) + "/uploads" : configured;
}

// Two processes of one number don't start at the same moment.
std::string nameOf(const Server& server) {
    return std::to_string(::getpid()) + "-" +
           std::to_string(server.startedAt().time_since_epoch().count());
}

std::unique_ptr<FileStorage> makeStorage(Server& server, const std::string& folder,
                                         std::function<WorkerPool&()> workers) {
    auto place = readS3Place(*server.settings());
    if (!place) return makeFolderStorage(folder, nameOf(server), std::move(workers));
    place->folder = folder + "/incoming";
    auto bucket = makeS3Storage(std::move(*place), workers);
    return std::make_unique<MovingStorage>(
        folder, makeFolderStorage(folder, nameOf(server), std::move(workers)), std::move(bucket));
}

}  // namespace

std::shared_ptr<Uploads> Uploads::of(Server& server) {
    return server.parts().findOrMake<Uploads>({}, [&] { return std::make_shared<Uploads>(server); });
}

Uploads::Uploads(Server& server)
    : store_{server.database()},
      serversWorkers_{server.workers()},
      threads_{unsigned(server.settings()->get(threadsOption))},
      folder_{folderOf(*server.settings())},
      storage_{makeStorage(server, folder_, [this]() -> WorkerPool& { return workers(); })} {}

WorkerPool& Uploads::workers() {
    if (threads_ == 0) return serversWorkers_;
    const std::lock_guard lock{mutex_};
    if (!workers_) workers_ = std::make_unique<WorkerPool>(threads_);
    return *workers_;
}

bool Uploads::claim(const std::string& token) {
    const std::lock_guard lock{mutex_};
    return claimed_.insert(token).second;
}

void Uploads::release(const std::string& token) {
    const std::lock_guard lock{mutex_};
    claimed_.erase(token);
}

void Uploads::setWaker(std::weak_ptr<Waker> waker) {
    const std::lock_guard lock{mutex_};
    waker_ = std::move(waker);
}

void Uploads::wake() {
    std::shared_ptr<Waker> waker;
    {
        const std::lock_guard lock{mutex_};
        waker = waker_.lock();
    }
    if (waker) waker->wake();
}

}  // namespace epode::upload
