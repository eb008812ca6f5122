// The transport of a stream over WebSocket (RFC 7395): the stream above reads and writes XML as
// over TCP; here it is cut into messages, and its header and end become <open/> and <close/>.
#pragma once

#include "core/executor.h"
#include "net/address_limit.h"
#include "net/transport.h"
#include "net/web_socket_frames.h"

#include <memory>
#include <string>
#include <string_view>

namespace epode {

class WebSocketTransport final : public Transport, private TransportUser {
public:
    struct Settings {
        std::string address;    // the client's
        bool isSecure = false;  // nobody can read what goes between the client and us
        std::size_t bytesBeforeLogin = 16384;
        std::size_t bytesAfterLogin = 262144;
        unsigned deflateBits = 0;  // 0: messages are not compressed (RFC 7692)
        AddressLimit::Place place{};
    };

    // Takes a connection whose opening handshake is done. It runs on the current executor.
    WebSocketTransport(std::unique_ptr<Transport> connection, Settings settings);
    ~WebSocketTransport() override;

    // After the user is set: tells it about TLS, and takes what the client has sent already.
    void begin(std::string early);

    void setUser(TransportUser& user) override { user_ = &user; }
    std::string& output() override { return text_; }
    void wantFlush() override;
    std::size_t unsentBytes() const override;
    void closeGracefully() override;
    void abort() override;
    void startTls(const TlsServerContext&) override {}
    void startTls(const TlsClientContext&, std::string_view) override {}
    bool mayStartTls() const override { return false; }
    const TlsInfo* tls() const override;
    void forgetLoginSecrets() override;
    void pauseReading() override;
    void resumeReading() override;
    std::string peerAddress() const override { return address_; }
    std::string localAddress() const override { return connection_->localAddress(); }

private:
    enum class Phase : std::uint8_t { Open, Closing, Closed };

    void onData(std::string_view bytes) override;
    void onDrained() override {
        if (phase_ == Phase::Open) user_->onDrained();
    }
    void onClosed(std::string_view reason) override;
    void doMove(std::unique_ptr<Transport> self, Executor& to,
                UniqueFunction<void(std::unique_ptr<Transport>)> arrived) override;

    void take(std::string_view bytes);
    bool takeMessage(std::string_view text);
    bool deliver(std::string_view xml);
    void takeLater();
    void takeClose();
    void writePieces();
    void writeMessage(std::string_view before, std::string_view inserted, std::string_view after);
    void closeWith(WebSocketClose code);

    std::unique_ptr<Transport> connection_;
    TransportUser* user_ = nullptr;
    WebSocketReader reader_;
    std::string text_;  // what the user has written and is not sent
    std::string rest_;  // what came while the user wanted nothing
    std::string address_;
    std::size_t bytesAfterLogin_;
    AddressLimit::Place place_;
    bool* gone_ = nullptr;  // set by the destructor, while a call of the user's is under way
    std::shared_ptr<int> isAlive_;  // for what is posted
    Phase phase_ = Phase::Open;
    std::uint8_t deflateBits_;
    bool isSecure_ : 1;
    bool isPaused_ : 1 = false;
    bool isMoving_ : 1 = false;
    bool isTaking_ : 1 = false;
    bool expectsOpen_ : 1 = true;  // <open/> has to come next
    bool hasEnded_ : 1 = false;    // our <close/> is sent
};

}  // namespace epode
