// The server's side of SOCKS5 (RFC 1928) as XEP-0065 uses it: no authentication, CONNECT, and in
// place of a domain the hash that names the bytestream.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace epode::proxy65 {

// SHA1(SID + Requester JID + Target JID), in hexadecimal (XEP-0065, 6.3.1).
std::string streamHash(std::string_view sid, std::string_view requester, std::string_view target);

class Socks5Server {
public:
    // What bytes of the client's lead to.
    struct Outcome {
        std::string reply;                // for the client; may be empty
        bool isRefused = false;           // the connection ends after the reply
        std::optional<std::string> hash;  // the request is complete: 40 digits in lower case
    };
    // Bytes may come in any pieces. Not called any more once the outcome was a refusal or a hash.
    Outcome take(std::string_view bytes);

    // What came behind the request and belongs to the stream.
    std::string takeRest() { return std::move(received_); }

private:
    Outcome greet();
    Outcome connect();

    std::string received_;
    bool isGreeted_ = false;
};

}  // namespace epode::proxy65
