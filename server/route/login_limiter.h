// Failed logins are limited for each address and each account, so that passwords can't be tried
// out.
#pragma once

#include "core/option.h"
#include "core/time.h"

#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

std::vector<OptionRef> loginOptions();

// Buckets of failures: each may fail `burst` times at once, then once per `refill`. `address` is what
// counts as one stranger, in whatever form. Thread-safe.
class LoginLimiter {
public:
    explicit LoginLimiter(const Settings& settings);
    void settingsChanged(const Settings& settings);

    // May this address try to log in to this account now?
    bool allows(std::string_view address, std::string_view account, SteadyTime now) const;
    // `account` may be empty: nobody knows whose it was.
    void failed(std::string_view address, std::string_view account, SteadyTime now);

private:
    struct Bucket {
        double failures = 0;
        SteadyTime at;
    };
    struct Buckets {
        std::map<std::string, Bucket, std::less<>> levels;
        std::size_t sweepAt = 10000;  // above it, those that have run empty are thrown away
    };
    double level(const Buckets& buckets, std::string_view key, SteadyTime now) const;
    void add(Buckets& buckets, std::string_view key, SteadyTime now);

    mutable std::mutex mutex_;
    double addressBurst_ = 0;
    double accountBurst_ = 0;
    Duration refill_{};
    Buckets addresses_;
    Buckets accounts_;
};

}  // namespace epode
