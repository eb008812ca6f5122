// Certificates and the rules of TLS: at least 1.2, forward secrecy, AEAD ciphers, no renegotiation,
// no compression, no 0-RTT; sessions resume by tickets, so that the server keeps nothing for them.
#pragma once

#include "net/certificate.h"

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

struct ssl_st;
struct ssl_ctx_st;

namespace epode {

class TicketKeys;
struct DaneDemand;

// A chain and its key in PEM files, and the virtual hosts that present them. Several for one host
// (one of ECDSA, one of RSA) are offered together. The names inside the certificate, wildcards
// included, are served as well where no host is named for them.
struct TlsFiles {
    std::vector<std::string> hosts;
    std::string certificateFile;
    std::string keyFile;
    bool operator==(const TlsFiles&) const = default;
};

// What differs between listeners.
struct TlsProfile {
    std::vector<std::string> alpn;  // what we speak there, preferred first; none: ALPN is ignored
    // Asks for a client's certificate. One that is not trusted, or none, ends nothing: TlsInfo
    // tells what came, and the stream decides.
    bool askClientCertificate = false;
    bool givesTickets = true;  // so that sessions can be resumed
    auto operator<=>(const TlsProfile&) const = default;
};

// One generation of certificates for one profile; immutable, shared by the handshakes that began
// with it.
class TlsContextSet {
public:
    ssl_ctx_st* fallback() const { return fallback_; }
    // The one for a server name as the client sent it, in any case; null when no host has it.
    ssl_ctx_st* find(std::string_view serverName) const;
    // Whether the context chooses among several certificates by what the client can verify.
    bool hasSeveral(ssl_ctx_st* context) const { return several_.contains(context); }

private:
    friend class TlsStore;
    using Context = std::shared_ptr<ssl_ctx_st>;
    static int chooseHost(ssl_st* ssl, int* alert, void* self);
    static int chooseAlpn(ssl_st* ssl, const unsigned char** out, unsigned char* outLength,
                          const unsigned char* in, unsigned inLength, void* self);

    ssl_ctx_st* fallback_ = nullptr;
    std::vector<Context> contexts_;
    std::map<std::string, ssl_ctx_st*, std::less<>> byHost_;
    std::map<std::string, ssl_ctx_st*, std::less<>> byCertificateName_;  // "*.example" too
    std::vector<std::string> alpn_;
    std::set<ssl_ctx_st*> several_;
    // Of this generation alone: a session that is resumed has the certificates it began with, on
    // which tls-server-end-point depends.
    std::shared_ptr<TicketKeys> tickets_;
};

// What a listener gives to `Transport::startTls`. It follows the reloads of its store; handshakes
// under way end with the certificates they began with. One made without a store has no certificate
// and serves simulated transports only.
class TlsServerContext {
public:
    TlsServerContext() = default;
    TlsServerContext(const TlsServerContext&) = delete;
    TlsServerContext& operator=(const TlsServerContext&) = delete;

    // The newest set; null when there is none. From any thread.
    std::shared_ptr<const TlsContextSet> current() const;

private:
    friend class TlsStore;
    mutable std::mutex mutex_;
    std::shared_ptr<const TlsContextSet> current_;
};

// Reads the certificates and keeps the contexts made from them. One thread at a time.
class TlsStore {
public:
    // The first entry serves clients that send no server name or an unknown one. Throws TlsError
    // which names each file that is wrong and why. `trustFile`: authorities for clients'
    // certificates, "" for the system's.
    explicit TlsStore(std::vector<TlsFiles> files, std::string trustFile = {});
    ~TlsStore();

    // Lives as long as the store; one object for equal profiles.
    const TlsServerContext& context(const TlsProfile& profile);

    // Reads all files again, or other ones, and lets the contexts follow. What cannot be read keeps
    // what it had; the sentences tell what is wrong. None: all is well.
    std::vector<std::string> reload();
    std::vector<std::string> reload(std::vector<TlsFiles> files);
    // Whether a file is another one than when it was read last.
    bool hasChangedOnDisk() const;

    // What is presented now, in the order of the files, for status and warnings before expiry.
    struct Presented {
        TlsFiles files;
        CertificateInfo certificate;
    };
    std::vector<Presented> presented() const;

private:
    struct Material;
    using MaterialPtr = std::shared_ptr<const Material>;
    struct TrustStore;

    static MaterialPtr read(const TlsFiles& files);
    std::shared_ptr<const TlsContextSet> build(const TlsProfile& profile) const;

    std::vector<MaterialPtr> materials_;
    std::shared_ptr<TrustStore> trust_;
    std::map<TlsProfile, std::unique_ptr<TlsServerContext>> contexts_;
    // As they were at the last attempt, so that a broken file is complained about once.
    std::map<std::string, std::filesystem::file_time_type> stamps_;
    void stamp(const std::vector<TlsFiles>& files);
};

// The client's side, for connections to other servers. Whether the peer's certificate is the right
// one is for the stream to say (TlsInfo has it, with `peerVerified` for its chain). Immutable.
class TlsClientContext {
public:
    struct Settings {
        std::vector<std::string> alpn;
        std::optional<TlsFiles> certificate;  // shown when the server asks
        std::string trustFile;                // "" for the system's authorities
    };
    // Throws TlsError.
    explicit TlsClientContext(const Settings& settings);

    // The same for a connection whose server the signed DNS says something about. There
    // `peerVerified` tells whether the certificate is what is demanded, not whether it is trusted.
    TlsClientContext demanding(std::shared_ptr<const DaneDemand> demand) const;

    std::shared_ptr<ssl_ctx_st> context() const { return context_; }
    const std::shared_ptr<const DaneDemand>& demand() const { return demand_; }

private:
    std::shared_ptr<ssl_ctx_st> context_;
    std::shared_ptr<void> trust_;  // shared with other contexts while one of them is there
    std::shared_ptr<const DaneDemand> demand_;
};

}  // namespace epode
