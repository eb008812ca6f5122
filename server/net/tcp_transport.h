// A connection over a TCP socket, plain or with TLS. An idle one is this object and, with TLS, its
// session: buffers belong to the loop.
#pragma once

#include "net/address_limit.h"
#include "net/event_loop.h"
#include "net/ip_address.h"
#include "net/tls_session.h"
#include "net/transport.h"

#include <memory>
#include <string>

namespace epode {

class TcpTransport final : public Transport, private EventLoop::Source {
public:
    // Takes a connected socket that does not block, on the loop's thread (or before it runs).
    TcpTransport(EventLoop& loop, Fd socket, const IpAddress& peer, AddressLimit::Place place = {});
    ~TcpTransport() override;

    // For the first byte on: a handshake without anything before it (direct TLS, XEP-0368).
    void startDirectTls(const TlsServerContext& context);

    void setUser(TransportUser& user) override { user_ = &user; }
    std::string& output() override;
    void wantFlush() override;
    std::size_t unsentBytes() const override;
    void closeGracefully() override;
    void abort() override;
    void startTls(const TlsServerContext& context) override;
    void startTls(const TlsClientContext& context, std::string_view serverName) override;
    const TlsInfo* tls() const override { return info_; }
    void forgetLoginSecrets() override;
    void pauseReading() override;
    void resumeReading() override;
    std::string peerAddress() const override { return peer_.toText(); }
    std::string localAddress() const override;

    // Unsent bytes above the first make `onDrained` due when they have fallen below the second.
    static constexpr std::size_t highMark = 128 * 1024;
    static constexpr std::size_t lowMark = 32 * 1024;
    // How long a graceful close waits for a slow peer.
    static constexpr Duration lingerMax = std::chrono::seconds{5};

private:
    // Closing: what is queued goes out. Ending: close_notify goes out, and nothing else any more.
    // Lingering: our end is sent, and we wait for the peer's.
    enum class Phase : std::uint8_t { Open, Closing, Ending, Lingering, Closed };
    // Leaving: what was queued before the handshake has to be sent first.
    enum class Tls : std::uint8_t { None, Leaving, Handshaking, Open };

    void doMove(std::unique_ptr<Transport> self, Executor& to,
                UniqueFunction<void(std::unique_ptr<Transport>)> arrived) override;
    void leaveLoop();
    void joinLoop(EventLoop& loop);

    void onReady(std::uint32_t events) override;
    void flush() override;

    void onReadable(std::uint32_t events);
    void takeEncrypted(std::string_view bytes);
    void continueReading();
    void leaveClearText();
    void beginTls();
    void dropEarlyInput();

    void sendString(std::unique_ptr<std::string> string);
    void sendRecords(const std::string& records);
    std::size_t sendNow(std::string_view bytes);
    bool sendBacklog();
    void afterFlush();
    void releaseOutput();

    void fail(std::string reason);
    void closeSocket();
    void watchSocket();
    void finish(std::string_view reason);
    void updateInterest();
    std::uint32_t interest() const;
    bool mayDeliver() const { return phase_ == Phase::Open && !isPaused_ && !isMoving_; }

    // Runs `call`, which may destroy this; false when it did.
    template <typename Call>
    bool survives(Call call);
    // Runs `work` in a later turn, if this is still there.
    void later(void (TcpTransport::*work)());
    void tellFailure();

    EventLoop* loop_;
    TransportUser* user_ = nullptr;
    EventLoop::Handle handle_ = 0;
    Fd socket_;
    std::uint32_t watched_ = 0;
    std::unique_ptr<std::string> output_;   // queued in this turn; plain text
    std::unique_ptr<std::string> backlog_;  // what the kernel did not take, from `sent_` on
    std::size_t sent_ = 0;
    std::unique_ptr<TlsSession> session_;
    std::unique_ptr<TlsInfo> loginInfo_;
    const TlsInfo* info_ = nullptr;
    std::unique_ptr<std::string> unread_;   // came while the user wanted nothing; still encrypted
    std::unique_ptr<std::string> failure_;  // why it is closed, until the user has been told
    Timer linger_;
    bool* gone_ = nullptr;  // set by the destructor, while a call of the user's is under way
    IpAddress peer_;
    Phase phase_ = Phase::Open;
    Tls tls_ = Tls::None;
    bool isPaused_ : 1 = false;
    bool isMoving_ : 1 = false;
    bool isFlushWanted_ : 1 = false;
    bool isAboveHighMark_ : 1 = false;
    bool isWriteBroken_ : 1 = false;
    bool isUnwatched_ : 1 = false;
    bool hasPeerEnded_ : 1 = false;  // by close_notify, while the user wanted nothing
    AddressLimit::Place place_;
};

}  // namespace epode
