#include "net/http_files.h"

#include "core/worker_pool.h"
#include "net/fd.h"
#include "net/http_range.h"
#include "net/http_server.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <utility>

namespace epode {

namespace {

constexpr std::size_t pieceBytes = 64 * 1024;
// Written ahead of a client; the rest is read when it has taken some of this.
constexpr std::size_t aheadBytes = 256 * 1024;
// Above it, transports tell when they have been emptied.
constexpr std::size_t highMark = 128 * 1024;

struct Opened {
    Fd file;
    struct stat facts{};
};

// A regular file, not reached by a link.
Opened openFile(const std::string& path) {
    Opened opened;
    opened.file = Fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
    if (!opened.file || ::fstat(opened.file.get(), &opened.facts) != 0 ||
        !S_ISREG(opened.facts.st_mode))
        opened.file.reset();
    return opened;
}

std::string entityTagOf(const struct stat& facts, bool isCompressed) {
    std::string tag = "\"" + std::to_string(facts.st_mtim.tv_sec) + "." +
                      std::to_string(facts.st_mtim.tv_nsec) + "-" + std::to_string(facts.st_size);
    return tag.append(isCompressed ? "-gz\"" : "\"");
}

// An answer under way; kept by what waits for the client.
class Sending : public std::enable_shared_from_this<Sending> {
public:
    Sending(HttpExchangePtr exchange, Fd file, HttpRange range, WorkerPool* readers)
        : exchange_{std::move(exchange)},
          file_{std::make_shared<const Fd>(std::move(file))},
          range_{range},
          readers_{readers} {}

    void goOn() {
        if (isBusy_) return;
        isBusy_ = true;
        std::string piece;
        while (range_.bytes > 0 && !exchange_->isGone() &&
               exchange_->unsentBytes() + written_ < aheadBytes) {
            piece.resize(std::size_t(std::min<std::uint64_t>(range_.bytes, pieceBytes)));
            const auto got = read(piece);
            if (got < 0 && errno == EINTR) continue;
            if (got < 0 && readers_ && (errno == EAGAIN || errno == EOPNOTSUPP)) {
                isBusy_ = false;
                readElsewhere(std::move(piece));
                return;
            }
            if (got <= 0) {  // it has become shorter
                exchange_->abandon();
                break;
            }
            take({piece.data(), std::size_t(got)});
        }
        isBusy_ = false;
        if (exchange_->isGone()) return;
        if (range_.bytes == 0) {
            exchange_->finish();
            return;
        }
        // What is written leaves at the end of the turn: in the next one we see how much of it is
        // stuck.
        exchange_->executor().post([self = shared_from_this()] {
            self->written_ = 0;
            if (self->exchange_->unsentBytes() > highMark)
                self->wait();
            else
                self->goOn();
        });
    }

private:
    // With readers: what is in memory already.
    ssize_t read(std::string& piece) const {
        if (!readers_)
            return ::pread(file_->get(), piece.data(), piece.size(), off_t(range_.first));
        const iovec room{piece.data(), piece.size()};
        return ::preadv2(file_->get(), &room, 1, off_t(range_.first), RWF_NOWAIT);
    }

    void take(std::string_view piece) {
        exchange_->write(piece);
        written_ += piece.size();
        range_.first += piece.size();
        range_.bytes -= piece.size();
    }

    // The disk is slow; others have their turns meanwhile. The exchange keeps this until then: the
    // reader knows nothing of a connection, which ends on its own thread.
    void readElsewhere(std::string piece) {
        isBusy_ = true;
        exchange_->whenGone([self = shared_from_this()] {});
        Executor* const executor = &exchange_->executor();
        readers_->run([weak = weak_from_this(), file = file_, first = range_.first,
                       piece = std::move(piece), executor]() mutable {
            ssize_t got = 0;
            do {
                got = ::pread(file->get(), piece.data(), piece.size(), off_t(first));
            } while (got < 0 && errno == EINTR);
            piece.resize(std::size_t(std::max<ssize_t>(got, 0)));
            executor->post([weak = std::move(weak), piece = std::move(piece)] {
                if (const auto self = weak.lock()) self->haveRead(piece);
            });
        });
    }

    void haveRead(std::string_view piece) {
        isBusy_ = false;
        if (exchange_->isGone()) return;
        if (piece.empty()) {
            exchange_->abandon();
            return;
        }
        take(piece);
        goOn();
    }

    void wait() {
        exchange_->whenDrained([self = shared_from_this()] { self->goOn(); });
    }

