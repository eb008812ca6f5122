// Randomness that nobody can guess: for nonces, salts, ids and tokens alike.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

namespace epode {

// Small amounts are cut from a store of the thread, which OpenSSL's generator fills in bulk and
// whose used bytes are wiped: some nanoseconds instead of most of a microsecond.
void fillRandom(void* out, std::size_t bytes);

std::string randomBytes(std::size_t bytes);
std::uint64_t randomNumber();

// Characters of the URL-safe base 64 alphabet, 6 bits of chance each. 22 of them are as good as a
// random UUID.
std::string randomId(std::size_t characters = 22);

}  // namespace epode
