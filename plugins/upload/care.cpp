// Removing what has expired, was deleted, or belongs to nobody any more.
#include "service.h"

#include "core/log.h"
#include "core/metric.h"
#include "route/server.h"

#include <utility>
#include <vector>

namespace epode::upload {

namespace {

const Log uploadLog{"plugin.upload"};
Counter filesRemoved{"epode_upload_removed_total",
                     "Uploaded files that were removed, most of them because they had expired"};

constexpr Duration soon = std::chrono::seconds{1};
constexpr Duration every = std::chrono::minutes{5};
constexpr Duration orphansEvery = std::chrono::hours{24};
constexpr auto retryAfter = std::chrono::hours{1};
constexpr std::int64_t stepFiles = 100;

}  // namespace

// While a file isn't complete nobody knows whether there is a small picture already.
void removeFile(FileStorage& storage, const StoredFile& file) {
    if (file.thumbnailBytes > 0 || file.checksum.empty())
        storage.remove(file.place + std::string{thumbnailEnding});
    storage.remove(file.place);
}

void Service::takeCare(PluginContext& context) {
    if (context.isFirstHost()) uploads_->setWaker(context.inBackground(soon, this, &Service::care));
    context.on(&Services::accountRemoved, Phase::Act, this, &Service::accountRemoved);
}

Task<Duration> Service::care() {
    Executor& executor = *Executor::current();
    const auto storage = uploads_->storage();
    FileStore& store = uploads_->store();
    if (!std::exchange(isCleaned_, true) && storage->mayBeUnclean()) {
        auto clean = [&storage] {
            storage->clean();
            return true;
        };
        co_await offload(uploads_->workers(), clean);
    }
    if (executor.now() >= lookAgain_) {
        lookedAt_ = co_await store.doomOrphans(lookedAt_, stepFiles);
        if (lookedAt_ == 0) lookAgain_ = executor.now() + orphansEvery;
    }
    const WallTime now = executor.wallNow();
    const auto doomed = co_await store.takeDoomed(now, stepFiles);
    if (doomed.empty()) co_return lookedAt_ == 0 ? every : soon;

    std::vector<std::int64_t> gone;
    std::vector<std::int64_t> left;
    auto remove = [&] {
        for (const StoredFile& file : doomed) {
            try {
                removeFile(*storage, file);
                gone.push_back(file.id);
            } catch (const std::exception& failure) {
                uploadLog.error("an uploaded file could not be removed",
                                {{"problem", failure.what()}});
                left.push_back(file.id);
            }
        }
        return true;
    };
    co_await offload(uploads_->workers(), remove);
    filesRemoved.add(std::int64_t(gone.size()));
    if (!gone.empty()) {
        auto forgetting = store.forget(std::move(gone));
        co_await forgetting;
    }
    if (!left.empty()) {
        auto postponing = store.postpone(std::move(left), now + retryAfter);
        co_await postponing;
    }
    co_return std::int64_t(doomed.size()) == stepFiles || lookedAt_ != 0 ? soon : every;
}

Verdict Service::accountRemoved(AccountEvent& event) {
    if (event.account.domain() != host_) return Verdict::Pass;
    start(uploads_->store().doomOrphans(event.account.text()),
          [uploads = uploads_](std::optional<std::int64_t> doomed, std::exception_ptr) {
              // Where that has failed, the daily look finds them.
              if (doomed.value_or(0) > 0) uploads->wake();
          });
    return Verdict::Pass;
}

}  // namespace epode::upload
