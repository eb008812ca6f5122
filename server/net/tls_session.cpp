#include "net/tls_session.h"

#include "core/metric.h"
#include "net/dane.h"
#include "net/tls_error.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstring>

namespace epode {

namespace {

Counter handshakes{"net_tls_handshakes_total", "TLS handshakes that succeeded"};
Counter resumptions{"net_tls_resumptions_total", "TLS handshakes that resumed an earlier session"};
Counter failures{"net_tls_failures_total",
                 "TLS connections that ended in a handshake or record failure"};

std::string derOf(X509* certificate) {
    unsigned char* bytes = nullptr;
    const auto size = i2d_X509(certificate, &bytes);
    if (size <= 0) return {};
    std::string der(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    return der;
}

// RFC 5929, 4.1: the hash of the certificate's signature, but SHA-256 in place of the broken ones.
// Undefined, hence "", for signatures that have no hash of their own.
std::string endPointBinding(X509* certificate) {
    int digest = NID_undef;
    if (!certificate ||
        X509_get_signature_info(certificate, &digest, nullptr, nullptr, nullptr) != 1) {
        return {};
    }
    if (digest == NID_md5 || digest == NID_sha1) digest = NID_sha256;
    const auto* type = EVP_get_digestbynid(digest);
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (!type || X509_digest(certificate, type, bytes, &size) != 1) return {};
    return {reinterpret_cast<const char*>(bytes), size};
}

// RFC 9266. In TLS 1.2 the value is unique to the connection only with the extended master secret.
std::string exporter(SSL* ssl) {
    if (SSL_version(ssl) < TLS1_3_VERSION && SSL_get_extms_support(ssl) != 1) return {};
    static constexpr std::string_view label = "EXPORTER-Channel-Binding";
    static constexpr unsigned char noContext = 0;
    unsigned char value[32];
    if (SSL_export_keying_material(ssl, value, sizeof value, label.data(), label.size(), &noContext,
                                   0, 1) != 1) {
        return {};
    }
    return {reinterpret_cast<const char*>(value), sizeof value};
}

}  // namespace

// The carrier of OpenSSL's bytes: reads from the input of the call under way and appends to its
// output. A pair of memory BIOs would keep 2 KiB for each connection.
struct TlsBio {
    static const BIO_METHOD* method() {
        static const BIO_METHOD* const method = make();
        return method;
    }

    static BIO_METHOD* make() {
        auto* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "transport");
        BIO_meth_set_read_ex(method, read);
        BIO_meth_set_write_ex(method, write);
        BIO_meth_set_ctrl(method, control);
        BIO_meth_set_create(method, [](BIO* bio) {
            BIO_set_init(bio, 1);
            return 1;
        });
        return method;
    }

    static int read(BIO* bio, char* to, std::size_t size, std::size_t* done) {
        auto& input = static_cast<TlsSession*>(BIO_get_data(bio))->input_;
        BIO_clear_retry_flags(bio);
        *done = std::min(size, input.size());
        if (*done == 0) {
            BIO_set_retry_read(bio);
            return 0;
        }
        std::memcpy(to, input.data(), *done);
        input.remove_prefix(*done);
        return 1;
    }

    static int write(BIO* bio, const char* from, std::size_t size, std::size_t* done) {
        BIO_clear_retry_flags(bio);
        auto* output = static_cast<TlsSession*>(BIO_get_data(bio))->output_;
        if (!output) return 0;
        output->append(from, size);
        *done = size;
        return 1;
    }

    static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH; }
};

void TlsSession::Free::operator()(ssl_st* ssl) const { SSL_free(ssl); }

TlsSession::~TlsSession() = default;

std::unique_ptr<TlsSession> TlsSession::server(std::shared_ptr<const TlsContextSet> contexts) {
    std::unique_ptr<TlsSession> session{new TlsSession};
    session->ssl_.reset(SSL_new(contexts->fallback()));
    session->attach();
    SSL_set_accept_state(session->ssl_.get());
    session->contexts_ = std::move(contexts);
    return session;
}

std::unique_ptr<TlsSession> TlsSession::client(const TlsClientContext& context,
                                               const std::string& serverName) {
    std::unique_ptr<TlsSession> session{new TlsSession};
    session->ssl_.reset(SSL_new(context.context().get()));
    session->attach();
    SSL_set_connect_state(session->ssl_.get());
    if (!serverName.empty()) SSL_set_tlsext_host_name(session->ssl_.get(), serverName.c_str());
    if (const auto& wanted = context.demand()) {
        demand(session->ssl_.get(), *wanted);
        session->isDane_ = true;
    }
    return session;
}

void TlsSession::attach() {
    auto* bio = ssl_ ? BIO_new(TlsBio::method()) : nullptr;
    if (!bio) throw TlsError{"no TLS session: " + takeOpensslError()};
    BIO_set_data(bio, this);
    SSL_set_bio(ssl_.get(), bio, bio);
}

