#include "net/tls_context.h"

#include "net/tls_error.h"
#include "net/tls_tickets.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

namespace epode {

namespace {

using Context = std::shared_ptr<SSL_CTX>;

// AES-128 first: it is the cheapest with today's processors, and strong enough for all of them; a
// client that prefers ChaCha20, for want of such a processor, gets it (SSL_OP_PRIORITIZE_CHACHA).
constexpr auto suites13 =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr auto ciphers12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

std::string lower(std::string_view text) {
    std::string result{text};
    for (auto& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return result;
}

std::string slurp(const std::string& file) {
    std::ifstream stream{file, std::ios::binary};
    if (!stream) throw TlsError{file + ": " + std::strerror(errno)};
    std::string text{std::istreambuf_iterator<char>{stream}, {}};
    if (stream.bad() || text.empty()) throw TlsError{file + ": cannot be read, or is empty"};
    return text;
}

void set(bool worked, const char* what) {
    if (!worked) throw TlsError{std::string{"TLS: "} + what + ": " + takeOpensslError()};
}

Context makeContext(const SSL_METHOD* method) {
    const Context context{SSL_CTX_new(method), SSL_CTX_free};
    set(context != nullptr, "no context");
    auto* ctx = context.get();
    set(SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) == 1, "minimum version");
    set(SSL_CTX_set_ciphersuites(ctx, suites13) == 1, "cipher suites");
    set(SSL_CTX_set_cipher_list(ctx, ciphers12) == 1, "ciphers");
#if OPENSSL_VERSION_NUMBER < 0x30500000L
    // Newer versions have a better list of their own, with post-quantum groups.
    set(SSL_CTX_set1_groups_list(ctx, "X25519:P-256:P-384") == 1, "groups");
#endif
    SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    // The buffers of idle connections are most of their memory.
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ctx, 1);
    static constexpr unsigned char idContext[] = "epode";
    SSL_CTX_set_session_id_context(ctx, idContext, sizeof idContext - 1);
    return context;
}

// Whatever is shown is accepted here and judged by the stream, which has the peer's claims.
int acceptAny(int, X509_STORE_CTX*) { return 1; }

void askForCertificate(SSL_CTX* ctx, X509_STORE* trust) {
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, acceptAny);
    SSL_CTX_set1_cert_store(ctx, trust);
    // Servers show each other the certificates they have, and authorities no longer issue any that
    // say "for clients, too".
    X509_VERIFY_PARAM_set_purpose(SSL_CTX_get0_param(ctx), X509_PURPOSE_ANY);
}

// The system's are hundreds, which take milliseconds to read: contexts that want the same share
// them.
std::shared_ptr<X509_STORE> readTrust(const std::string& file) {
    static std::mutex mutex;
    static std::map<std::pair<std::string, std::filesystem::file_time_type>,
                    std::weak_ptr<X509_STORE>>
        known;
    std::error_code noFile;
    const auto stamp = std::filesystem::last_write_time(file, noFile);
    const std::lock_guard lock{mutex};
    std::erase_if(known, [](const auto& entry) { return entry.second.expired(); });
    auto& place = known[{file, stamp}];
    if (auto shared = place.lock()) return shared;
    const std::shared_ptr<X509_STORE> trust{X509_STORE_new(), X509_STORE_free};
    if (file.empty()) {
        // A system without authorities trusts nobody; that is no failure.
        X509_STORE_set_default_paths(trust.get());
        ERR_clear_error();
    } else if (X509_STORE_load_file(trust.get(), file.c_str()) != 1) {
        throw TlsError{file + ": " + takeOpensslError()};
    }
    place = trust;
    return trust;
}

}  // namespace

struct TlsStore::Material {
    TlsFiles files;
    std::shared_ptr<X509> certificate;
    std::shared_ptr<EVP_PKEY> key;
    std::shared_ptr<STACK_OF(X509)> chain;
    CertificateInfo info;

    void use(SSL_CTX* ctx) const {
        if (SSL_CTX_use_cert_and_key(ctx, certificate.get(), key.get(), chain.get(), 1) != 1) {
            throw TlsError{files.certificateFile + ": " + takeOpensslError()};
        }
    }
};

struct TlsStore::TrustStore {
    std::shared_ptr<X509_STORE> store;
};

ssl_ctx_st* TlsContextSet::find(std::string_view serverName) const {
    auto name = lower(serverName);
    if (name.ends_with('.')) name.pop_back();
    if (const auto host = byHost_.find(name); host != byHost_.end()) return host->second;
    const auto exact = byCertificateName_.find(name);
    if (exact != byCertificateName_.end()) return exact->second;
    const auto dot = name.find('.');
    if (dot == name.npos || dot == 0) return nullptr;
    const auto wildcard = byCertificateName_.find("*" + name.substr(dot));
    return wildcard != byCertificateName_.end() ? wildcard->second : nullptr;
}

