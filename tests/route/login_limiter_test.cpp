// Who fails where decides who may try again.
#include "route/login_limiter.h"

#include "control/config.h"
#include "tests/support/catch.h"

#include <chrono>

using namespace epode;
using namespace std::chrono_literals;

namespace {

constexpr std::string_view juliet = "juliet@capulet.example";
constexpr std::string_view romeo = "romeo@capulet.example";

SettingsPtr settings(std::string_view toml) {
    const auto result = readConfig(toml, "test.toml", loginOptions());
    if (!result.ok()) throw std::runtime_error{result.report()};
    return result.config->settings;
}

std::string stranger(int number) { return "stranger " + std::to_string(number); }

}  // namespace

TEST_CASE("failures from one address at an account keep that address from it, and nobody else") {
    LoginLimiter limiter{*settings("[login]\naccount_burst = 3\nrefill = '60s'")};
    SteadyTime now{};
    for (int i = 0; i < 3; ++i) {
        CHECK(limiter.allows("a", juliet, now));
        limiter.failed("a", juliet, now);
    }
    CHECK_FALSE(limiter.allows("a", juliet, now));
    CHECK(limiter.allows("a", romeo, now));
    CHECK(limiter.allows("b", juliet, now));
    CHECK(limiter.allows("a", now));
    now += 60s;
    CHECK(limiter.allows("a", juliet, now));
    limiter.failed("a", juliet, now);
    CHECK_FALSE(limiter.allows("a", juliet, now));
}

TEST_CASE("failures from one address are limited over all accounts, tokens as well") {
    LoginLimiter limiter{*settings("[login]\naddress_burst = 3")};
    const SteadyTime now{};
    limiter.failed("a", juliet, now);
    limiter.failed("a", "", now);
    CHECK(limiter.allows("a", romeo, now));
    limiter.failed("a", romeo, now);
    CHECK_FALSE(limiter.allows("a", "nobody@capulet.example", now));
    CHECK_FALSE(limiter.allows("a", now));
    CHECK(limiter.allows("b", now));
}

TEST_CASE("an attack from everywhere slows strangers down, and not who has logged in before") {
    LoginLimiter limiter{*settings("[login]\naccount_total_burst = 10\nrefill = '60s'")};
    SteadyTime now{};
    limiter.succeeded("home", juliet, now);
    for (int i = 0; i < 10; ++i) {
        CHECK(limiter.allows(stranger(i), juliet, now));
        limiter.failed(stranger(i), juliet, now);
    }
    CHECK_FALSE(limiter.allows(stranger(11), juliet, now));
    CHECK(limiter.allows("home", juliet, now));
    CHECK(limiter.allows(stranger(11), romeo, now));
    CHECK(limiter.allows(stranger(11), now));
    // He has his own limit there, and it is nobody else's.
    for (int i = 0; i < 10; ++i) limiter.failed("home", juliet, now);
    CHECK_FALSE(limiter.allows("home", juliet, now));
    now += 60s;
    CHECK(limiter.allows(stranger(11), juliet, now));
    limiter.failed(stranger(11), juliet, now);
    CHECK_FALSE(limiter.allows(stranger(12), juliet, now));
}

TEST_CASE("an address that is known to one account is a stranger to another") {
    LoginLimiter limiter{*settings("[login]\naccount_total_burst = 1")};
    SteadyTime now{};
    limiter.succeeded("home", romeo, now);
    limiter.failed("elsewhere", juliet, now);
    CHECK_FALSE(limiter.allows("home", juliet, now));
    limiter.succeeded("home", juliet, now);
    CHECK(limiter.allows("home", juliet, now));
    now += 24h * 31;
    limiter.failed("elsewhere", juliet, now);
    CHECK_FALSE(limiter.allows("home", juliet, now));
}

TEST_CASE("addresses and accounts are told apart wherever one ends and the other begins") {
    LoginLimiter limiter{*settings("[login]\naccount_burst = 1")};
    const SteadyTime now{};
    limiter.failed("1", "a@b", now);
    CHECK(limiter.allows("", "a@b1", now));
    CHECK(limiter.allows("11", "a@b", now));
    CHECK_FALSE(limiter.allows("1", "a@b", now));
}

TEST_CASE("more successes than are remembered forget the oldest") {
    LoginLimiter limiter{*settings("[login]\naccount_total_burst = 1")};
    SteadyTime now{};
    limiter.succeeded("home", juliet, now);
    for (int i = 0; i < 200001; ++i) {
        if (i % 1000 == 0) now += 1s;
        limiter.succeeded(std::to_string(i), romeo, now);
    }
    limiter.failed("elsewhere", juliet, now);
    limiter.failed("elsewhere", romeo, now);
    CHECK_FALSE(limiter.allows("home", juliet, now));
    CHECK(limiter.allows("200000", romeo, now));
}
