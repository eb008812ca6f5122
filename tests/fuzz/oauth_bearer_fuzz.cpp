// The messages of OAUTHBEARER, and passwords that look like tokens.
#include "core/sasl/oauth_bearer.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace epode::sasl;
    const std::string_view text{reinterpret_cast<const char*>(data), size};
    const auto isWithin = [&](std::string_view part) {
        return part.empty() ||
               (part.data() >= text.data() && part.data() + part.size() <= text.data() + size);
    };
    if (const auto message = readBearerMessage(text)) {
        if (message->token.empty() || !isWithin(message->token) || !isWithin(message->host))
            std::abort();
        // A refusal stays one line of JSON, whatever is in it.
        const auto refusal = bearerRefusal("x", message->host, message->authzid);
        if (refusal.find('\n') != std::string::npos) std::abort();
    }
    if (const auto plain = readPlainToken(text)) {
        if (plain->username.empty() || plain->token.find('\0') != std::string_view::npos ||
            !isWithin(plain->token))
            std::abort();
    }
    return 0;
}