TlsSession::State TlsSession::handshake(std::string_view& input, std::string& toPeer) {
    input_ = input;
    output_ = &toPeer;
    ERR_clear_error();
    const auto result = SSL_do_handshake(ssl_.get());
    input = input_;
    if (result == 1) {
        state_ = State::Open;
        handshakes.add();
        if (SSL_session_reused(ssl_.get())) {
            resumptions.add();
            // The certificate was shown in an earlier connection, and we don't know which.
            hasEndPoint_ = !contexts_ || !contexts_->hasSeveral(SSL_get_SSL_CTX(ssl_.get()));
        }
        contexts_.reset();
    } else if (SSL_get_error(ssl_.get(), result) != SSL_ERROR_WANT_READ) {
        fail();
    }
    output_ = nullptr;
    return state_;
}

std::size_t TlsSession::decrypt(std::string_view input, char* plain, std::size_t room,
                                std::string& toPeer) {
    input_ = input;
    output_ = &toPeer;
    ERR_clear_error();
    std::size_t total = 0;
    while (total < room) {
        std::size_t got = 0;
        const auto result = SSL_read_ex(ssl_.get(), plain + total, room - total, &got);
        if (result == 1) {
            total += got;
            // Asking once more would only hear that nothing is left.
            if (input_.empty() && SSL_pending(ssl_.get()) == 0) break;
            continue;
        }
        const auto error = SSL_get_error(ssl_.get(), result);
        if (error == SSL_ERROR_ZERO_RETURN) {
            state_ = State::ClosedByPeer;
        } else if (error != SSL_ERROR_WANT_READ) {
            fail();
        }
        break;
    }
    output_ = nullptr;
    return total;
}

void TlsSession::encrypt(std::string_view plain, std::string& toPeer) {
    if (plain.empty() || state_ == State::Failed) return;
    output_ = &toPeer;
    ERR_clear_error();
    std::size_t written = 0;
    // The carrier takes everything, hence all is written or the session is broken.
    if (SSL_write_ex(ssl_.get(), plain.data(), plain.size(), &written) != 1) fail();
    output_ = nullptr;
}

void TlsSession::close(std::string& toPeer) {
    if (state_ == State::Handshaking || state_ == State::Failed) return;
    output_ = &toPeer;
    SSL_shutdown(ssl_.get());
    ERR_clear_error();
    output_ = nullptr;
}

// They are kept for nobody, some KiB for each. The first one is the session's for good: what is large
// of it is taken out. Neither sessions nor certificates are shared with another connection.
void TlsSession::forgetPeer() {
    static constexpr std::string_view filler = "no key, but of the size of one..";
    static const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> noKey{
        EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, nullptr,
                                    reinterpret_cast<const unsigned char*>(filler.data()),
                                    filler.size()),
        EVP_PKEY_free};
    if (X509* const peer = SSL_get0_peer_certificate(ssl_.get())) {
        X509_set_pubkey(peer, noKey.get());
        while (X509_get_ext_count(peer) > 0) X509_EXTENSION_free(X509_delete_ext(peer, 0));
    }
    for (auto* chain : {SSL_get_peer_cert_chain(ssl_.get()), SSL_get0_verified_chain(ssl_.get())})
        while (chain && sk_X509_num(chain) > 0) X509_free(sk_X509_pop(chain));
}

TlsSession::State TlsSession::fail() {
    failures.add();
    failure_ = takeOpensslError();
    contexts_.reset();
    return state_ = State::Failed;
}

TlsInfo TlsSession::info() const {
    auto* ssl = ssl_.get();
    TlsInfo info;
    info.version = SSL_get_version(ssl);
    if (const auto* name = SSL_CIPHER_standard_name(SSL_get_current_cipher(ssl)))
        info.cipher = name;
    if (const auto* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name)) {
        info.serverName = name;
    }
    const unsigned char* alpn = nullptr;
    unsigned alpnLength = 0;
    SSL_get0_alpn_selected(ssl, &alpn, &alpnLength);
    if (alpn) info.alpn.assign(reinterpret_cast<const char*>(alpn), alpnLength);
    info.exporter = exporter(ssl);
    auto* peer = SSL_get0_peer_certificate(ssl);
    if (hasEndPoint_) {
        info.serverEndPoint = endPointBinding(SSL_is_server(ssl) ? SSL_get_certificate(ssl) : peer);
    }
    if (peer) {
        info.peerCertificate = derOf(peer);
        const long verdict = SSL_get_verify_result(ssl);
        info.peerVerified = verdict == X509_V_OK;
        if (info.peerVerified && isDane_ && SSL_get0_dane_authority(ssl, nullptr, nullptr) < 0) {
            info.peerVerified = false;
            info.peerProblem = X509_verify_cert_error_string(X509_V_ERR_DANE_NO_MATCH);
        } else if (!info.peerVerified) {
            info.peerProblem = X509_verify_cert_error_string(verdict);
        }
    }
    ERR_clear_error();
    return info;
}

}  // namespace epode
