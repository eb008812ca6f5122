// Whether others would trust a certificate that we present.
#pragma once

#include <string>

namespace epode {

// Follows the chain in a PEM file up to an authority. Why that fails, as OpenSSL says it; "" when
// the chain is complete, trusted and valid now. `authorities` is a PEM file, "" for the system's.
// Throws TlsError when a file can't be read.
std::string chainProblem(const std::string& certificateFile, const std::string& authorities = {});

}  // namespace epode
