// Failed logins are limited, so that passwords can't be tried out, and in such a way that nobody
// can lock somebody else out: what counts is who fails where.
#pragma once

#include "core/option.h"
#include "core/time.h"

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace epode {

std::vector<OptionRef> loginOptions();

// Buckets of failures: each may fail `burst` times at once, then once per `refill`. There is one
// for each address, one for each address at each account, and one for each account. The last is for
// those who try from many addresses, and doesn't concern addresses from which the account's owner
// has logged in before: he is not kept out by what strangers do. `address` is what counts as one
// stranger, in whatever form. Thread-safe.
class LoginLimiter {
public:
    explicit LoginLimiter(const Settings& settings);
    void settingsChanged(const Settings& settings);

    // May this address try to log in to this account now?
    bool allows(std::string_view address, std::string_view account, SteadyTime now) const;
    // The same without regard to the account, for proofs that can't be guessed (tokens).
    bool allows(std::string_view address, SteadyTime now) const;
    // `account` may be empty: nobody knows whose it was.
    void failed(std::string_view address, std::string_view account, SteadyTime now);
    // From now on the address is known to be the account's.
    void succeeded(std::string_view address, std::string_view account, SteadyTime now);

private:
    struct Bucket {
        double failures = 0;
        SteadyTime at;
    };
    struct Buckets {
        std::map<std::string, Bucket, std::less<>> levels;
        std::size_t sweepAt = 10000;  // above it, those that have run empty are thrown away
    };
    static std::string pairOf(std::string_view address, std::string_view account);
    std::uint64_t knownKey(std::string_view address, std::string_view account) const;
    bool isKnown(std::string_view address, std::string_view account, SteadyTime now) const;
    double level(const Buckets& buckets, std::string_view key, SteadyTime now) const;
    void add(Buckets& buckets, std::string_view key, SteadyTime now);

    mutable std::mutex mutex_;
    double addressBurst_ = 0;
    double accountBurst_ = 0;
    double totalBurst_ = 0;
    Duration refill_{};
    Buckets addresses_;
    Buckets pairs_;
    Buckets accounts_;
    // By a keyed hash of address and account, when it was last used. In memory alone, since
    // addresses of people are nobody's business for longer than needed.
    std::unordered_map<std::uint64_t, SteadyTime> known_;
    std::string secret_;
};

}  // namespace epode
