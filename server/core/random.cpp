#include "core/random.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <cstring>
#include <stdexcept>
#include <string_view>

namespace epode {

namespace {

// A child process must not draw the same bytes as its parent.
std::atomic<unsigned> forks{0};
[[maybe_unused]] const int forkHandler =
    pthread_atfork(nullptr, nullptr, [] { forks.fetch_add(1, std::memory_order_relaxed); });

void fillFromOpenSsl(void* out, std::size_t bytes) {
    auto* next = static_cast<unsigned char*>(out);
    while (bytes > 0) {
        const std::size_t part = bytes < 1u << 20 ? bytes : 1u << 20;
        if (RAND_bytes(next, int(part)) != 1) throw std::runtime_error{"OpenSSL has no randomness"};
        next += part;
        bytes -= part;
    }
}

class Store {
public:
    void take(void* out, std::size_t bytes) {
        const auto now = forks.load(std::memory_order_relaxed);
        if (now != forksSeen_ || unused_ < bytes) refill(now);
        auto* from = bytes_.data() + (bytes_.size() - unused_);
        std::memcpy(out, from, bytes);
        OPENSSL_cleanse(from, bytes);
        unused_ -= bytes;
    }

private:
    void refill(unsigned now) {
        fillFromOpenSsl(bytes_.data(), bytes_.size());
        unused_ = bytes_.size();
        forksSeen_ = now;
    }

    std::array<unsigned char, 4096> bytes_;
    std::size_t unused_ = 0;
    unsigned forksSeen_ = 0;
};

}  // namespace

void fillRandom(void* out, std::size_t bytes) {
    constexpr std::size_t smallBytesMax = 256;
    thread_local Store store;
    if (bytes <= smallBytesMax) {
        store.take(out, bytes);
    } else {
        fillFromOpenSsl(out, bytes);
    }
}

std::string randomBytes(std::size_t bytes) {
    std::string out(bytes, '\0');
    fillRandom(out.data(), bytes);
    return out;
}

std::uint64_t randomNumber() {
    std::uint64_t number;
    fillRandom(&number, sizeof number);
    return number;
}

std::string randomId(std::size_t characters) {
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    auto id = randomBytes(characters);
    for (char& c : id) c = alphabet[static_cast<unsigned char>(c) & 63];
    return id;
}

}  // namespace epode
