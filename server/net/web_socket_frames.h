// Frames of WebSocket (RFC 6455, 5), as a server reads and writes them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace epode {

// RFC 6455, 7.4.1.
enum class WebSocketClose : std::uint16_t {
    Normal = 1000,
    GoingAway = 1001,
    ProtocolError = 1002,
    Unsupported = 1003,
    NoStatus = 1005,  // never sent
    BadData = 1007,
    PolicyViolation = 1008,
    TooBig = 1009,
};

// Cuts what a client sends into messages and control frames. Strict: clients have to mask, no
// extension but permessage-deflate can be agreed on, text is UTF-8.
class WebSocketReader {
public:
    enum class Event : std::uint8_t {
        NeedMore,  // all input was taken
        Text,      // payload() is a whole message
        Binary,
        Ping,
        Pong,
        Close,    // code() and payload(), the reason
        Failure,  // code() is what to close with
    };

    explicit WebSocketReader(std::size_t messageBytesMax) : messageBytesMax_{messageBytesMax} {}

    // Takes from the front of `input` up to the next event.
    Event next(std::string_view& input);
    // Valid until the next call, on this thread; it is in no other's way only as long as nobody
    // else reads frames on this thread.
    std::string_view payload() const { return payload_; }
    WebSocketClose code() const { return code_; }
    // Also of what a compressed message becomes.
    void setMessageBytesMax(std::size_t bytes) { messageBytesMax_ = bytes; }
    // Messages may be compressed (RFC 7692), each for itself.
    void allowCompression() { mayBeCompressed_ = true; }

private:
    Event takeHeader();
    Event takePayload(std::string_view& input);
    Event endFrame();
    Event fail(WebSocketClose code);

    std::string message_;  // of fragments, or of a frame that has come in part
    std::string control_;  // the same of a control frame
    std::string_view payload_;
    std::size_t messageBytesMax_;
    std::uint64_t left_ = 0;  // of the payload
    std::size_t done_ = 0;    // bytes of it that were taken, for the mask
    std::array<char, 14> header_{};
    std::uint8_t headerBytes_ = 0;
    std::uint8_t headerSize_ = 0;  // known after the second byte
    std::uint8_t opcode_ = 0;
    std::uint8_t messageOpcode_ = 0;  // of the first fragment; 0: no message is under way
    bool isFinal_ = false;
    bool mayBeCompressed_ = false;
    bool isCompressed_ = false;  // the message under way
    bool isInPayload_ = false;
    bool isFailed_ = false;
    WebSocketClose code_ = WebSocketClose::Normal;
};

enum class WebSocketOpcode : std::uint8_t { Text = 1, Close = 8, Ping = 9, Pong = 10 };
// The head of an unmasked, final frame.
void addFrameHead(std::string& out, WebSocketOpcode opcode, std::size_t payloadBytes,
                  bool isCompressed = false);
void addFrame(std::string& out, WebSocketOpcode opcode, std::string_view payload);
void addCloseFrame(std::string& out, WebSocketClose code);

// What proves in the answer that the server has understood (RFC 6455, 4.2.2).
std::string webSocketAccept(std::string_view key);

// RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF.
bool isUtf8(std::string_view text);

}  // namespace epode