    HttpExchangePtr exchange_;
    std::shared_ptr<const Fd> file_;
    HttpRange range_;
    WorkerPool* readers_;
    std::size_t written_ = 0;  // in this turn
    bool isBusy_ = false;
};

}  // namespace

void serveHttpFile(const HttpExchangePtr& exchange, const HttpFile& file) {
    const HttpRequest& request = exchange->request();
    Opened opened;
    bool isCompressed = false;
    // Ranges are of the file itself.
    if (file.mayBeCompressed && !file.path.empty() && request.lists("accept-encoding", "gzip") &&
        request.field("range").empty()) {
        opened = openFile(file.path + ".gz");
        isCompressed = bool(opened.file);
    }
    if (!opened.file && !file.path.empty()) opened = openFile(file.path);
    if (!opened.file) {
        exchange->answer(HttpResponse::error(404));
        return;
    }
    const auto size = std::uint64_t(opened.facts.st_size);
    const std::string tag =
        file.entityTag.empty() ? entityTagOf(opened.facts, isCompressed) : file.entityTag;
    HttpRange range;
    const HttpSelection selection = selectHttpRange(request, size, tag, range);
    if (selection == HttpSelection::Failed) {
        exchange->answer(HttpResponse::error(412));
        return;
    }
    if (selection == HttpSelection::OutOfBounds) {
        exchange->answer(
            HttpResponse::error(416).set("Content-Range", "bytes */" + std::to_string(size)));
        return;
    }
    HttpResponse head;
    head.set("ETag", tag);
    head.set("Cache-Control", file.cacheControl);
    if (file.mayBeCompressed) head.set("Vary", "Accept-Encoding");
    for (const auto& field : file.fields) head.set(field.name, field.value);
    if (selection == HttpSelection::NotModified) {
        head.status = 304;
        exchange->answer(std::move(head));
        return;
    }
    head.set("Content-Type", file.contentType);
    head.set("Accept-Ranges", "bytes");
    head.set("Last-Modified", httpDate(WallTime{std::chrono::duration_cast<WallTime::duration>(
                                  std::chrono::seconds{opened.facts.st_mtim.tv_sec})}));
    if (isCompressed) head.set("Content-Encoding", "gzip");
    if (selection == HttpSelection::Part) {
        head.status = 206;
        head.set("Content-Range", "bytes " + std::to_string(range.first) + "-" +
                                      std::to_string(range.first + range.bytes - 1) + "/" +
                                      std::to_string(size));
    }
    exchange->begin(std::move(head), range.bytes);
    if (request.method == HttpMethod::Head) {
        exchange->finish();
        return;
    }
    std::make_shared<Sending>(exchange, std::move(opened.file), range, file.readers)->goOn();
}

std::string findHttpFile(std::string_view root, std::string_view path) {
    std::string found{root};
    while (!path.empty()) {
        const auto start = path.find_first_not_of('/');
        if (start == std::string_view::npos) break;
        path.remove_prefix(start);
        const auto end = std::min(path.find('/'), path.size());
        const std::string_view part = path.substr(0, end);
        // Hidden files, and what would lead upwards.
        if (part.starts_with('.') || part.find('\0') != std::string_view::npos) return {};
        struct stat facts{};
        if (::lstat(found.c_str(), &facts) != 0 || (!S_ISDIR(facts.st_mode) && found != root))
            return {};
        found.append("/").append(part);
        path.remove_prefix(end);
    }
    struct stat facts{};
    if (::lstat(found.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) return {};
    return found;
}

std::string_view contentTypeOf(std::string_view name) {
    static constexpr std::pair<std::string_view, std::string_view> types[]{
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".json", "application/json"},
        {".webmanifest", "application/manifest+json"},
        {".txt", "text/plain; charset=utf-8"},
        {".svg", "image/svg+xml"},
        {".png", "image/png"},
        {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},
        {".gif", "image/gif"},
        {".webp", "image/webp"},
        {".ico", "image/x-icon"},
        {".wasm", "application/wasm"},
        {".woff2", "font/woff2"},
        {".woff", "font/woff"},
        {".ttf", "font/ttf"},
        {".mp3", "audio/mpeg"},
        {".ogg", "audio/ogg"},
        {".mp4", "video/mp4"},
        {".webm", "video/webm"},
        {".pdf", "application/pdf"},
        {".xml", "application/xml"},
    };
    for (const auto& [ending, type] : types)
        if (name.size() > ending.size() &&
            equalIgnoringCase(name.substr(name.size() - ending.size()), ending))
            return type;
    return "application/octet-stream";
}

}  // namespace epode
