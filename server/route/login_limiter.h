// Failed logins are limited for each address and each account, so that passwords can't be tried out.
#pragma once

#include "core/time.h"

#include <map>
#include <mutex>
#include <string>
#include <string_view>

namespace epode {

// Buckets of failures: each may fail `burst` times at once, then once per `refill`. Thread-safe.
class LoginLimiter {
public:
    struct Limits {
        int addressBurst = 20;
        int accountBurst = 10;
        Duration refill = std::chrono::seconds{30};
    };
    void setLimits(const Limits& limits);

    // May this address try to log in to this account now?
    bool allows(std::string_view address, std::string_view account, SteadyTime now);
    void failed(std::string_view address, std::string_view account, SteadyTime now);

private:
    struct Bucket {
        double failures = 0;
        SteadyTime at;
    };
    using Buckets = std::map<std::string, Bucket, std::less<>>;
    double level(const Buckets& buckets, std::string_view key, SteadyTime now) const;
    void add(Buckets& buckets, std::string_view key, SteadyTime now);

    mutable std::mutex mutex_;
    Limits limits_;
    Buckets addresses_;
    Buckets accounts_;
};

}  // namespace epode
