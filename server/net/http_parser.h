// Cuts the bytes of a connection into requests of HTTP/1.1 (RFC 9112), strictly: whatever two
// programs could read in two ways (bare line feeds, folded fields, two lengths, a length beside
// chunks, spaces before a colon) is refused, because a proxy before us may have read it the other
// way.
#pragma once

#include "net/http_message.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace epode {

struct HttpParserLimits {
    std::size_t targetBytesMax = 8 * 1024;
    std::size_t headBytesMax = 16 * 1024;  // request line and fields
    std::size_t fieldsMax = 100;
};

class HttpParser {
public:
    enum class Event : std::uint8_t {
        NeedMore,  // all input was taken
        Head,      // request() is there; `end` follows at once when it has no body
        Data,      // data() has a part of the body
        End,       // the request is complete; the next one may follow
        Failure,   // status() and problem() tell why; nothing more is read
    };

    explicit HttpParser(HttpParserLimits limits = {}) : limits_{limits} {}

    // Takes from the front of `input` up to the next event.
    Event next(std::string_view& input);

    // After Head, until the next Head.
    HttpRequest& request() { return request_; }
    // A view of the input.
    std::string_view data() const { return data_; }
    int status() const { return status_; }
    std::string_view problem() const { return problem_; }

    // No byte of a request has come since the last one ended.
    bool isBetween() const { return state_ == State::Head && head_.empty(); }

private:
    enum class State : std::uint8_t {
        Head,
        NoBody,
        Counted,    // by Content-Length
        ChunkSize,  // a line
        ChunkData,
        ChunkEnd,  // CRLF
        Trailer,   // lines up to an empty one
        Failed,
    };

    Event readHead(std::string_view& input);
    Event readLine(std::string_view& input);
    Event readCounted(std::string_view& input);
    Event takeChunkSize();
    Event takeHead(std::string_view head);
    bool takeRequestLine(std::string_view line);
    bool takeTarget(std::string_view target);
    bool takeAuthority(std::string_view authority);
    bool takePath(std::string_view path);
    bool takeField(std::string_view line);
    bool judge();
    Event end();
    Event fail(int status, std::string_view problem);
    bool refuse(int status, std::string_view problem) {
        fail(status, problem);
        return false;
    }

    HttpParserLimits limits_;
    HttpRequest request_;
    std::string head_;  // what has come of a head, or of a line between chunks
    std::string_view data_;
    std::string_view problem_;
    std::uint64_t left_ = 0;  // of the body, or of the chunk
    std::size_t trailerBytes_ = 0;
    int status_ = 0;
    State state_ = State::Head;
    bool isHostOfTarget_ = false;
    bool skippedEmptyLine_ = false;
};

}  // namespace epode
