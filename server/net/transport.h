// A connection that carries bytes: TCP, TLS over it, in tests a simulated one; later WebSocket,
// BOSH.
#pragma once

#include "core/executor.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

class TlsClientContext;
class TlsServerContext;

// What TLS has agreed on, for logs, channel binding and certificates. A value: no TLS object behind
// it.
struct TlsInfo {
    std::string version;          // "TLSv1.3"
    std::string cipher;           // "TLS_AES_128_GCM_SHA256"
    std::string serverName;       // SNI, "" when none was sent
    std::string alpn;             // "" when none was agreed
    std::string exporter;         // 32 bytes of tls-exporter (RFC 9266)
    std::string serverEndPoint;   // tls-server-end-point (RFC 5929) of the certificate presented
    std::string peerCertificate;  // DER of the other side's certificate, "" when none
    bool peerVerified = false;    // its chain leads to a trusted authority
    std::string peerProblem;      // why it doesn't, as OpenSSL says it; "" when it does
};

// The side that uses a transport. Called on the transport's executor, never from within a call of
// the user's own to the transport (except `onData`'s own transport calls, which take effect after).
class TransportUser {
public:
    virtual ~TransportUser() = default;
    // `bytes` is a buffer of the loop: whatever is not used now must be copied.
    virtual void onData(std::string_view bytes) = 0;
    // The TLS handshake that `startTls` began has succeeded. (Failure is onClosed.)
    virtual void onSecured() {}
    // The output queue has fallen below its low mark after it was above the high one.
    virtual void onDrained() {}
    // The connection is gone; the last call. `reason` for logs: "closed by peer", "reset", …
    virtual void onClosed(std::string_view reason) = 0;
};

// Owned by its user; freed by dropping it, which closes the connection at once. Everything happens
// on one executor at a time.
class Transport {
public:
    virtual ~Transport() = default;

    virtual void setUser(TransportUser& user) = 0;

    // The output queue. What is appended here leaves at the end of the loop's turn, in one write
    // (or as few TLS records as possible); `wantFlush` tells the loop that there is something.
    // Append whole stanzas. The reference is valid until the turn ends.
    virtual std::string& output() = 0;
    virtual void wantFlush() = 0;
    void send(std::string_view bytes) {
        output().append(bytes);
        wantFlush();
    }
    // Bytes that the peer's slowness keeps here: what `output` held and the kernel did not take.
    virtual std::size_t unsentBytes() const = 0;

    // Sends what is queued, then TLS close_notify, then shuts the connection; onClosed follows when
    // the peer has closed as well, or after a few seconds.
    virtual void closeGracefully() = 0;
    // At once, with what is queued dropped; onClosed follows in a later turn.
    virtual void abort() = 0;

    // Server side of a handshake, after what is queued (<proceed/>) has left. Input that came
    // before the handshake is dropped, never processed (FACTS: what came with <starttls/>).
    virtual void startTls(const TlsServerContext& context) = 0;
    // The client's side, for connections to other servers; `serverName` is what SNI says. The
    // peer's certificate is not judged here: `tls()` has it.
    virtual void startTls(const TlsClientContext& context, std::string_view serverName) = 0;
    // Whether `startTls` is possible at all; what comes over HTTP has its TLS below that, or none.
    virtual bool mayStartTls() const { return true; }
    // Nothing before the handshake has ended.
    virtual const TlsInfo* tls() const = 0;
    // Frees what only login needs (channel bindings, certificates).
    virtual void forgetLoginSecrets() = 0;

    // Stops and resumes reading: back-pressure. Starts resumed.
    virtual void pauseReading() = 0;
    virtual void resumeReading() = 0;

    // To the loop of another shard; from the current executor, at the end of its turn. `arrived`
    // runs there with the transport, before any further onData. Output that is queued goes along.
    // Takes ownership meanwhile: call as Transport::move(std::move(t), …).
    static void move(std::unique_ptr<Transport> transport, Executor& to,
                     UniqueFunction<void(std::unique_ptr<Transport>)> arrived);

    virtual std::string peerAddress() const = 0;  // "192.0.2.1", for limits and logs
    virtual std::string localAddress() const = 0;

protected:
    virtual void doMove(std::unique_ptr<Transport> self, Executor& to,
                        UniqueFunction<void(std::unique_ptr<Transport>)> arrived) = 0;
};

}  // namespace epode
