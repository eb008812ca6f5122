// SHA-256 of what comes in pieces.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <new>
#include <string>
#include <string_view>

namespace epode::upload {

class Checksum {
public:
    Checksum() : context_{EVP_MD_CTX_new(), EVP_MD_CTX_free} {
        if (!context_ || EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) != 1)
            throw std::bad_alloc{};
    }
    void add(std::string_view bytes) {
        EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size());
    }
    std::string finish() {
        std::string value(32, '\0');
        EVP_DigestFinal_ex(context_.get(), reinterpret_cast<unsigned char*>(value.data()), nullptr);
        return value;
    }

private:
    std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

}  // namespace epode::upload
