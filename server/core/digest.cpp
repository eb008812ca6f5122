#include "core/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <array>
#include <memory>
#include <stdexcept>

namespace epode {

namespace {

constexpr std::size_t blockBytesMax = 136;  // SHA-3's, the longest
constexpr std::size_t digestBytesMax = 64;

struct HashInfo {
    Hash hash;
    const char* openSslName;
    std::string_view name;
    std::size_t bytes;
    std::size_t blockBytes;
};
constexpr std::array<HashInfo, 4> hashes{{
    {Hash::Sha1, "SHA1", "sha-1", 20, 64},
    {Hash::Sha256, "SHA256", "sha-256", 32, 64},
    {Hash::Sha512, "SHA512", "sha-512", 64, 128},
    {Hash::Sha3_256, "SHA3-256", "sha3-256", 32, 136},
}};

const HashInfo& infoOf(Hash hash) { return hashes[std::size_t(hash)]; }

void check(int result) {
    if (result != 1) throw std::runtime_error{"OpenSSL can't hash"};
}

// Looking an algorithm up by name costs more than hashing a short text, so it is done once.
const EVP_MD* fetched(Hash hash) {
    static const auto algorithms = [] {
        std::array<EVP_MD*, hashes.size()> found{};
        for (std::size_t i = 0; i < hashes.size(); ++i) {
            found[i] = EVP_MD_fetch(nullptr, hashes[i].openSslName, nullptr);
            if (!found[i]) throw std::runtime_error{"OpenSSL lacks a hash"};
        }
        return found;
    }();
    return algorithms[std::size_t(hash)];
}

struct FreeContext {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

// One context per thread and hash: changing the hash of a context would allocate its state again.
EVP_MD_CTX* contextFor(Hash hash) {
    thread_local std::array<std::unique_ptr<EVP_MD_CTX, FreeContext>, hashes.size()> contexts;
    auto& context = contexts[std::size_t(hash)];
    if (!context) context.reset(EVP_MD_CTX_new());
    check(EVP_DigestInit_ex2(context.get(), fetched(hash), nullptr));
    return context.get();
}

using Block = std::array<unsigned char, blockBytesMax>;

void digestOf(Hash hash, std::string_view first, std::string_view second, unsigned char* out) {
    auto* context = contextFor(hash);
    check(EVP_DigestUpdate(context, first.data(), first.size()));
    if (!second.empty()) check(EVP_DigestUpdate(context, second.data(), second.size()));
    check(EVP_DigestFinal_ex(context, out, nullptr));
}

std::string_view viewOf(const unsigned char* bytes, std::size_t count) {
    return {reinterpret_cast<const char*>(bytes), count};
}

int nibbleOf(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

}  // namespace

std::size_t bytesOf(Hash hash) { return infoOf(hash).bytes; }

std::string_view toText(Hash hash) { return infoOf(hash).name; }

std::optional<Hash> parseHash(std::string_view name) {
    for (const auto& info : hashes) {
        if (info.name == name) return info.hash;
    }
    return std::nullopt;
}

std::string digest(Hash hash, std::string_view bytes) {
    std::string out(bytesOf(hash), '\0');
    digestOf(hash, bytes, {}, reinterpret_cast<unsigned char*>(out.data()));
    return out;
}

// RFC 2104 in its plain form: an EVP_MAC context would have to be made or copied for every key.
std::string hmac(Hash hash, std::string_view key, std::string_view bytes) {
    const auto& info = infoOf(hash);
    Block inner{};
    if (key.size() > info.blockBytes) {
        digestOf(hash, key, {}, inner.data());
    } else {
        std::copy(key.begin(), key.end(), inner.begin());
    }
    Block outer = inner;
    for (std::size_t i = 0; i < info.blockBytes; ++i) {
        inner[i] ^= 0x36;
        outer[i] ^= 0x5C;
    }
    unsigned char innerDigest[digestBytesMax];
    digestOf(hash, viewOf(inner.data(), info.blockBytes), bytes, innerDigest);
    std::string out(info.bytes, '\0');
    digestOf(hash, viewOf(outer.data(), info.blockBytes), viewOf(innerDigest, info.bytes),
             reinterpret_cast<unsigned char*>(out.data()));
    OPENSSL_cleanse(inner.data(), inner.size());
    OPENSSL_cleanse(outer.data(), outer.size());
    OPENSSL_cleanse(innerDigest, sizeof innerDigest);
    return out;
}

std::string pbkdf2(Hash hash, std::string_view password, std::string_view salt,
                   std::uint32_t iterations) {
    std::string out(bytesOf(hash), '\0');
    check(PKCS5_PBKDF2_HMAC(password.data(), int(password.size()),
                            reinterpret_cast<const unsigned char*>(salt.data()), int(salt.size()),
                            int(iterations), fetched(hash), int(out.size()),
                            reinterpret_cast<unsigned char*>(out.data())));
    return out;
}

bool equalInConstantTime(std::string_view a, std::string_view b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void wipe(std::string& secret) {
    OPENSSL_cleanse(secret.data(), secret.size());
    secret.clear();
}

std::string encodeHex(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out;
    out.reserve(bytes.size() * 2);
    for (const char c : bytes) {
        const auto value = static_cast<unsigned char>(c);
        out.push_back(digits[value >> 4]);
        out.push_back(digits[value & 15]);
    }
    return out;
}

std::optional<std::string> decodeHex(std::string_view text) {
    if (text.size() % 2 != 0) return std::nullopt;
    std::string out;
    out.reserve(text.size() / 2);
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = nibbleOf(text[i]);
        const int low = nibbleOf(text[i + 1]);
        if (high < 0 || low < 0) return std::nullopt;
        out.push_back(char(high << 4 | low));
    }
    return out;
}

}  // namespace epode