int TlsContextSet::chooseHost(SSL* ssl, int*, void* self) {
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (!name) return SSL_TLSEXT_ERR_NOACK;
    auto* context = static_cast<const TlsContextSet*>(self)->find(name);
    if (context && context != SSL_get_SSL_CTX(ssl)) SSL_set_SSL_CTX(ssl, context);
    // An unknown name is served with the default certificate: the stream says host-unknown, which
    // people understand, and the client's check of the certificate remains.
    return SSL_TLSEXT_ERR_OK;
}

int TlsContextSet::chooseAlpn(SSL*, const unsigned char** out, unsigned char* outLength,
                              const unsigned char* in, unsigned inLength, void* self) {
    for (const auto& ours : static_cast<const TlsContextSet*>(self)->alpn_) {
        for (unsigned at = 0; at < inLength; at += 1 + in[at]) {
            const std::string_view theirs{reinterpret_cast<const char*>(in + at + 1), in[at]};
            if (theirs != ours) continue;
            *out = in + at + 1;
            *outLength = in[at];
            return SSL_TLSEXT_ERR_OK;
        }
    }
    // RFC 7301, 3.2. Going on would let a page's HTTP requests in (cross-protocol attacks).
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

std::shared_ptr<const TlsContextSet> TlsServerContext::current() const {
    const std::lock_guard lock{mutex_};
    return current_;
}

TlsStore::TlsStore(std::vector<TlsFiles> files, std::string trustFile)
    : trust_{std::make_shared<TrustStore>(TrustStore{readTrust(trustFile)})} {
    const auto problems = reload(std::move(files));
    if (problems.empty()) return;
    std::string text;
    for (const auto& problem : problems) text += (text.empty() ? "" : "\n") + problem;
    throw TlsError{text};
}

TlsStore::~TlsStore() = default;

TlsStore::MaterialPtr TlsStore::read(const TlsFiles& files) {
    auto material = std::make_shared<Material>();
    material->files = files;
    ERR_clear_error();

    const auto pem = slurp(files.certificateFile);
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> chainText{
        BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free_all};
    material->certificate.reset(PEM_read_bio_X509_AUX(chainText.get(), nullptr, nullptr, nullptr),
                                X509_free);
    if (!material->certificate) {
        throw TlsError{files.certificateFile +
                       ": no certificate in PEM form: " + takeOpensslError()};
    }
    material->chain.reset(sk_X509_new_null(),
                          [](STACK_OF(X509) * chain) { sk_X509_pop_free(chain, X509_free); });
    while (auto* next = PEM_read_bio_X509(chainText.get(), nullptr, nullptr, nullptr)) {
        sk_X509_push(material->chain.get(), next);
    }
    const auto end = ERR_peek_last_error();
    if (end != 0 && ERR_GET_REASON(end) != PEM_R_NO_START_LINE) {
        throw TlsError{files.certificateFile + ": the chain is damaged: " + takeOpensslError()};
    }
    ERR_clear_error();

    const auto keyPem = slurp(files.keyFile);
    const std::unique_ptr<BIO, decltype(&BIO_free_all)> keyText{
        BIO_new_mem_buf(keyPem.data(), static_cast<int>(keyPem.size())), BIO_free_all};
    // The callback declines: a daemon must not ask for a pass phrase on somebody's terminal.
    const auto noPassPhrase = [](char*, int, int, void*) { return -1; };
    material->key.reset(PEM_read_bio_PrivateKey(keyText.get(), nullptr, noPassPhrase, nullptr),
                        EVP_PKEY_free);
    if (!material->key) {
        throw TlsError{files.keyFile + ": no usable private key: " + takeOpensslError()};
    }
    if (X509_check_private_key(material->certificate.get(), material->key.get()) != 1) {
        ERR_clear_error();
        throw TlsError{files.keyFile + ": is not the key of " + files.certificateFile};
    }
    material->info = readPemCertificate(pem);
    // Tries it as a whole, so that what TLS refuses (a weak key) is found here and not at a reload.
    material->use(makeContext(TLS_server_method()).get());
    return material;
}

const TlsServerContext& TlsStore::context(const TlsProfile& profile) {
    auto& context = contexts_[profile];
    if (!context) {
        context = std::make_unique<TlsServerContext>();
        context->current_ = build(profile);
    }
    return *context;
}

std::vector<std::string> TlsStore::reload() {
    std::vector<TlsFiles> files;
    for (const auto& material : materials_) files.push_back(material->files);
    return reload(std::move(files));
}

std::vector<std::string> TlsStore::reload(std::vector<TlsFiles> files) {
    std::vector<std::string> problems;
    std::vector<MaterialPtr> fresh;
    stamp(files);
    for (const auto& entry : files) {
        try {
            fresh.push_back(read(entry));
        } catch (const TlsError& error) {
            problems.emplace_back(error.what());
            for (const auto& old : materials_) {
                if (old->files == entry) fresh.push_back(old);
            }
        }
    }
    materials_ = std::move(fresh);
    for (auto& [profile, context] : contexts_) {
        auto set = build(profile);
        const std::lock_guard lock{context->mutex_};
        context->current_ = std::move(set);
    }
    return problems;
}

void TlsStore::stamp(const std::vector<TlsFiles>& files) {
    stamps_.clear();
    for (const auto& entry : files) {
        for (const auto& file : {entry.certificateFile, entry.keyFile}) {
            std::error_code error;
            stamps_[file] = std::filesystem::last_write_time(file, error);
        }
    }
}

bool TlsStore::hasChangedOnDisk() const {
    for (const auto& [file, time] : stamps_) {
        std::error_code error;
        if (std::filesystem::last_write_time(file, error) != time) return true;
    }
    return false;
}

std::vector<TlsStore::Presented> TlsStore::presented() const {
    std::vector<Presented> result;
    for (const auto& material : materials_) result.push_back({material->files, material->info});
    return result;
}

std::shared_ptr<const TlsContextSet> TlsStore::build(const TlsProfile& profile) const {
    if (materials_.empty()) return nullptr;
    auto set = std::make_shared<TlsContextSet>();
    set->alpn_ = profile.alpn;
    set->tickets_ = std::make_shared<TicketKeys>();

    // Hosts with the same certificates share a context: it is large.
    std::map<std::vector<const Material*>, SSL_CTX*> made;
    const auto contextOf = [&](const std::vector<const Material*>& materials) {
        auto& ctx = made[materials];
        if (ctx) return ctx;
        const auto context = makeContext(TLS_server_method());
        ctx = context.get();
        for (const auto* material : materials) material->use(ctx);
        if (profile.askClientCertificate) askForCertificate(ctx, trust_->store.get());
        set->tickets_->useIn(ctx);
        if (!profile.givesTickets) {
            SSL_CTX_set_num_tickets(ctx, 0);
            SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
        }
        if (!set->alpn_.empty()) {
            SSL_CTX_set_alpn_select_cb(ctx, TlsContextSet::chooseAlpn, set.get());
        }
        SSL_CTX_set_tlsext_servername_callback(ctx, TlsContextSet::chooseHost);
        SSL_CTX_set_tlsext_servername_arg(ctx, set.get());
        set->contexts_.push_back(context);
        if (materials.size() > 1) set->several_.insert(ctx);
        return ctx;
    };

    std::map<std::string, std::vector<const Material*>> byHost;
    std::map<std::string, std::vector<const Material*>> byName;
    for (const auto& material : materials_) {
        for (const auto& host :
             std::set(material->files.hosts.begin(), material->files.hosts.end())) {
            byHost[lower(host)].push_back(material.get());
        }
        const auto& names = material->info.dnsNames;
        for (const auto& name : std::set(names.begin(), names.end())) {
            byName[name].push_back(material.get());
        }
    }
    for (const auto& [host, materials] : byHost) set->byHost_[host] = contextOf(materials);
    for (const auto& [name, materials] : byName)
        set->byCertificateName_[name] = contextOf(materials);

    // The default is what the first entry's first host presents, RSA beside ECDSA.
    const auto& first = *materials_.front();
    set->fallback_ = first.files.hosts.empty() ? contextOf({&first})
                                               : set->byHost_[lower(first.files.hosts.front())];
    return set;
}

TlsClientContext::TlsClientContext(const Settings& settings)
    : context_{makeContext(TLS_client_method())} {
    const auto trust = readTrust(settings.trustFile);
    askForCertificate(context_.get(), trust.get());
    trust_ = trust;
    // For the connections that are told to judge by it; it changes nothing for the others.
    set(SSL_CTX_dane_enable(context_.get()) == 1, "DANE");
    SSL_CTX_dane_set_flags(context_.get(), DANE_FLAG_NO_DANE_EE_NAMECHECKS);
    if (settings.certificate) {
        const auto& files = *settings.certificate;
        if (SSL_CTX_use_certificate_chain_file(context_.get(), files.certificateFile.c_str()) !=
            1) {
            throw TlsError{files.certificateFile + ": " + takeOpensslError()};
        }
        if (SSL_CTX_use_PrivateKey_file(context_.get(), files.keyFile.c_str(), SSL_FILETYPE_PEM) !=
            1) {
            throw TlsError{files.keyFile + ": " + takeOpensslError()};
        }
    }
    std::string wire;
    for (const auto& name : settings.alpn) {
        wire += static_cast<char>(name.size());
        wire += name;
    }
    // This one function returns 0 when it worked.
    set(wire.empty() || SSL_CTX_set_alpn_protos(context_.get(),
                                                reinterpret_cast<const unsigned char*>(wire.data()),
                                                static_cast<unsigned>(wire.size())) == 0,
        "ALPN");
}

TlsClientContext TlsClientContext::demanding(std::shared_ptr<const DaneDemand> demand) const {
    TlsClientContext other = *this;
    other.demand_ = std::move(demand);
    return other;
}

}  // namespace epode
