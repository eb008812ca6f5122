#include "net/http_address.h"

namespace epode {

namespace httpOption {

const Option<std::int64_t> tlsPort{
    .key = "http.tls_port",
    .fallback = 5281,
    .range = {0, 65535},
    .help = "The port for HTTPS and WebSocket with TLS; 0: none.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
    .listensOn = "http.addresses",
};
const Option<std::string> publicUrl{
    .key = "http.public_url",
    .fallback = "",
    .help =
        "Where browsers reach the web server, such as \"https://chat.example.org\". Empty: at the "
        "host's "
        "own name and http.tls_port.",
};

}  // namespace httpOption

std::string publicUrlOf(const Settings& settings, std::string_view host) {
    std::string url = settings.get(httpOption::publicUrl, host);
    while (url.ends_with('/')) url.pop_back();
    if (!url.empty()) return url;
    const auto port = settings.get(httpOption::tlsPort, host);
    if (port == 0) return {};
    return "https://" + std::string{host} + (port == 443 ? "" : ":" + std::to_string(port));
}

}  // namespace epode
