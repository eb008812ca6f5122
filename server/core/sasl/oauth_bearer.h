// OAUTHBEARER (RFC 7628): the client shows a token that somebody gave it. The messages alone; what
// a token is worth is for who knows its keys.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace epode::sasl {

inline constexpr std::string_view oauthBearer = "OAUTHBEARER";

// Longer than any token that fits into a stanza of a stranger.
inline constexpr std::size_t tokenBytesMax = 8192;

// The client's first message (RFC 7628, 3.1). Views are into the text that was read, but for the
// name.
struct BearerMessage {
    std::string authzid;     // not prepared; "" when it is not said
    std::string_view token;  // what follows "Bearer"
    std::string_view host;   // to which the client believes to talk; may be ""
};
// Nothing when it is none, or binds a channel, which this mechanism can't.
std::optional<BearerMessage> readBearerMessage(std::string_view bytes);

// What a refused client is told (RFC 7628, 3.2.2), as JSON; it answers with one byte, and the
// attempt has failed. Empty parts are left out.
std::string bearerRefusal(std::string_view status, std::string_view scope,
                          std::string_view openidConfiguration);

// PLAIN (RFC 4616) with a token in place of the password, for clients that know nothing else.
struct PlainToken {
    std::string_view authzid;
    std::string_view username;
    std::string_view token;
};
// Nothing when the password doesn't look like a token (RFC 7519: three parts, of which the first is
// a JSON object in base 64).
std::optional<PlainToken> readPlainToken(std::string_view bytes);

}  // namespace epode::sasl
