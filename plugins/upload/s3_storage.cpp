#include "s3_storage.h"

#include "checksum.h"
#include "spool.h"

#include "core/digest.h"
#include "core/element.h"
#include "core/log.h"
#include "core/random.h"
#include "core/time_format.h"
#include "core/worker_pool.h"
#include "core/xml_stream.h"
#include "net/http_client.h"
#include "net/http_range.h"

#include <algorithm>
#include <fstream>
#include <utility>

namespace epode::upload {

namespace {

const Log uploadLog{"plugin.upload"};

// Small enough for many who are slow, large enough for the way to the bucket and back.
constexpr std::size_t pieceBytes = 512 * 1024;
constexpr std::size_t highMark = 256 * 1024;
// S3's own.
constexpr std::uint64_t partsMax = 10000;
// What nobody can be sending any more (upload.duration_max).
constexpr auto abandonedAfter = std::chrono::hours{24 * 7};
constexpr Duration addressLifetime = std::chrono::minutes{10};

const Option<std::string> urlOption{
    .key = "upload.s3_url",
    .fallback = "",
    .help =
        "A bucket in which files lie instead of upload.folder: what stands before the names of its "
        "objects, such as \"https://s3.example.org/epode\" or "
        "\"https://epode.s3.example.org/files\". Without TLS only on this machine.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<std::string> regionOption{
    .key = "upload.s3_region",
    .fallback = "us-east-1",
    .help = "The region that is signed; what isn't Amazon's takes this one mostly.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<std::string> keyOption{
    .key = "upload.s3_key_id",
    .fallback = "",
    .help = "The name of the key to the bucket.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<std::string> secretOption{
    .key = "upload.s3_secret",
    .fallback = "",
    .help = "The key itself. Better in a file: upload.s3_secret_file.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<std::string> secretFileOption{
    .key = "upload.s3_secret_file",
    .fallback = "",
    .help = "A file whose first line is the key.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<std::string> trustOption{
    .key = "upload.s3_authorities",
    .fallback = "",
    .help =
        "A file of authorities, one of which has signed the bucket's certificate. Empty: the "
        "system's.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<std::string> downloadsOption{
    .key = "upload.s3_downloads",
    .fallback = "through",
    .choices = {"through", "redirect"},
    .help =
        "How files come back: through this server, or by sending who asks to the bucket with an "
        "address that is good for ten minutes.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<Bytes> partOption{
    .key = "upload.s3_part_bytes",
    .fallback = 16_MiB,
    .range = {5_MiB, 1_GiB},
    .help = "Larger files go to the bucket in parts of this size.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};

[[noreturn]] void refused(const WebAnswer& answer) {
    const bool isFull =
        answer.body.find("QuotaExceeded") != std::string::npos || answer.status == 507;
    throw StorageFailure{isFull ? StorageFailure::Kind::Full : StorageFailure::Kind::Other,
                         problemOf(answer)};
}

std::string_view withoutDeclaration(std::string_view xml) {
    const auto end = xml.starts_with("<?xml") ? xml.find("?>") : std::string_view::npos;
    return end == std::string_view::npos ? xml : xml.substr(end + 2);
}
std::string textOf(const Element& element, std::string_view name) {
    const Element* found = nullptr;
    for (const Element& child : element.children())
        if (child.name() == name) found = &child;
    return found ? std::string{found->text()} : std::string{};
}

class IncomingInS3 final : public IncomingFile {
public:
    IncomingInS3(std::shared_ptr<S3Client> client, std::string place, std::uint64_t bytes)
        : client_{std::move(client)},
          place_{std::move(place)},
          partBytes_{std::max(client_->place().partBytes, bytes / partsMax + 1)},
          isLarge_{bytes > partBytes_},
          spool_{client_->place().folder} {}
    ~IncomingInS3() override {
        if (upload_.empty()) return;
        // What came in part costs its owner money, until somebody removes it.
        try {
            client_->ask({.method = "DELETE", .object = place_, .query = {{"uploadId", upload_}}});
        } catch (const std::exception& failure) {
            uploadLog.warning("an upload in parts could not be given up",
                              {{"problem", failure.what()}});
        }
    }

    void write(std::string_view bytes) override {
        while (!bytes.empty()) {
            const std::uint64_t room = isLarge_ ? partBytes_ - spool_.bytes() : bytes.size();
            const auto now =
                bytes.substr(0, std::size_t(std::min<std::uint64_t>(room, bytes.size())));
            spool_.write(now);
            checksum_.add(now);
            bytes.remove_prefix(now.size());
            if (isLarge_ && spool_.bytes() == partBytes_) sendPart();
        }
    }

    Kept keep() override {
        if (upload_.empty()) {
            const auto answer = client_->ask(bodyOf({.method = "PUT", .object = place_}));
            if (answer.status != 200) refused(answer);
            return {};
        }
        if (spool_.bytes() > 0) sendPart();
        std::string list = "<CompleteMultipartUpload>";
        for (std::size_t i = 0; i < tags_.size(); ++i)
            list.append("<Part><PartNumber>")
                .append(std::to_string(i + 1))
                .append("</PartNumber><ETag>")
                .append(escaped(tags_[i]))
                .append("</ETag></Part>");
        list += "</CompleteMultipartUpload>";
        const auto answer =
            client_->ask({.method = "POST",
                          .object = place_,
                          .query = {{"uploadId", upload_}},
                          .bodyBytes = list.size(),
                          .payloadHash = encodeHex(digest(Hash::Sha256, list)),
                          .body = [&list](std::uint64_t at) { return list.substr(at); }});
        // It may fail after it has begun to answer (S3's own words).
        const auto read = parseElement(withoutDeclaration(answer.body));
        if (answer.status != 200 || !read.document ||
            read.document->name() != "CompleteMultipartUploadResult")
            refused(answer);
        upload_.clear();
        return {};
    }

private:
    static std::string escaped(std::string_view text) {
        std::string out;
        escapeText(out, text);
        return out;
    }
    S3Client::Call bodyOf(S3Client::Call call) {
        call.bodyBytes = spool_.bytes();
        call.payloadHash = encodeHex(checksum_.finish());
        call.body = [this](std::uint64_t at) { return spool_.read(at, pieceBytes); };
        return call;
    }
    void sendPart() {
        if (upload_.empty()) begin();
        const std::string number = std::to_string(tags_.size() + 1);
        const auto answer =
            client_->ask(bodyOf({.method = "PUT",
                                 .object = place_,
                                 .query = {{"partNumber", number}, {"uploadId", upload_}}}));
        if (answer.status != 200 || answer.field("etag").empty()) refused(answer);
        tags_.emplace_back(answer.field("etag"));
        spool_.empty();
        checksum_ = Checksum{};
    }
    void begin() {
        const auto answer =
            client_->ask({.method = "POST", .object = place_, .query = {{"uploads", ""}}});
        const auto read = parseElement(withoutDeclaration(answer.body));
        if (answer.status != 200 || !read.document) refused(answer);
        upload_ = textOf(*read.document, "UploadId");
        if (upload_.empty()) refused(answer);
    }

    const std::shared_ptr<S3Client> client_;
    const std::string place_;
    const std::uint64_t partBytes_;
    const bool isLarge_;
    Spool spool_;        // of the part under way
    Checksum checksum_;  // of it
    std::string upload_;
    std::vector<std::string> tags_;
};

// An object on its way through: a worker asks the bucket for a piece, the client takes it, and so
// on. While the client is slow nobody waits, here or there.
class Passing : public std::enable_shared_from_this<Passing> {
public:
    Passing(HttpExchangePtr exchange, std::shared_ptr<S3Client> client, WorkerPool& workers,
            std::string place, HttpRange range)
        : exchange_{std::move(exchange)}, workers_{workers}, part_{std::make_shared<Part>()} {
        part_->client = std::move(client);
        part_->place = std::move(place);
        part_->left = range;
    }

    void start(HttpResponse head) {
        head_ = std::move(head);
        goOn();
    }

private:
    // What a worker has in hand, or nobody.
    struct Part {
        std::shared_ptr<S3Client> client;
        std::string place;
        HttpRange left;
        std::string piece{};
        std::string problem{};
    };

    static void read(Part& part) {
        const auto bytes = std::min<std::uint64_t>(pieceBytes, part.left.bytes);
        const std::string range = "bytes=" + std::to_string(part.left.first) + "-" +
                                  std::to_string(part.left.first + bytes - 1);
        auto answer = part.client->ask({.method = "GET",
                                        .object = part.place,
                                        .fields = {{"range", range}},
                                        .answerBytesMax = pieceBytes});
        if (answer.status != 206)
            throw StorageFailure{StorageFailure::Kind::Other, problemOf(answer)};
        if (answer.body.size() != bytes)
            throw StorageFailure{StorageFailure::Kind::Other, "the object is cut"};
        part.piece = std::move(answer.body);
        part.left.first += bytes;
        part.left.bytes -= bytes;
    }

    void goOn() {
        exchange_->whenGone([self = shared_from_this()] {});
        Executor* const executor = &exchange_->executor();
        workers_.run([weak = weak_from_this(), part = part_, executor] {
            try {
                read(*part);
            } catch (const std::exception& failure) {
                part->problem = failure.what();
            }
            executor->post([weak, part] {
                if (const auto self = weak.lock()) self->haveRead();
            });
        });
    }

    void haveRead() {
        if (exchange_->isGone()) return;
        if (!part_->problem.empty()) {
            uploadLog.error("a file can't be fetched from the bucket",
                            {{"problem", part_->problem}});
            if (isBegun_)
                exchange_->abandon();
            else
                exchange_->answer(HttpResponse::error(
                    502, "The server can't reach its storage at the moment; try again later."));
            return;
        }
        if (!std::exchange(isBegun_, true))
            exchange_->begin(std::move(head_), part_->left.bytes + part_->piece.size());
        exchange_->write(part_->piece);
        if (part_->left.bytes == 0) {
            exchange_->finish();
            return;
        }
        exchange_->executor().post([self = shared_from_this()] {
            if (self->exchange_->isGone()) return;
            if (self->exchange_->unsentBytes() > highMark)
                self->exchange_->whenDrained([self] { self->goOn(); });
            else
                self->goOn();
        });
    }

    HttpExchangePtr exchange_;
    WorkerPool& workers_;
    std::shared_ptr<Part> part_;  // also held by the worker
    HttpResponse head_;
    bool isBegun_ = false;
};

class S3Storage final : public FileStorage {
public:
    S3Storage(S3Place place, std::function<WorkerPool&()> workers)
        : client_{std::make_shared<S3Client>(std::move(place))}, workers_{std::move(workers)} {}

    // Spread over the beginnings of names, as S3 likes it.
    std::string makePlace() override { return encodeHex(randomBytes(16)); }

    std::unique_ptr<IncomingFile> create(const std::string& place, std::uint64_t bytes) override {
        return std::make_unique<IncomingInS3>(client_, place, bytes);
    }

    void remove(const std::string& place) override {
        const auto answer = client_->ask({.method = "DELETE", .object = place});
        if (answer.status / 100 != 2 && answer.status != 404) refused(answer);
    }

    bool mayBeUnclean() override { return true; }

    // Uploads in parts that nobody goes on with. Those of objects elsewhere in the bucket are
    // others'.
    void clean() override {
        const auto answer = listUploads();
        if (!answer) return;
        const WallTime now =
            std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now());
        std::int64_t removed = 0;
        for (const Element& upload : (*answer)->children()) {
            if (upload.name() != "Upload") continue;
            const std::string object = textOf(upload, "Key");
            const auto begun = parseDateTime(textOf(upload, "Initiated"));
            const bool isOurs = object.size() == 32 || object.ends_with(thumbnailEnding);
            if (!begun || now - *begun < abandonedAfter || !isOurs) continue;
            client_->ask({.method = "DELETE",
                          .object = object,
                          .query = {{"uploadId", textOf(upload, "UploadId")}}});
            ++removed;
        }
        if (removed > 0)
            uploadLog.info("gave up uploads in parts that nobody has completed",
                           {{"files", removed}});
    }

    std::uint64_t freeBytes() override { return UINT64_MAX; }

    void serve(const HttpExchangePtr& exchange, const std::string& place, HttpFile file,
               std::uint64_t bytes) override {
        const HttpRequest& request = exchange->request();
        HttpRange range{0, bytes};
        const HttpSelection selection = selectHttpRange(request, bytes, file.entityTag, range);
        if (selection == HttpSelection::Failed) {
            exchange->answer(HttpResponse::error(412));
            return;
        }
        if (selection == HttpSelection::OutOfBounds) {
            exchange->answer(
                HttpResponse::error(416).set("Content-Range", "bytes */" + std::to_string(bytes)));
            return;
        }
        HttpResponse head;
        head.set("ETag", file.entityTag).set("Cache-Control", file.cacheControl);
        for (const auto& field : file.fields) head.set(field.name, field.value);
        if (selection == HttpSelection::NotModified) {
            head.status = 304;
            exchange->answer(std::move(head));
            return;
        }
        const bool isHead = request.method == HttpMethod::Head;
        if (client_->place().redirects && !isHead) {
            redirect(exchange, place, file);
            return;
        }
        head.set("Content-Type", file.contentType).set("Accept-Ranges", "bytes");
        const bool isPart = selection == HttpSelection::Part;
        if (isPart) {
            head.status = 206;
            head.set("Content-Range", "bytes " + std::to_string(range.first) + "-" +
                                          std::to_string(range.first + range.bytes - 1) + "/" +
                                          std::to_string(bytes));
        }
        if (isHead || range.bytes == 0) {
            exchange->begin(std::move(head), range.bytes);
            exchange->finish();
            return;
        }
        std::make_shared<Passing>(exchange, client_, workers_(), place, range)
            ->start(std::move(head));
    }

private:
    // The bucket says of the file what we would; what it can't say (a policy for pages) doesn't
    // matter there: it is another origin than ours.
    void redirect(const HttpExchangePtr& exchange, const std::string& place, const HttpFile& file) {
        std::vector<HttpField> query{{"response-content-type", file.contentType},
                                     {"response-cache-control", file.cacheControl}};
        HttpResponse response;
        response.status = 302;
        for (const auto& field : file.fields) {
            if (field.name == "Content-Disposition")
                query.push_back({"response-content-disposition", field.value});
            else
                response.set(field.name, field.value);
        }
        response.set("Location", client_->addressOf(place, query, addressLifetime))
            .set("Cache-Control", "no-store");
        exchange->answer(std::move(response));
    }

    std::optional<Document> listUploads() {
        // At the bucket itself, which is the first part of the path or the whole host.
        const auto answer =
            client_->ask({.method = "GET", .object = "", .query = {{"uploads", ""}}});
        auto read = parseElement(withoutDeclaration(answer.body));
        if (answer.status != 200 || !read.document) return std::nullopt;
        return std::move(read.document);
    }

    const std::shared_ptr<S3Client> client_;
    const std::function<WorkerPool&()> workers_;
};

}  // namespace

std::vector<OptionRef> s3Options() {
    return {&trustOption,  &urlOption,        &regionOption,    &keyOption,
            &secretOption, &secretFileOption, &downloadsOption, &partOption};
}

std::optional<S3Place> readS3Place(const Settings& settings) {
    const std::string& url = settings.get(urlOption);
    if (url.empty()) return std::nullopt;
    S3Place place;
    auto origin = WebOrigin::parse(url, &place.path);
    if (const auto problem = HttpClient::whyNot(url); !problem.empty() || !origin) {
        uploadLog.error("upload.s3_url is of no use", {{"problem", problem}});
        return std::nullopt;
    }
    place.origin = std::move(*origin);
    place.path.resize(std::min(place.path.size(), place.path.find('?')));
    if (!place.path.ends_with('/')) place.path += '/';
    place.keys = {settings.get(keyOption), settings.get(secretOption), settings.get(regionOption)};
    if (const auto& file = settings.get(secretFileOption); !file.empty()) {
        std::ifstream in{file};
        if (!std::getline(in, place.keys.secret))
            uploadLog.error("upload.s3_secret_file can't be read", {{"file", file}});
    }
    place.trustFile = settings.get(trustOption);
    place.partBytes = settings.get(partOption);
    place.redirects = settings.get(downloadsOption) == "redirect";
    return place;
}

std::unique_ptr<FileStorage> makeS3Storage(S3Place place, std::function<WorkerPool&()> workers) {
    return std::make_unique<S3Storage>(std::move(place), std::move(workers));
}

}  // namespace epode::upload
