#include "net/http_parser.h"

#include "net/ip_address.h"

#include <algorithm>
#include <charconv>

namespace epode {

namespace {

constexpr std::size_t chunkLineMax = 256;
constexpr std::size_t trailerBytesMax = 4 * 1024;
constexpr std::size_t hostBytesMax = 255;
constexpr std::uint64_t bodyBytesMost = std::uint64_t{1} << 53;

bool isVisible(char c) { return c > 0x20 && c < 0x7F; }
bool isControl(char c) { return (static_cast<unsigned char>(c) < 0x20) || c == 0x7F; }
bool isDigit(char c) { return c >= '0' && c <= '9'; }

void toLower(std::string& text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = char(c + 32);
}

// RFC 3986: what may stand in a path or query; the rest has to be encoded.
bool isTargetCharacter(char c) {
    static constexpr std::string_view never = "\"<>\\^`{|}#";
    return isVisible(c) && never.find(c) == std::string_view::npos;
}

// As a name or address in a URI. Names with an underscore exist, though not by the letter.
bool isHostName(std::string_view name) {
    if (name.empty() || name.size() > hostBytesMax) return false;
    if (name.front() == '[') return name.back() == ']' && IpAddress::parse(name).has_value();
    return std::all_of(name.begin(), name.end(), [](char c) {
        return isDigit(c) || (c >= 'a' && c <= 'z') || c == '-' || c == '.' || c == '_';
    });
}

// Parts "." and ".." would have to be resolved, by us and by whoever stands before us in the same
// way.
bool hasDotPart(std::string_view path) {
    while (!path.empty()) {
        path.remove_prefix(1);  // the slash
        const auto end = std::min(path.find('/'), path.size());
        const std::string_view part = path.substr(0, end);
        if (part == "." || part == "..") return true;
        path.remove_prefix(end);
    }
    return false;
}

}  // namespace

HttpParser::Event HttpParser::next(std::string_view& input) {
    switch (state_) {
        case State::Head:
            return readHead(input);
        case State::NoBody:
            return end();
        case State::Counted:
        case State::ChunkData:
            return readCounted(input);
        case State::ChunkSize:
        case State::ChunkEnd:
        case State::Trailer:
            return readLine(input);
        case State::Failed:
            break;
    }
    input = {};
    return Event::Failure;
}

// The end of a head is an empty line. It is found without looking at any byte twice.
HttpParser::Event HttpParser::readHead(std::string_view& input) {
    // RFC 9112, 2.2: one empty line before a request is forgiven.
    constexpr std::string_view emptyLine = "\r\n";
    while (!skippedEmptyLine_ && !input.empty() && head_.size() < 2 &&
           head_ == emptyLine.substr(0, head_.size()) && input.front() == emptyLine[head_.size()]) {
        head_.push_back(input.front());
        input.remove_prefix(1);
        if (head_.size() < 2) continue;
        head_.clear();
        skippedEmptyLine_ = true;
    }
    if (input.empty()) return Event::NeedMore;
    const std::size_t before = head_.size();
    const std::size_t room = limits_.headBytesMax + 4 - std::min(before, limits_.headBytesMax + 4);
    const std::string_view taken = input.substr(0, room);
    head_.append(taken);
    const auto found = head_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
    const std::string_view seen =
        std::string_view{head_}.substr(0, found == std::string::npos ? head_.size() : found);
    // What can't become a head is refused before all of it has come.
    for (std::size_t i = before; i < seen.size(); ++i) {
        if (seen[i] == '\n' && (i == 0 || seen[i - 1] != '\r'))
            return fail(400, "A line ends with a line feed alone.");
        if (seen[i] == '\0') return fail(400, "There is a NUL in the head.");
    }
    if (found == std::string::npos) {
        const auto line = seen.find("\r\n");
        if (line == std::string_view::npos && seen.size() > limits_.targetBytesMax + 32)
            return fail(414, "The request line is too long.");
        if (head_.size() > limits_.headBytesMax) return fail(431, "The head is too large.");
        input.remove_prefix(taken.size());
        return Event::NeedMore;
    }
    if (found > limits_.headBytesMax) return fail(431, "The head is too large.");
    input.remove_prefix(found + 4 - before);
    std::string head;
    head.swap(head_);
    return takeHead(std::string_view{head}.substr(0, found + 2));
}

HttpParser::Event HttpParser::takeHead(std::string_view head) {
    request_ = {};
    isHostOfTarget_ = false;
    skippedEmptyLine_ = false;
    bool isFirst = true;
    while (!head.empty()) {
        const auto end = head.find("\r\n");
        const std::string_view line = head.substr(0, end);
        head.remove_prefix(end + 2);
        if (line.find('\r') != std::string_view::npos)
            return fail(400, "There is a carriage return within a line.");
        if (!(isFirst ? takeRequestLine(line) : takeField(line))) return Event::Failure;
        isFirst = false;
    }
    return judge() ? Event::Head : Event::Failure;
}

bool HttpParser::takeRequestLine(std::string_view line) {
    const auto first = line.find(' ');
    const auto last = line.rfind(' ');
    if (first == std::string_view::npos || first == last)
        return refuse(400, "The request line is not made of method, target and version.");
    const std::string_view method = line.substr(0, first);
    const std::string_view target = line.substr(first + 1, last - first - 1);
    const std::string_view version = line.substr(last + 1);
    if (!isHttpToken(method)) return refuse(400, "The method is no token.");
    if (version.size() != 8 || !version.starts_with("HTTP/") || !isDigit(version[5]) ||
        version[6] != '.' || !isDigit(version[7]))
        return refuse(400, "The version is none of HTTP.");
    if (version[5] != '1') return refuse(505, "This server speaks HTTP/1.1.");
    request_.isVersion11 = version[7] != '0';
    request_.isPersistent = request_.isVersion11;
    const auto known = parseHttpMethod(method);
    if (!known) return refuse(501, "This method is not known here.");
    request_.method = *known;
    if (target.size() > limits_.targetBytesMax) return refuse(414, "The target is too long.");
    return takeTarget(target);
}

bool HttpParser::takeTarget(std::string_view target) {
    if (target == "*") {
        if (request_.method != HttpMethod::Options)
            return refuse(400, "Only OPTIONS is for the whole server.");
        request_.path = "*";
        return true;
    }
    if (!target.starts_with('/')) {
        // The absolute form, which every server has to take (RFC 9112, 3.2.2).
        const auto scheme = target.find("://");
        if (scheme == std::string_view::npos ||
            (!equalIgnoringCase(target.substr(0, scheme), "http") &&
             !equalIgnoringCase(target.substr(0, scheme), "https")))
            return refuse(400, "The target is neither a path nor an address of http.");
        target.remove_prefix(scheme + 3);
        const auto slash = std::min(target.find_first_of("/?"), target.size());
        if (!takeAuthority(target.substr(0, slash))) return false;
        isHostOfTarget_ = true;
        target.remove_prefix(slash);
        if (!target.starts_with('/')) {
            if (target.empty()) {
                request_.path = "/";
                return true;
            }
            return refuse(400, "The target has no path.");
        }
    }
    return takePath(target);
}

bool HttpParser::takePath(std::string_view target) {
    if (!std::all_of(target.begin(), target.end(), isTargetCharacter))
        return refuse(400, "There is a character in the target that has to be encoded.");
    const auto mark = std::min(target.find('?'), target.size());
    request_.query = target.substr(std::min(mark + 1, target.size()));
    auto path = decodePercent(target.substr(0, mark));
    if (!path) return refuse(400, "A percent sign in the path is not followed by two digits.");
    if (std::any_of(path->begin(), path->end(), isControl))
        return refuse(400, "There is a control character in the path.");
    if (hasDotPart(*path)) return refuse(400, "The path leads upwards.");
    request_.path = std::move(*path);
    return true;
}

bool HttpParser::takeAuthority(std::string_view authority) {
    std::string host{authority};
    toLower(host);
    const auto colon = host.rfind(':');
    if (colon != std::string::npos && host.find(']', colon) == std::string::npos) {
        const std::string_view port = std::string_view{host}.substr(colon + 1);
        if (port.size() > 5 || !std::all_of(port.begin(), port.end(), isDigit))
            return refuse(400, "The port of the host is no number.");
        host.resize(colon);
    }
    if (!isHostName(host)) return refuse(400, "The host is no name and no address.");
    if (host.size() > 1 && host.ends_with('.')) host.pop_back();
    request_.host = std::move(host);
    return true;
}

bool HttpParser::takeField(std::string_view line) {
    if (line.empty()) return refuse(400, "A field is empty.");
    if (line.front() == ' ' || line.front() == '\t') return refuse(400, "A field is folded.");
    if (request_.fields.size() == limits_.fieldsMax)
        return refuse(431, "There are too many fields.");
    const auto colon = line.find(':');
    if (colon == std::string_view::npos) return refuse(400, "A field has no colon.");
    std::string name{line.substr(0, colon)};
    if (!isHttpToken(name)) return refuse(400, "The name of a field is no token.");
    toLower(name);
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && (value.front() == ' ' || value.front() == '\t'))
        value.remove_prefix(1);
    while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
    if (std::any_of(value.begin(), value.end(), [](char c) { return c != '\t' && isControl(c); }))
        return refuse(400, "There is a control character in a field.");
    request_.fields.push_back({std::move(name), std::string{value}});
    return true;
}

