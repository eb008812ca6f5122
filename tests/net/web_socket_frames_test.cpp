// RFC 6455: frames, as a server reads and writes them.
#include "net/web_socket_frames.h"
#include "tests/support/catch.h"

#include <string>
#include <vector>

using namespace epode;

namespace {

using Event = WebSocketReader::Event;

// A frame as a client sends it. `first` is the first byte: the end bit, reserved bits and opcode.
std::string frame(unsigned first, std::string_view payload, bool isMasked = true) {
    const std::string key = "\x37\xfa\x21\x3d";
    std::string bytes(1, char(first));
    const unsigned mask = isMasked ? 0x80 : 0;
    if (payload.size() < 126) {
        bytes += char(mask | payload.size());
    } else if (payload.size() < 65536) {
        bytes += char(mask | 126);
        bytes += char(payload.size() >> 8);
        bytes += char(payload.size() & 0xFF);
    } else {
        bytes += char(mask | 127);
        for (int i = 7; i >= 0; --i) bytes += char(std::uint64_t(payload.size()) >> (8 * i));
    }
    if (isMasked) bytes += key;
    for (std::size_t i = 0; i < payload.size(); ++i)
        bytes += isMasked ? char(payload[i] ^ key[i % 4]) : payload[i];
    return bytes;
}

// "text:hello;ping:;close1000:bye;!1002"
std::string read(std::string_view bytes, std::size_t step = 0, std::size_t most = 1000) {
    WebSocketReader reader{most};
    std::string all;
    std::size_t at = 0;
    while (at < bytes.size()) {
        const std::size_t size = step == 0 ? bytes.size() : std::min(step, bytes.size() - at);
        std::string_view input = bytes.substr(at, size);
        at += size;
        while (!input.empty()) {
            const Event event = reader.next(input);
            const auto add = [&](const std::string& name) {
                all.append(name).append(":").append(reader.payload()).append(";");
            };
            if (event == Event::Failure) return all + "!" + std::to_string(unsigned(reader.code()));
            if (event == Event::Text) add("text");
            if (event == Event::Binary) add("binary");
            if (event == Event::Ping) add("ping");
            if (event == Event::Pong) add("pong");
            if (event == Event::Close) add("close" + std::to_string(unsigned(reader.code())));
        }
    }
    return all;
}

std::string closing(unsigned code, std::string_view reason = {}) {
    std::string payload{char(code >> 8), char(code & 0xFF)};
    return frame(0x88, payload.append(reason));
}

}  // namespace

TEST_CASE("messages and control frames are read, however they are cut") {
    const std::string medium(300, 'm');
    const std::string large(70000, 'l');
    struct Row {
        std::string bytes;
        std::string expected;
    };
    const std::vector<Row> rows{
        {frame(0x81, "Hello"), "text:Hello;"},
        {frame(0x81, ""), "text:;"},
        {frame(0x82, "\x01\x02"), "binary:\x01\x02;"},
        {frame(0x01, "Hel") + frame(0x80, "lo"), "text:Hello;"},
        {frame(0x01, "") + frame(0x00, "Hel") + frame(0x00, "") + frame(0x80, "lo"), "text:Hello;"},
        {frame(0x01, "Hel") + frame(0x89, "p") + frame(0x80, "lo"), "ping:p;text:Hello;"},
        {frame(0x01, "Hel") + frame(0x80, ""), "text:Hel;"},
        {frame(0x89, "") + frame(0x8A, "x"), "ping:;pong:x;"},
        {frame(0x81, medium), "text:" + medium + ";"},
        {frame(0x81, large), "text:" + large + ";"},
        {frame(0x81, "gr\xC3\xBC\xC3\x9F \xF0\x9F\x8C\xB9"),
         "text:gr\xC3\xBC\xC3\x9F \xF0\x9F\x8C\xB9;"},
        // A character may be cut by fragments.
        {frame(0x01, "\xC3") + frame(0x80, "\xBC"), "text:\xC3\xBC;"},
        {frame(0x88, ""), "close1005:;"},
        {closing(1000, "bye"), "close1000:bye;"},
        {closing(3000) + frame(0x81, "x"), "close3000:;text:x;"},
        {closing(4999), "close4999:;"},
    };
    for (const auto& [bytes, expected] : rows) {
        CHECK(read(bytes, 0, 100000) == expected);
        if (bytes.size() < 1000)
            for (const std::size_t step : {1, 2, 3, 5})
                CHECK(read(bytes, step, 100000) == expected);
    }
}

