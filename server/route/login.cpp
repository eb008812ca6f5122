#include "route/login.h"

#include "core/base64.h"
#include "core/digest.h"
#include "route/server.h"

#include <algorithm>

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

}  // namespace epode
