#include "net/tls_tickets.h"

#include "core/random.h"
#include "net/tls_error.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <memory>

namespace epode {

namespace {

TicketKeys::Key makeKey() {
    TicketKeys::Key key;
    fillRandom(key.name.data(), key.name.size());
    fillRandom(key.cipher.data(), key.cipher.size());
    fillRandom(key.mac.data(), key.mac.size());
    return key;
}

int keysIndex() {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
    return index;
}

// Fetched once: each look-up by name costs more than the sealing.
const EVP_CIPHER* cipher() {
    static const std::unique_ptr<EVP_CIPHER, decltype(&EVP_CIPHER_free)> fetched{
        EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr), EVP_CIPHER_free};
    return fetched.get();
}

bool setMac(EVP_MAC_CTX* mac, TicketKeys::Key& key) {
    char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key.mac.data(), key.mac.size()),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, parameters) == 1;
}

// OpenSSL's contract: 0 the ticket is not ours (a full handshake follows), 1 go on, 2 go on and
// give a new ticket, -1 failure.
int sealOrOpen(SSL* ssl, unsigned char* name, unsigned char* iv, EVP_CIPHER_CTX* ctx,
               EVP_MAC_CTX* mac, int isSealing) {
    auto* keys = static_cast<TicketKeys*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), keysIndex()));
    if (isSealing) {
        auto key = keys->current();
        std::copy(key.name.begin(), key.name.end(), name);
        const bool worked =
            RAND_bytes(iv, EVP_CIPHER_get_iv_length(cipher())) == 1 &&
            EVP_EncryptInit_ex2(ctx, cipher(), key.cipher.data(), iv, nullptr) == 1 &&
            setMac(mac, key);
        OPENSSL_cleanse(&key, sizeof key);
        return worked ? 1 : -1;
    }
    auto found = keys->find({reinterpret_cast<const char*>(name), sizeof(TicketKeys::Key::name)});
    if (!found) return 0;
    const bool worked =
        EVP_DecryptInit_ex2(ctx, cipher(), found->key.cipher.data(), iv, nullptr) == 1 &&
        setMac(mac, found->key);
    const bool isCurrent = found->isCurrent;
    OPENSSL_cleanse(&*found, sizeof *found);
    if (!worked) return -1;
    return isCurrent ? 1 : 2;
}

}  // namespace

TicketKeys::TicketKeys(Now now) : now_{now}, made_{now()}, current_{makeKey()} {}

TicketKeys::~TicketKeys() {
    OPENSSL_cleanse(&current_, sizeof current_);
    if (last_) OPENSSL_cleanse(&*last_, sizeof *last_);
}

TicketKeys::Key TicketKeys::current() {
    const std::lock_guard lock{mutex_};
    rotate();
    return current_;
}

std::optional<TicketKeys::Found> TicketKeys::find(std::string_view name) {
    const std::lock_guard lock{mutex_};
    rotate();
    const auto isOf = [name](const Key& key) {
        return name ==
               std::string_view{reinterpret_cast<const char*>(key.name.data()), key.name.size()};
    };
    if (isOf(current_)) return Found{current_, true};
    if (last_ && isOf(*last_)) return Found{*last_, false};
    return std::nullopt;
}

// When somebody comes, so that nothing has to be woken for it.
void TicketKeys::rotate() {
    const SteadyTime now = now_();
    const Duration age = now - made_;
    if (age < lifetime) return;
    if (last_) OPENSSL_cleanse(&*last_, sizeof *last_);
    last_.reset();
    if (age < 2 * lifetime) last_ = current_;
    current_ = makeKey();
    made_ = now;
}

void TicketKeys::useIn(ssl_ctx_st* context) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(lifetime).count();
    SSL_CTX_set_timeout(context, long(seconds));
    if (SSL_CTX_set_ex_data(context, keysIndex(), this) != 1 ||
        SSL_CTX_set_tlsext_ticket_key_evp_cb(context, sealOrOpen) != 1)
        throw TlsError{"TLS: session tickets: " + takeOpensslError()};
}

}  // namespace epode
