#include "control/account_file.h"

#include "core/xml_pieces.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace epode {

namespace {

constexpr std::string_view includeNs = "http://www.w3.org/2001/XInclude";
constexpr std::size_t chunkBytes = 64u << 10;
constexpr std::size_t filesDeepMax = 8;  // includes within includes

using Kind = AccountFileReader::Item::Kind;

// Where the reader stands, by the elements that are open. Included files go on where they were
// included, so a <user/> may be the root of a file.
enum class Level { ServerData, Host, User, Offline, Archive, Elsewhere };

Level levelOf(const Element& element) {
    if (element.is("server-data", pieNs)) return Level::ServerData;
    if (element.is("host", pieNs)) return Level::Host;
    if (element.is("user", pieNs)) return Level::User;
    if (element.is("offline-messages", pieNs)) return Level::Offline;
    if (element.is("archive", pieArchiveNs)) return Level::Archive;
    return Level::Elsewhere;
}

// Whether an element of the one level stands within the other.
bool isBelow(Level inner, Level outer) {
    switch (outer) {
        case Level::ServerData:
            return inner == Level::Host;
        case Level::Host:
            return inner == Level::User;
        case Level::User:
            return inner == Level::Offline || inner == Level::Archive;
        default:
            return false;
    }
}

}  // namespace

struct AccountFileReader::Open {
    std::filesystem::path path;
    std::ifstream stream;
    std::vector<Level> levels;  // of the open elements
    std::vector<Level> told;    // the same, as far as `events` has been taken
    XmlPieces pieces{
        [this](const Element& start, std::size_t depth) { return decide(start, depth); }};
    std::deque<XmlPieces::Event> events;
    bool isRead = false;

    XmlPieces::Shape decide(const Element& start, std::size_t depth) {
        levels.resize(depth);
        const Level level = levelOf(start);
        const bool isOpened =
            depth == 0 ? level != Level::Elsewhere : isBelow(level, levels.back());
        if (!isOpened) return XmlPieces::Shape::Whole;
        levels.push_back(level);
        return XmlPieces::Shape::Opened;
    }

    void read() {
        std::string chunk(chunkBytes, '\0');
        stream.read(chunk.data(), std::streamsize(chunk.size()));
        chunk.resize(std::size_t(stream.gcount()));
        if (stream.bad()) throw AccountFileError{path.string() + " can't be read."};
        try {
            for (auto& event : pieces.feed(chunk)) events.push_back(std::move(event));
            isRead = stream.eof();
            if (!isRead) return;
            for (auto& event : pieces.finish()) events.push_back(std::move(event));
        } catch (const XmlPiecesError& error) {
            throw AccountFileError{path.string() + ", " + error.what() + "."};
        }
    }
};

AccountFileReader::AccountFileReader(std::filesystem::path file) : folder_{file.parent_path()} {
    open(file);
}

AccountFileReader::~AccountFileReader() = default;

void AccountFileReader::open(const std::filesystem::path& file) {
    auto opened = std::make_unique<Open>();
    opened->path = file;
    opened->stream.open(file, std::ios::binary);
    if (!opened->stream)
        throw AccountFileError{file.string() + " can't be opened: " + std::strerror(errno) + "."};
    files_.push_back(std::move(opened));
}

// Section 5: relative, without `parse` and `xpointer`.
void AccountFileReader::include(const Element& element) {
    const std::filesystem::path wanted{std::string{element.get("href")}};
    const auto& from = files_.back()->path;
    const auto where = from.string() + " includes \"" + wanted.string() + "\"";
    if (wanted.empty() || element.find("parse") || element.find("xpointer"))
        throw AccountFileError{where + " in a way that is not supported."};
    const auto path = (from.parent_path() / wanted).lexically_normal();
    const auto relative = path.lexically_relative(folder_.lexically_normal());
    if (wanted.is_absolute() || relative.empty() || *relative.begin() == "..")
        throw AccountFileError{where + ", which is not below the folder of the first file."};
    if (files_.size() == filesDeepMax) throw AccountFileError{where + ": too many files in files."};
    open(path);
}

std::vector<AccountFileReader::Item> AccountFileReader::next() {
    std::vector<Item> items;
    while (items.empty() && !files_.empty()) {
        Open& file = *files_.back();
        if (file.events.empty()) {
            if (file.isRead)
                files_.pop_back();
            else
                file.read();
            continue;
        }
        while (!file.events.empty()) {
            auto event = std::move(file.events.front());
            file.events.pop_front();
            const Level outer = file.told.empty() ? Level::Elsewhere : file.told.back();
            if (event.kind == XmlPieces::Event::Kind::End) {
                if (outer == Level::User) items.push_back({Kind::UserEnd, {}});
                file.told.pop_back();
            } else if (event.kind == XmlPieces::Event::Kind::Start) {
                const Level level = levelOf(*event.element);
                file.told.push_back(level);
                if (level == Level::Host) items.push_back({Kind::Host, std::move(event.element)});
                if (level == Level::User) items.push_back({Kind::User, std::move(event.element)});
            } else if (event.element->is("include", includeNs) && outer <= Level::User) {
                include(*event.element);
                break;  // `file` goes on behind it
            } else if (file.told.empty()) {
                throw AccountFileError{
                    file.path.string() +
                    " is no file of exported accounts (XEP-0227): its root is <" +
                    std::string{event.element->name()} + "/>."};
            } else {
                const Kind kind = outer == Level::User      ? Kind::Child
                                  : outer == Level::Offline ? Kind::Offline
                                  : outer == Level::Archive ? Kind::Archive
                                                            : Kind::Unknown;
                items.push_back({kind, std::move(event.element)});
            }
        }
    }
    return items;
}

// ---- writing

AccountFileWriter::AccountFileWriter(std::filesystem::path file) : file_{std::move(file)} {
    descriptor_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor_ < 0) fail();
}

AccountFileWriter::~AccountFileWriter() {
    if (descriptor_ < 0) return;
    ::close(descriptor_);
    if (!isFinished_) ::unlink(file_.c_str());
}

void AccountFileWriter::fail() const {
    throw AccountFileError{file_.string() + " can't be written: " + std::strerror(errno) + "."};
}

void AccountFileWriter::write(std::string_view text) {
    size_ += text.size();
    while (!text.empty()) {
        const auto written = ::write(descriptor_, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) fail();
        text.remove_prefix(std::size_t(written));
    }
}

void AccountFileWriter::finish() {
    if (::fsync(descriptor_) != 0) fail();
    isFinished_ = true;
}

}  // namespace epode
