// Clients of the web server of a TestServer: HTTP, WebSocket and BOSH by hand.
#pragma once

#include "core/base64.h"
#include "net/message_deflate.h"
#include "net/web_socket_frames.h"
#include "tests/stream/conversation.h"

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

// A connection of HTTP.
class WebClient : public TransportUser {
public:
    explicit WebClient(TestServer& server, SimLinkSettings settings = {}, bool isTls = true,
                       unsigned shard = 0)
        : server_{server} {
        auto connection = server.openHttp(settings, isTls, shard);
        transport_ = std::move(connection.client);
        link_ = connection.link;
        transport_->setUser(*this);
        server.run();
        if (isTls) static_cast<SimTransport&>(*transport_).startTls("capulet.example");
        server.run();
    }

    void send(std::string_view bytes) {
        server_.clientExecutor().post([this, text = std::string{bytes}] {
            if (!isClosed) transport_->send(text);
        });
        server_.run();
    }
    // What comes back; drops what came before.
    std::string ask(std::string_view bytes) {
        received.clear();
        send(bytes);
        return received;
    }
    std::string get(std::string_view path, std::string_view fields = {},
                    std::string_view host = "capulet.example") {
        return ask("GET " + std::string{path} + " HTTP/1.1\r\nHost: " + std::string{host} + "\r\n" +
                   std::string{fields} + "\r\n");
    }
    void post(std::string_view body) {
        send(
            "POST /http-bind HTTP/1.1\r\nHost: capulet.example\r\nContent-Type: "
            "text/xml\r\nContent-Length: " +
            std::to_string(body.size()) + "\r\n\r\n" + std::string{body});
    }
    void cut() {
        link_->cut();
        server_.run();
    }

    void onData(std::string_view bytes) override { received.append(bytes); }
    void onClosed(std::string_view) override { isClosed = true; }

    std::string received;
    bool isClosed = false;

protected:
    TestServer& server_;
    std::unique_ptr<Transport> transport_;
    std::shared_ptr<SimLink> link_;
};

inline std::string statusOf(std::string_view answer) { return std::string{answer.substr(9, 3)}; }
inline std::string bodyOf(const std::string& answer) {
    return answer.substr(answer.find("\r\n\r\n") + 4);
}
inline bool has(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

// A frame as clients send it, masked. `first`: the end bit and the opcode.
inline std::string clientFrame(std::string_view payload, unsigned first = 0x81) {
    const std::string key = "\x11\x22\x33\x44";
    std::string bytes(1, char(first));
    if (payload.size() < 126) {
        bytes += char(0x80 | payload.size());
    } else if (payload.size() < 65536) {
        bytes += char(0x80 | 126);
        bytes += char(payload.size() >> 8);
        bytes += char(payload.size() & 0xFF);
    } else {
        bytes += char(0x80 | 127);
        for (int i = 7; i >= 0; --i) bytes += char(std::uint64_t(payload.size()) >> (8 * i));
    }
    bytes += key;
    for (std::size_t i = 0; i < payload.size(); ++i) bytes += char(payload[i] ^ key[i % 4]);
    return bytes;
}

inline constexpr std::string_view upgradeFields =
    "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: xmpp\r\n";

// A client over WebSocket. Every frame of the server has to be whole, unmasked and, if text, one
// element.
class SocketClient : public WebClient {
public:
    explicit SocketClient(TestServer& server, SimLinkSettings settings = {}, bool isTls = true,
                          std::string_view fields = {})
        : WebClient{server, settings, isTls} {
        handshake = get("/xmpp-websocket", std::string{upgradeFields} + std::string{fields});
        received.clear();
    }

    SocketClient& say(std::string_view xml) {
        send(clientFrame(xml));
        return *this;
    }
    SocketClient& open(std::string_view to = "capulet.example") {
        return say("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' to='" + std::string{to} +
                   "' version='1.0'/>");
    }
    // The next frame: its text, "close 1000", "pong x"; "" when there is none.
    std::string next() {
        readFrames();
        if (frames_.empty()) return {};
        auto first = std::move(frames_.front());
        frames_.pop_front();
        return first;
    }
    std::vector<std::string> all() {
        readFrames();
        std::vector<std::string> taken(frames_.begin(), frames_.end());
        frames_.clear();
        return taken;
    }
    SocketClient& forget() {
        all();
        return *this;
    }
    SocketClient& logIn(std::string_view local, std::string_view resource) {
        open().forget();
        const std::string plain = std::string{'\0'} + std::string{local} + '\0' + "secret";
        say("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>" +
            encodeBase64(plain) + "</auth>");
        CHECK(next() == "<success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'></success>");
        open().forget();
        say("<iq xmlns='jabber:client' type='set' id='b'><bind "
            "xmlns='urn:ietf:params:xml:ns:xmpp-bind'><resource>" +
            std::string{resource} + "</resource></bind></iq>");
        return *this;
    }

    std::string handshake;
    int compressedFrames = 0;

private:
    void readFrames() {
        while (received.size() >= 2) {
            const auto byte = [this](std::size_t at) {
                return static_cast<unsigned char>(received[at]);
            };
            const bool isCompressed = byte(0) & 0x40;
            REQUIRE((byte(0) & 0xF0) == (isCompressed ? 0xC0 : 0x80));
            REQUIRE((byte(1) & 0x80) == 0);
            std::size_t length = byte(1);
            std::size_t head = 2;
            if (length == 126) {
                length = byte(2) * 256u + byte(3);
                head = 4;
            } else if (length == 127) {
                length = 0;
                for (std::size_t i = 2; i < 10; ++i) length = length * 256 + byte(i);
                head = 10;
            }
            if (received.size() < head + length) return;
            std::string payload = received.substr(head, length);
            if (isCompressed) {
                const std::string packed = payload;
                REQUIRE(inflateMessage(packed, 1 << 20, payload) == Inflated::Whole);
                ++compressedFrames;
            }
            const unsigned opcode = byte(0) & 0xF;
            received.erase(0, head + length);
            if (opcode == 1) {
                frames_.push_back(payload);
                INFO(payload);
                CHECK(parseElement(payload).document);  // stands by itself
            } else if (opcode == 8) {
                frames_.push_back(
                    "close " + (payload.size() < 2
                                    ? std::string{}
                                    : std::to_string(static_cast<unsigned char>(payload[0]) * 256u +
                                                     static_cast<unsigned char>(payload[1]))));
            } else if (opcode == 10) {
                frames_.push_back("pong " + payload);
            } else {
                FAIL("a frame of opcode " << opcode);
            }
        }
    }

    std::deque<std::string> frames_;
};

}  // namespace epode
