#include "net/web_socket_frames.h"

#include "core/base64.h"
#include "core/digest.h"
#include "net/message_deflate.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace epode {

namespace {

constexpr std::uint8_t continuation = 0;
constexpr std::uint8_t text = 1;
constexpr std::uint8_t binary = 2;
constexpr std::uint8_t ping = 9;
constexpr std::uint8_t pong = 10;
constexpr std::size_t controlBytesMax = 125;

constexpr unsigned compressedBit = 0x40;

bool isControlFrame(std::uint8_t opcode) { return opcode & 8; }

// `at` is where in the payload these bytes stand.
void unmask(char* bytes, std::size_t size, const char* key, std::size_t at) {
    char turned[8];
    for (std::size_t i = 0; i < 8; ++i) turned[i] = key[(at + i) % 4];
    std::uint64_t mask;
    std::memcpy(&mask, turned, 8);
    std::size_t i = 0;
    for (; i + 8 <= size; i += 8) {
        std::uint64_t word;
        std::memcpy(&word, bytes + i, 8);
        word ^= mask;
        std::memcpy(bytes + i, &word, 8);
    }
    for (; i < size; ++i) bytes[i] = char(bytes[i] ^ turned[i % 8]);
}

// What comes whole is unmasked here, so that idle connections keep no buffer.
std::string& scratch() {
    thread_local std::string bytes;
    return bytes;
}

}  // namespace

bool isUtf8(std::string_view text) {
    const auto* at = reinterpret_cast<const unsigned char*>(text.data());
    const auto* const end = at + text.size();
    while (at != end) {
        if (end - at >= 8) {
            std::uint64_t word;
            std::memcpy(&word, at, 8);
            if ((word & 0x8080808080808080u) == 0) {
                at += 8;
                continue;
            }
        }
        const unsigned char lead = *at++;
        if (lead < 0x80) continue;
        const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
        if (lead < 0xC2 || lead > 0xF4 || end - at < more) return false;
        const unsigned char first = *at;
        if (lead == 0xE0 && first < 0xA0) return false;
        if (lead == 0xED && first > 0x9F) return false;
        if (lead == 0xF0 && first < 0x90) return false;
        if (lead == 0xF4 && first > 0x8F) return false;
        for (int i = 0; i < more; ++i)
            if ((*at++ & 0xC0) != 0x80) return false;
    }
    return true;
}

WebSocketReader::Event WebSocketReader::next(std::string_view& input) {
    if (isFailed_) {
        input = {};
        return Event::Failure;
    }
    payload_ = {};
    while (true) {
        if (isInPayload_) return takePayload(input);
        if (input.empty()) return Event::NeedMore;
        header_[headerBytes_++] = input.front();
        input.remove_prefix(1);
        if (headerBytes_ < 2) continue;
        if (headerBytes_ == 2) {
            const auto first = static_cast<unsigned char>(header_[0]);
            const auto second = static_cast<unsigned char>(header_[1]);
            // The three bits belong to extensions. The one that there may be has the first, in the
            // first frame of a message.
            opcode_ = first & 0x0F;
            const bool isCompressed = first & compressedBit;
            const bool mayBe = mayBeCompressed_ && (opcode_ == text || opcode_ == binary);
            if ((first & 0x30) || (isCompressed && !mayBe))
                return fail(WebSocketClose::ProtocolError);
            if (opcode_ == text || opcode_ == binary) isCompressed_ = isCompressed;
            isFinal_ = first & 0x80;
            // RFC 6455, 5.1: a server must not take what is not masked.
            if (!(second & 0x80)) return fail(WebSocketClose::ProtocolError);
            const unsigned length = second & 0x7F;
            headerSize_ = length == 127 ? 14 : length == 126 ? 8 : 6;
            if (isControlFrame(opcode_)) {
                if (opcode_ > pong || !isFinal_ || length > controlBytesMax)
                    return fail(WebSocketClose::ProtocolError);
            } else if (opcode_ > binary) {
                return fail(WebSocketClose::ProtocolError);
            } else if ((opcode_ == continuation) != (messageOpcode_ != 0)) {
                return fail(WebSocketClose::ProtocolError);
            }
        }
        if (headerBytes_ == headerSize_) {
            const Event event = takeHeader();
            if (event != Event::NeedMore) return event;
        }
    }
}

WebSocketReader::Event WebSocketReader::takeHeader() {
    const unsigned length = static_cast<unsigned char>(header_[1]) & 0x7F;
    const auto number = [&](std::size_t bytes) {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < bytes; ++i)
            value = value << 8 | static_cast<unsigned char>(header_[2 + i]);
        return value;
    };
    left_ = length == 127 ? number(8) : length == 126 ? number(2) : length;
    // RFC 6455, 5.2: the shortest way has to be used, and the highest bit is 0.
    if ((length == 126 && left_ < 126) || (length == 127 && (left_ < 65536 || left_ >> 63)))
        return fail(WebSocketClose::ProtocolError);
    if (!isControlFrame(opcode_)) {
        if (left_ > messageBytesMax_ || message_.size() + left_ > messageBytesMax_)
            return fail(WebSocketClose::TooBig);
        if (opcode_ != continuation) messageOpcode_ = opcode_;
    }
    done_ = 0;
    isInPayload_ = true;
    return Event::NeedMore;
}

