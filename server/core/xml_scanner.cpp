#include "core/xml_scanner.h"

#include <algorithm>
#include <cstring>

namespace epode {

XmlScanner::Found XmlScanner::scan(std::string_view piece) {
    Found found;
    const char* at = piece.data();
    const char* const end = at + piece.size();
    const auto skipTo = [&](char c) {
        const void* const hit = std::memchr(at, c, std::size_t(end - at));
        return hit ? static_cast<const char*>(hit) : end;
    };
    while (at != end && !found.hasEnd) {
        switch (state_) {
            case State::Text:
                at = skipTo('<');
                if (at == end) break;
                ++at;
                state_ = State::Open;
                break;
            case State::Quoted:
                at = skipTo(quote_);
                if (at == end) break;
                ++at;
                state_ = quotedIn_;
                break;
            case State::Open:
            case State::Bang:
            case State::BangDash:
                at = readOpen(at);
                break;
            case State::StartTag:
            case State::EndTag:
            case State::Declaration:
                at = readTag(at, end, found);
                break;
            case State::Comment:
                at = readUntil(at, end, '-', 2);
                break;
            case State::Cdata:
                at = readUntil(at, end, ']', 2);
                break;
            case State::Instruction:
                at = readUntil(at, end, '?', 1);
                break;
        }
    }
    found.bytes = std::size_t(at - piece.data());
    return found;
}

// One byte decides what a `<` begins.
const char* XmlScanner::readOpen(const char* at) {
    const char c = *at;
    marks_ = 0;
    if (state_ == State::Open) {
        switch (c) {
            case '/':
                state_ = State::EndTag;
                break;
            case '!':
                state_ = State::Bang;
                break;
            case '?':
                state_ = State::Instruction;
                break;
            default:
                state_ = State::StartTag;
                return at;  // it may be a quote or the end
        }
    } else if (state_ == State::Bang) {
        state_ = c == '-' ? State::BangDash : c == '[' ? State::Cdata : State::Declaration;
    } else {
        state_ = State::Comment;
    }
    return at + 1;
}

const char* XmlScanner::readTag(const char* at, const char* end, Found& found) {
    for (; at != end; ++at) {
        const char c = *at;
        if (c == '>') break;
        if (c == '\'' || c == '"') {
            quote_ = c;
            quotedIn_ = state_;
            state_ = State::Quoted;
            return at + 1;
        }
        hasSlash_ = c == '/';
    }
    if (at == end) return at;
    found.hasTagEnd = true;
    if (isHeader_) {
        isHeader_ = false;
        found.hasEnd = true;
    } else if (state_ == State::StartTag) {
        if (!hasSlash_) ++depth_;
        found.hasEnd = depth_ == 0;
    } else if (state_ == State::EndTag) {
        // Without an element it is the end of the stream.
        if (depth_ > 0) --depth_;
        found.hasEnd = depth_ == 0;
    }
    state_ = State::Text;
    return at + 1;
}

// To behind a `>` that follows as many marks at least.
const char* XmlScanner::readUntil(const char* at, const char* end, char mark, unsigned marks) {
    for (; at != end; ++at) {
        if (*at == '>' && marks_ >= marks) {
            state_ = State::Text;
            return at + 1;
        }
        marks_ = *at == mark ? std::min(marks_ + 1, marks) : 0;
    }
    return at;
}

}  // namespace epode
