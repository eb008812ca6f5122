// Files over HTTP: put once, fetched by everybody who knows the address.
#include "file_type.h"
#include "service.h"

#include "core/base64.h"
#include "core/digest.h"
#include "core/element.h"
#include "core/log.h"
#include "core/metric.h"
#include "route/server.h"

#include <algorithm>

namespace epode::upload {

namespace {

const Log uploadLog{"plugin.upload"};

Counter filesStored{"epode_upload_files_total", "Files that were uploaded completely"};
Counter bytesStored{"epode_upload_bytes_total", "Bytes of the files that were uploaded completely"};
Counter uploadsFailed{"epode_upload_failed_total",
                      "Uploads that were begun and refused, or could not be stored"};
Counter uploadsBroken{"epode_upload_interrupted_total", "Uploads whose client went away"};
Counter filesSent{"epode_upload_downloads_total", "Requests for uploaded files that were answered"};
Gauge uploadsOpen{"epode_upload_open", "Uploads that are under way"};

constexpr std::string_view folder = "/upload/";
constexpr std::string_view thumbnailQuery = "thumbnail";
constexpr std::size_t tokenCharacters = 22;
// A file never changes; but it may be deleted.
constexpr std::chrono::seconds cachedMax = std::chrono::hours{24 * 7};
// Nothing of what strangers upload runs, and no page shows it as a part of itself in a frame.
constexpr std::string_view policy = "default-src 'none'; frame-ancestors 'none'; sandbox";

struct Place {
    std::string_view token;
    std::string_view name;
};

// /upload/TOKEN/NAME; an empty token for anything else.
Place placeOf(std::string_view path) {
    path.remove_prefix(std::min(path.size(), folder.size()));
    if (path.size() < tokenCharacters + 2 || path[tokenCharacters] != '/') return {};
    const std::string_view token = path.substr(0, tokenCharacters);
    const bool isToken = std::all_of(token.begin(), token.end(), [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
               c == '-' || c == '_';
    });
    return isToken ? Place{token, path.substr(tokenCharacters + 1)} : Place{};
}

HttpResponse refusal(int status, std::string_view sentence) {
    return HttpResponse::error(status, sentence)
        .set("Content-Security-Policy", policy)
        .set("Cache-Control", "no-store");
}
HttpResponse notFound() { return refusal(404, "There is no such file."); }

void answerFailure(const HttpExchangePtr& exchange, const std::exception_ptr& failure) {
    if (!failure) return;
    try {
        std::rethrow_exception(failure);
    } catch (const StoreUnavailable&) {
        exchange->answer(
            refusal(503, "The server can't reach its storage at the moment; try again later.")
                .set("Retry-After", "30"));
    } catch (const std::exception& problem) {
        uploadLog.error("a request failed", {{"failure", problem.what()}});
        exchange->answer(refusal(500, "The server has failed."));
    }
}

// As ejabberd answers: who has uploaded a picture learns where its small one is, to send it along
// (XEP-0264).
HttpResponse stored(const Limits& limits, const StoredFile& file) {
    if (file.thumbnailType.empty()) return HttpResponse{.status = 201};
    Document thumbnail{"thumbnail", "urn:xmpp:thumbs:1"};
    thumbnail->set("uri", urlOf(limits, file) + "?" + std::string{thumbnailQuery})
        .set("media-type", file.thumbnailType)
        .set("width", std::to_string(file.thumbnailWidth))
        .set("height", std::to_string(file.thumbnailHeight));
    HttpResponse response = HttpResponse::of("text/xml; charset=utf-8", toXml(*thumbnail));
    response.status = 201;
    return response;
}

}  // namespace

class Service::Claim {
public:
    Claim(std::shared_ptr<Uploads> uploads, std::string token)
        : uploads_{std::move(uploads)}, token_{std::move(token)} {
        uploadsOpen.add();
    }
    ~Claim() {
        uploads_->release(token_);
        uploadsOpen.add(-1);
    }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

private:
    const std::shared_ptr<Uploads> uploads_;
    const std::string token_;
};

void Service::serveWeb(PluginContext& context) {
    context.route({.methods = {HttpMethod::Get, HttpMethod::Put},
                   .path = std::string{folder} + "*",
                   .origins = HttpOrigins::Any,
                   .bodyBytesMax = limits_.largest()},
                  this, &Service::answer);
}

void Service::answer(const HttpExchangePtr& exchange) {
    // The exchange keeps the plugin.
    const bool isPut = exchange->request().method == HttpMethod::Put;
    start(isPut ? receive(exchange) : send(exchange),
          [exchange](std::exception_ptr failure) { answerFailure(exchange, failure); });
}

// ---- fetching

Task<void> Service::send(HttpExchangePtr exchange) {
    const Place place = placeOf(exchange->request().path);
    std::string token{place.token};
    if (token.empty()) {
        exchange->answer(notFound());
        co_return;
    }
    const auto file = co_await uploads_->store().find(std::move(token));
    const WallTime now = exchange->executor().wallNow();
    if (!file || file->state != FileState::Stored || file->expires <= now ||
        file->name != placeOf(exchange->request().path).name) {
        exchange->answer(notFound());
        co_return;
    }
    if (exchange->request().query == thumbnailQuery) {
        sendThumbnail(exchange, *file);
        co_return;
    }
    const Serving serving = servingOf(file->type);
    const auto left = std::chrono::duration_cast<std::chrono::seconds>(file->expires - now);
    HttpFile served;
    served.contentType = serving.contentType;
    served.cacheControl =
        "private, max-age=" + std::to_string(std::min(left, cachedMax).count()) + ", immutable";
    served.mayBeCompressed = false;
    served.entityTag = "\"" + encodeHex(file->checksum) + "\"";
    served.fields = {
        {"Content-Disposition", contentDisposition(file->name, serving.isShown)},
        {"Content-Security-Policy", std::string{policy}},
        {"Cross-Origin-Resource-Policy", "cross-origin"},
        {"Access-Control-Expose-Headers", "Accept-Ranges, Content-Range, ETag"},
        {"Repr-Digest", "sha-256=:" + encodeBase64(file->checksum) + ":"},
    };
    filesSent.add();
    uploads_->storage()->serve(exchange, file->place, std::move(served),
                               std::uint64_t(file->bytes));
}

// The small picture: it is ours, and never changes.
void Service::sendThumbnail(const HttpExchangePtr& exchange, const StoredFile& file) {
    if (file.thumbnailType.empty()) {
        exchange->answer(notFound());
        return;
    }
    HttpFile served;
    served.contentType = file.thumbnailType;
    served.cacheControl = "private, max-age=" + std::to_string(cachedMax.count()) + ", immutable";
    served.mayBeCompressed = false;
    served.entityTag = "\"small-" + encodeHex(file.checksum) + "\"";
    served.fields = {{"Content-Security-Policy", std::string{policy}},
                     {"Cross-Origin-Resource-Policy", "cross-origin"}};
    filesSent.add();
    uploads_->storage()->serve(exchange, file.place + std::string{thumbnailEnding},
                               std::move(served), std::uint64_t(file.thumbnailBytes));
}

// ---- putting

Task<void> Service::receive(HttpExchangePtr exchange) {
    const HttpRequest& request = exchange->request();
    std::string token{placeOf(request.path).token};
    const std::string key = queryValue(request.query, "key").value_or("");
    if (token.empty() || key.empty()) {
        exchange->answer(notFound());
        co_return;
    }
    const std::string asked = token;
    const auto found = co_await uploads_->store().find(std::move(token));
    const auto refuse = [&exchange](int status, std::string_view sentence) {
        uploadsFailed.add();
        exchange->answer(refusal(status, sentence));
    };
    if (!found || found->state == FileState::Doomed || found->name != placeOf(request.path).name) {
        exchange->answer(notFound());
        co_return;
    }
    if (!equalInConstantTime(digest(Hash::Sha256, key), found->putHash)) {
        refuse(403, "This is not the address to put the file to.");
        co_return;
    }
    if (found->state == FileState::Stored) {
        refuse(409, "The file is there already.");
        co_return;
    }
    const WallTime now = exchange->executor().wallNow();
    if (found->expires <= now) {
        refuse(410, "The slot has expired; ask for another one.");
        co_return;
    }
    if (!request.contentLength) {
        refuse(411, "The length of the file has to be told.");
        co_return;
    }
    if (*request.contentLength != std::uint64_t(found->bytes)) {
        refuse(*request.contentLength > std::uint64_t(found->bytes) ? 413 : 400,
               "The length is not the one that was announced.");
        co_return;
    }
    StoredFile file = *found;
    if (const auto given = request.field("content-type"); !given.empty()) {
        std::string type = readMediaType(given);
        if (!file.type.empty() && !isSameType(type, file.type)) {
            refuse(415, "The type is not the one that was announced.");
            co_return;
        }
        if (file.type.empty()) file.type = std::move(type);
    }
    if (!uploads_->claim(asked)) {
        refuse(409, "The file is being uploaded at this moment.");
        co_return;
    }
    const auto claim = std::make_shared<Claim>(uploads_, asked);
    const WallTime until =
        now + std::chrono::duration_cast<std::chrono::milliseconds>(limits_.uploadMax);
    const bool isOpen = co_await uploads_->store().extend(file.id, until);
    if (!isOpen) {
        refuse(410, "The slot has expired; ask for another one.");
        co_return;
    }
    // Settled in a turn of its own, if there is one yet: the connection may be ending.
    auto done = [this, exchange, claim, file](Received received) {
        exchange->executor().post([this, exchange, claim, file, received = std::move(received)] {
            start(settle(exchange, claim, file, received),
                  [exchange](std::exception_ptr failure) { answerFailure(exchange, failure); });
        });
    };
    std::make_shared<Receiving>(exchange, uploads_->storage(), uploads_->workers(), file.place,
                                std::uint64_t(file.bytes), picturesOf(file.purpose),
                                std::move(done))
        ->start();
}

Task<void> Service::settle(HttpExchangePtr exchange, ClaimPtr claim, StoredFile file,
                           Received received) {
    const auto& storage = uploads_->storage();
    auto remove = [&storage, &file] {
        removeFile(*storage, file);
        return true;
    };
    if (received.outcome == Received::Outcome::Kept) {
        file.checksum = received.checksum;
        if (received.kept.bytes) file.bytes = std::int64_t(*received.kept.bytes);
        if (const auto& small = received.kept.thumbnail) {
            file.thumbnailType = small->type;
            file.thumbnailWidth = small->width;
            file.thumbnailHeight = small->height;
            file.thumbnailBytes = std::int64_t(small->content.size());
        }
        std::exception_ptr failure;
        bool isStored = false;
        try {
            isStored = co_await uploads_->store().complete(file.id, file.type, received.checksum,
                                                           received.kept);
        } catch (...) {
            failure = std::current_exception();
        }
        if (isStored) {
            filesStored.add();
            bytesStored.add(file.bytes);
            uploadLog.info("file uploaded", {{"account", file.owner},
                                             {"bytes", file.bytes},
                                             {"purpose", toText(file.purpose)}});
            exchange->answer(stored(limits_, file));
            co_return;
        }
        uploadsFailed.add();
        co_await offload(uploads_->workers(), remove);
        if (failure) std::rethrow_exception(failure);
        exchange->answer(refusal(410, "The upload has taken too long."));
        co_return;
    }
    if (received.outcome == Received::Outcome::ClientGone) {
        uploadsBroken.add();
    } else {
        uploadsFailed.add();
        uploadLog.error("an upload could not be stored", {{"problem", received.problem}});
        const bool isFull = received.outcome == Received::Outcome::Full;
        exchange->answer(isFull ? refusal(507, "The server's disk is full.")
                                : refusal(500, "The server could not store the file."));
    }
    // He may try again while the slot is as it was.
    co_await uploads_->store().extend(file.id, file.expires);
}

}  // namespace epode::upload