// What the fields say about the message itself.
bool HttpParser::judge() {
    bool hasHost = false;
    bool hasCoding = false;
    for (const auto& [name, value] : request_.fields) {
        if (name == "host") {
            if (hasHost) return refuse(400, "There is more than one host.");
            hasHost = true;
            // That of an absolute target counts, but what is wrong stays wrong.
            std::string fromTarget = request_.host;
            if (!takeAuthority(value)) return false;
            if (isHostOfTarget_) request_.host = std::move(fromTarget);
        } else if (name == "content-length") {
            if (request_.contentLength) return refuse(400, "There is more than one length.");
            std::uint64_t length = 0;
            const auto parsed = std::from_chars(value.data(), value.data() + value.size(), length);
            if (value.empty() || !isDigit(value.front()) || parsed.ec != std::errc{} ||
                parsed.ptr != value.data() + value.size() || length > bodyBytesMost)
                return refuse(400, "The length is no number.");
            request_.contentLength = length;
        } else if (name == "transfer-encoding") {
            if (!request_.isVersion11) return refuse(400, "HTTP/1.0 knows no transfer codings.");
            if (hasCoding) return refuse(400, "There is more than one transfer coding.");
            hasCoding = true;
            if (!equalIgnoringCase(value, "chunked"))
                return refuse(501, "The only transfer coding known here is chunked.");
            request_.isChunked = true;
        } else if (name == "expect") {
            if (!equalIgnoringCase(value, "100-continue"))
                return refuse(417, "The only expectation known here is 100-continue.");
            request_.expectsContinue = request_.isVersion11;
        }
    }
    if (!hasHost && request_.isVersion11) return refuse(400, "There is no host.");
    if (request_.isChunked && request_.contentLength)
        return refuse(400, "There is a length beside chunks.");
    if (request_.lists("connection", "close")) request_.isPersistent = false;
    if (request_.isChunked) {
        state_ = State::ChunkSize;
        trailerBytes_ = 0;
    } else if (request_.contentLength.value_or(0) > 0) {
        state_ = State::Counted;
        left_ = *request_.contentLength;
    } else {
        state_ = State::NoBody;
    }
    return true;
}