WebSocketReader::Event WebSocketReader::takePayload(std::string_view& input) {
    const auto size = std::size_t(std::min<std::uint64_t>(left_, input.size()));
    const char* const key = header_.data() + headerSize_ - 4;
    std::string& kept = isControlFrame(opcode_) ? control_ : message_;
    if (size == left_ && kept.empty()) {
        std::string& whole = scratch();
        whole.assign(input.substr(0, size));
        unmask(whole.data(), size, key, done_);
        input.remove_prefix(size);
        left_ = 0;
        payload_ = whole;
        return endFrame();
    }
    const std::size_t before = kept.size();
    kept.append(input.substr(0, size));
    unmask(kept.data() + before, size, key, done_);
    input.remove_prefix(size);
    done_ += size;
    left_ -= size;
    if (left_ > 0) return Event::NeedMore;
    return endFrame();
}

WebSocketReader::Event WebSocketReader::endFrame() {
    isInPayload_ = false;
    headerBytes_ = headerSize_ = 0;
    if (isControlFrame(opcode_)) {
        if (!control_.empty()) {
            scratch().swap(control_);
            control_ = {};
            payload_ = scratch();
        }
        if (opcode_ == ping) return Event::Ping;
        if (opcode_ == pong) return Event::Pong;
        code_ = WebSocketClose::NoStatus;
        if (payload_.empty()) return Event::Close;
        if (payload_.size() < 2) return fail(WebSocketClose::ProtocolError);
        const unsigned code = static_cast<unsigned char>(payload_[0]) * 256u +
                              static_cast<unsigned char>(payload_[1]);
        payload_.remove_prefix(2);
        // RFC 6455, 7.4: some are for use within a program, some for nobody.
        const bool isDefined = (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) ||
                               (code >= 3000 && code <= 4999);
        if (!isDefined) return fail(WebSocketClose::ProtocolError);
        if (!isUtf8(payload_)) return fail(WebSocketClose::BadData);
        code_ = WebSocketClose(code);
        return Event::Close;
    }
    if (!isFinal_) {
        // A fragment that came whole is kept for the rest.
        if (!payload_.empty()) message_.append(payload_);
        payload_ = {};
        return Event::NeedMore;
    }
    if (!message_.empty()) {
        message_.append(payload_);
        scratch().swap(message_);
        message_ = {};
        payload_ = scratch();
    }
    const bool isText = std::exchange(messageOpcode_, std::uint8_t{0}) == text;
    if (!isText) return Event::Binary;
    if (isCompressed_) {
        thread_local std::string inflated;
        switch (inflateMessage(payload_, messageBytesMax_, inflated)) {
            case Inflated::Whole:
                payload_ = inflated;
                break;
            case Inflated::TooLarge:
                return fail(WebSocketClose::TooBig);
            case Inflated::Broken:
                return fail(WebSocketClose::BadData);
        }
    }
    if (!isUtf8(payload_)) return fail(WebSocketClose::BadData);
    return Event::Text;
}

WebSocketReader::Event WebSocketReader::fail(WebSocketClose code) {
    isFailed_ = true;
    code_ = code;
    message_ = {};
    control_ = {};
    return Event::Failure;
}

void addFrameHead(std::string& out, WebSocketOpcode opcode, std::size_t payloadBytes,
                  bool isCompressed) {
    out.push_back(char(0x80 | (isCompressed ? compressedBit : 0) | unsigned(opcode)));
    if (payloadBytes < 126) {
        out.push_back(char(payloadBytes));
        return;
    }
    const int bytes = payloadBytes < 65536 ? 2 : 8;
    out.push_back(char(bytes == 2 ? 126 : 127));
    for (int i = bytes - 1; i >= 0; --i)
        out.push_back(char(std::uint64_t(payloadBytes) >> (8 * i)));
}

void addFrame(std::string& out, WebSocketOpcode opcode, std::string_view payload) {
    addFrameHead(out, opcode, payload.size());
    out.append(payload);
}

void addCloseFrame(std::string& out, WebSocketClose code) {
    const auto number = unsigned(code);
    if (code == WebSocketClose::NoStatus) {
        addFrame(out, WebSocketOpcode::Close, {});
        return;
    }
    const char bytes[2] = {char(number >> 8), char(number & 0xFF)};
    addFrame(out, WebSocketOpcode::Close, {bytes, 2});
}

std::string webSocketAccept(std::string_view key) {
    std::string joined{key};
    joined.append("258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    return encodeBase64(digest(Hash::Sha1, joined));
}

}  // namespace epode