TEST_CASE("frames that break the rules end the connection, with the code for it") {
    std::string longLength = frame(0x81, std::string(300, 'x'));
    longLength[2] = 0;
    longLength[3] = 5;  // 5 bytes, said in the long way
    std::string longerLength = frame(0x81, std::string(70000, 'x'));
    for (int i = 2; i < 10; ++i) longerLength[std::size_t(i)] = 0;
    std::string negative = frame(0x81, std::string(70000, 'x'));
    negative[2] = char(0x80);
    struct Row {
        std::string bytes;
        std::string expected;
    };
    const std::vector<Row> rows{
        {frame(0x81, "Hello", false), "!1002"},  // RFC 6455, 5.1: not masked
        {frame(0x89, "", false), "!1002"},
        {frame(0xC1, "x"), "!1002"},  // reserved bits
        {frame(0xA1, "x"), "!1002"},
        {frame(0x91, "x"), "!1002"},
        {frame(0x83, "x"), "!1002"},  // reserved opcodes
        {frame(0x87, "x"), "!1002"},
        {frame(0x8B, "x"), "!1002"},
        {frame(0x8F, "x"), "!1002"},
        {frame(0x80, "x"), "!1002"},  // nothing to continue
        {frame(0x00, "x"), "!1002"},
        {frame(0x01, "x") + frame(0x81, "y"), "!1002"},  // one message within another
        {frame(0x01, "x") + frame(0x02, "y"), "!1002"},
        {frame(0x09, "x"), "!1002"},  // a control frame in fragments
        {frame(0x89, std::string(126, 'x')), "!1002"},
        {frame(0x88, "x"), "!1002"},  // half of a code
        {closing(0), "!1002"},
        {closing(999), "!1002"},
        {closing(1004), "!1002"},
        {closing(1005), "!1002"},
        {closing(1006), "!1002"},
        {closing(1015), "!1002"},
        {closing(2999), "!1002"},
        {closing(5000), "!1002"},
        {closing(1000, "\xC3"), "!1007"},
        {longLength, "!1002"},
        {longerLength, "!1002"},
        {negative, "!1002"},
        {frame(0x81, "\xFF"), "!1007"},
        {frame(0x81, "\xC0\xBC"), "!1007"},      // overlong
        {frame(0x81, "\xED\xA0\x80"), "!1007"},  // a surrogate
        {frame(0x81, "\xF4\x90\x80\x80"), "!1007"},
        {frame(0x81, "abc\xE2\x82"), "!1007"},
        {frame(0x01, "\xC3") + frame(0x80, "x"), "!1007"},
        {frame(0x81, std::string(1001, 'x')), "!1009"},
        {frame(0x01, std::string(600, 'x')) + frame(0x80, std::string(600, 'x')), "!1009"},
    };
    for (const auto& [bytes, expected] : rows) {
        CHECK(read(bytes) == expected);
        CHECK(read(bytes, 1) == expected);
    }
}

TEST_CASE("an oversized message is refused by its head, before it has come") {
    CHECK(read(frame(0x81, std::string(2000, 'x')).substr(0, 8)) == "!1009");
}

TEST_CASE("frames of the server are not masked, and as short as they can be") {
    const auto written = [](std::string_view payload) {
        std::string out;
        addFrame(out, WebSocketOpcode::Text, payload);
        return out;
    };
    CHECK(written("Hello") == "\x81\x05Hello");
    CHECK(written(std::string(125, 'x')).size() == 127);
    CHECK(written(std::string(126, 'x')).substr(0, 4) == std::string("\x81\x7E\x00\x7E", 4));
    CHECK(written(std::string(65535, 'x')).size() == 65539);
    CHECK(written(std::string(65536, 'x')).substr(0, 10) ==
          std::string("\x81\x7F\0\0\0\0\0\x01\0\0", 10));
    std::string out;
    addCloseFrame(out, WebSocketClose::Normal);
    CHECK(out == "\x88\x02\x03\xE8");
}

TEST_CASE("the key of the handshake is answered as in RFC 6455, 1.3") {
    CHECK(webSocketAccept("dGhlIHNhbXBsZSBub25jZQ==") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}
