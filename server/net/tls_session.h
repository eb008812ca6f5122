// TLS of one connection, without I/O: bytes from the peer go in, plain text comes out, and what the
// peer must get is appended to a string of the caller's. It holds no buffer between two calls
// except for a record that has come in part.
#pragma once

#include "net/tls_context.h"
#include "net/transport.h"

#include <memory>
#include <string>
#include <string_view>

struct bio_st;
struct bio_method_st;

namespace epode {

class TlsSession {
public:
    enum class State : std::uint8_t { Handshaking, Open, ClosedByPeer, Failed };

    // Both throw TlsError when OpenSSL has no memory for it.
    static std::unique_ptr<TlsSession> server(std::shared_ptr<const TlsContextSet> contexts);
    static std::unique_ptr<TlsSession> client(const TlsClientContext& context,
                                              const std::string& serverName);
    ~TlsSession();
    TlsSession(const TlsSession&) = delete;
    TlsSession& operator=(const TlsSession&) = delete;

    State state() const { return state_; }

    // Goes on with the handshake. What of `input` comes after it is left there.
    State handshake(std::string_view& input, std::string& toPeer);

    // Puts plain text to `plain`, which has `room` for all that `input` and a begun record hold
    // (the bytes of `input` and 17 KiB are enough), and returns how much. A state other than Open
    // says that no more follows.
    std::size_t decrypt(std::string_view input, char* plain, std::size_t room, std::string& toPeer);

    void encrypt(std::string_view plain, std::string& toPeer);

    // close_notify, once.
    void close(std::string& toPeer);

    // What was agreed on; once the state is Open.
    TlsInfo info() const;

    // Lets go of the peer's certificates, which `info` has told.
    void forgetPeer();

    // Why the state is Failed.
    std::string failure() const { return failure_; }

private:
    TlsSession() = default;
    void attach();
    State fail();

    friend struct TlsBio;
    struct Free {
        void operator()(ssl_st* ssl) const;
    };

    std::unique_ptr<ssl_st, Free> ssl_;
    std::string_view input_;         // for OpenSSL to read, within a call
    std::string* output_ = nullptr;  // for OpenSSL to write to, within a call
    // The callbacks of the handshake use them; freed when it is over.
    std::shared_ptr<const TlsContextSet> contexts_;
    std::string failure_;
    State state_ = State::Handshaking;
    bool hasEndPoint_ = true;
    bool isDane_ = false;  // the peer's certificate is judged by the DNS
};

}  // namespace epode
