#include "receiving.h"

#include <exception>
#include <utility>

namespace epode::upload {

Receiving::Receiving(HttpExchangePtr exchange, std::shared_ptr<FileStorage> storage,
                     WorkerPool& workers, std::string place, std::uint64_t bytes, PictureWish wish,
                     Done done)
    : exchange_{std::move(exchange)},
      workers_{workers},
      done_{std::move(done)},
      part_{std::make_shared<Part>()} {
    part_->storage = std::move(storage);
    part_->place = std::move(place);
    part_->bytes = bytes;
    part_->wish = std::move(wish);
}

void Receiving::start() {
    exchange_->whenGone([self = shared_from_this()] {
        if (self->done_) self->finish({.outcome = Received::Outcome::ClientGone});
    });
    offload([](Part& part) {
        part.file = createWithPictures(*part.storage, part.place, part.bytes, part.wish);
    });
}

void Receiving::taken(std::string_view piece) {
    if (!done_) return;
    waiting_.append(piece);
    if (waiting_.size() < blockBytes) return;
    if (isBusy_ && !isPaused_) {
        isPaused_ = true;
        exchange_->pauseBody();
    }
    goOn();
}

void Receiving::ended() {
    hasEnded_ = true;
    goOn();
}

void Receiving::goOn() {
    if (isBusy_ || !done_) return;
    if (part_->isKept) {
        std::string checksum = part_->checksum.finish();
        if (!part_->kept.checksum.empty()) checksum = part_->kept.checksum;
        return finish({.outcome = Received::Outcome::Kept,
                       .checksum = std::move(checksum),
                       .kept = std::move(part_->kept)});
    }
    if (part_->failure) return finish(std::move(*part_->failure));
    if (!isTaking_) {
        isTaking_ = true;
        exchange_->takeBody(
            [self = shared_from_this()](std::string_view piece) { self->taken(piece); },
            [self = shared_from_this()] { self->ended(); });
        return;
    }
    if (waiting_.size() >= blockBytes || (hasEnded_ && !waiting_.empty())) {
        part_->block.swap(waiting_);
        waiting_.clear();
        offload([](Part& part) {
            part.checksum.add(part.block);
            part.file->write(part.block);
        });
        if (std::exchange(isPaused_, false)) exchange_->resumeBody();
        return;
    }
    if (hasEnded_)
        offload([](Part& part) {
            part.kept = part.file->keep();
            part.isKept = true;
        });
}

void Receiving::offload(void (*work)(Part&)) {
    isBusy_ = true;
    Executor* const executor = &exchange_->executor();
    workers_.run([weak = weak_from_this(), part = part_, executor, work]() mutable {
        using Outcome = Received::Outcome;
        try {
            work(*part);
        } catch (const StorageFailure& failure) {
            const bool isFull = failure.kind() == StorageFailure::Kind::Full;
            part->failure = {isFull ? Outcome::Full : Outcome::Failed, {}, failure.what(), {}};
        } catch (const std::exception& failure) {
            part->failure = {Outcome::Failed, {}, failure.what(), {}};
        }
        executor->post([weak = std::move(weak), part = std::move(part)] {
            const auto self = weak.lock();
            if (!self) return;
            self->isBusy_ = false;
            self->goOn();
        });
    });
}

void Receiving::finish(Received received) {
    const auto self = shared_from_this();
    auto done = std::exchange(done_, {});
    // Removing what is not kept is work for the disk, too.
    workers_.run([part = std::move(part_)]() mutable { part.reset(); });
    std::string{}.swap(waiting_);
    done(std::move(received));
    exchange_->whenGone({});
}

}  // namespace epode::upload
