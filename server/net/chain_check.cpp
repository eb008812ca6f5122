#include "net/chain_check.h"

#include "net/openssl_owned.h"
#include "net/tls_error.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <memory>

namespace epode {

std::string chainProblem(const std::string& certificateFile, const std::string& authorities) {
    ERR_clear_error();
    const Owned<BIO, BIO_free_all> text{BIO_new_file(certificateFile.c_str(), "r")};
    const Owned<X509, X509_free> leaf{
        text ? PEM_read_bio_X509_AUX(text.get(), nullptr, nullptr, nullptr) : nullptr};
    if (!leaf) throw TlsError{certificateFile + ": " + takeOpensslError()};
    const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> chain{
        sk_X509_new_null(), [](STACK_OF(X509) * all) { sk_X509_pop_free(all, X509_free); }};
    while (auto* next = PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr))
        sk_X509_push(chain.get(), next);
    ERR_clear_error();

    const Owned<X509_STORE, X509_STORE_free> trust{X509_STORE_new()};
    if (authorities.empty())
        X509_STORE_set_default_paths(trust.get());
    else if (X509_STORE_load_file(trust.get(), authorities.c_str()) != 1)
        throw TlsError{authorities + ": " + takeOpensslError()};
    const Owned<X509_STORE_CTX, X509_STORE_CTX_free> check{X509_STORE_CTX_new()};
    X509_STORE_CTX_init(check.get(), trust.get(), leaf.get(), chain.get());
    X509_VERIFY_PARAM_set_purpose(X509_STORE_CTX_get0_param(check.get()), X509_PURPOSE_ANY);
    const bool isGood = X509_verify_cert(check.get()) == 1;
    const int verdict = X509_STORE_CTX_get_error(check.get());
    ERR_clear_error();
    return isGood ? std::string{} : X509_verify_cert_error_string(verdict);
}

}  // namespace epode
