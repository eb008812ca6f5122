// What OpenSSL has to say about the last failure on this thread, as a sentence for people.
#pragma once

#include <stdexcept>
#include <string>

namespace epode {

// A certificate, key or setting that TLS cannot work with. The text names the file and the cause.
class TlsError : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// Empties OpenSSL's queue of errors; "no cause given" when it was empty already.
std::string takeOpensslError();

}  // namespace epode