HttpParser::Event HttpParser::readCounted(std::string_view& input) {
    if (input.empty()) return Event::NeedMore;
    data_ = input.substr(0, std::size_t(std::min<std::uint64_t>(left_, input.size())));
    input.remove_prefix(data_.size());
    left_ -= data_.size();
    if (left_ == 0) state_ = state_ == State::Counted ? State::NoBody : State::ChunkEnd;
    return Event::Data;
}

// A line between chunks, or of the trailer.
HttpParser::Event HttpParser::readLine(std::string_view& input) {
    while (!input.empty()) {
        const auto feed = input.find('\n');
        const std::string_view taken =
            input.substr(0, feed == std::string_view::npos ? feed : feed + 1);
        if (head_.size() + taken.size() > chunkLineMax && state_ != State::Trailer)
            return fail(400, "The line before a chunk is too long.");
        if (state_ == State::Trailer && (trailerBytes_ += taken.size()) > trailerBytesMax)
            return fail(431, "The trailer is too large.");
        head_.append(taken);
        input.remove_prefix(taken.size());
        if (feed == std::string_view::npos) return Event::NeedMore;
        if (!head_.ends_with("\r\n")) return fail(400, "A line ends with a line feed alone.");
        head_.resize(head_.size() - 2);
        if (std::any_of(head_.begin(), head_.end(),
                        [](char c) { return c != '\t' && isControl(c); }))
            return fail(400, "There is a control character between chunks.");
        if (state_ == State::ChunkEnd) {
            if (!head_.empty()) return fail(400, "A chunk is longer than it says.");
            state_ = State::ChunkSize;
        } else if (state_ == State::ChunkSize) {
            const Event event = takeChunkSize();
            if (event == Event::Failure || state_ == State::ChunkData) {
                head_.clear();
                if (event == Event::Failure) return event;
                return readCounted(input);
            }
        } else if (head_.empty()) {  // the trailer's end
            return end();
        } else {
            // Nobody here uses trailers; they have to be fields all the same.
            const auto colon = head_.find(':');
            if (colon == std::string::npos ||
                !isHttpToken(std::string_view{head_}.substr(0, colon)))
                return fail(400, "A line of the trailer is no field.");
        }
        head_.clear();
    }
    return Event::NeedMore;
}

HttpParser::Event HttpParser::takeChunkSize() {
    // Extensions are ignored, as they must be (RFC 9112, 7.1.1).
    std::string_view digits{head_};
    const auto semicolon = digits.find(';');
    digits = digits.substr(0, semicolon);
    if (semicolon != std::string_view::npos)
        while (digits.ends_with(' ') || digits.ends_with('\t')) digits.remove_suffix(1);
    std::uint64_t size = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), size, 16);
    if (digits.empty() || digits.front() == '-' || parsed.ec != std::errc{} ||
        parsed.ptr != digits.data() + digits.size() || size > bodyBytesMost)
        return fail(400, "The size of a chunk is no number.");
    left_ = size;
    state_ = size > 0 ? State::ChunkData : State::Trailer;
    return Event::NeedMore;
}

HttpParser::Event HttpParser::end() {
    state_ = State::Head;
    head_.clear();
    return Event::End;
}

HttpParser::Event HttpParser::fail(int status, std::string_view problem) {
    state_ = State::Failed;
    status_ = status;
    problem_ = problem;
    return Event::Failure;
}

}  // namespace epode
