#include "route/login.h"

#include "core/base64.h"
#include "core/digest.h"
#include "route/host.h"
#include "route/server.h"

#include <algorithm>
#include <deque>

namespace epode {

std::string deviceIdOf(const Server& server, const Jid& account, std::string_view userAgentId) {
    if (userAgentId.empty()) return {};
    std::string text{"device of "};
    text.append(account.text()).append(1, '\0').append(userAgentId);
    constexpr std::size_t bytes = 12;  // chance enough, and no padding
    auto id = encodeBase64(hmac(Hash::Sha256, server.saltSecret(), text).substr(0, bytes));
    std::replace(id.begin(), id.end(), '+', '-');
    std::replace(id.begin(), id.end(), '/', '_');
    return id;
}

namespace {

// Longer than any login can take (client.login_timeout).
constexpr Duration revocationsKept = std::chrono::hours{2};

struct Revocations {
    struct One {
        std::string account;
        std::string device;
        SteadyTime when;
    };
    std::deque<One> latest;  // the oldest first
};

}  // namespace

void noteRevocation(Host& host, const Jid& account, std::string device, SteadyTime now) {
    auto& latest = host.state<Revocations>().latest;
    while (!latest.empty() && latest.front().when + revocationsKept < now) latest.pop_front();
    latest.push_back({account.text(), std::move(device), now});
}

bool isRevokedSince(Host& host, const Jid& account, std::string_view device, SteadyTime began) {
    const auto* revocations = host.slots().find<Revocations>();
    if (!revocations || device.empty()) return false;
    const auto& latest = revocations->latest;
    return std::any_of(latest.rbegin(), latest.rend(), [&](const Revocations::One& one) {
        return one.when >= began && one.device == device && one.account == account.text();
    });
}

}  // namespace epode
