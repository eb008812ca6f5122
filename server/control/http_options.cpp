#include "control/http_options.h"

#include "control/http_face.h"

namespace epode {

namespace httpOption {

const Option<std::vector<std::string>> addresses{
    .key = "http.addresses",
    .fallback = {},
    .help =
        "The addresses of this machine on which the web server serves HTTPS. Empty: those of "
        "listen.addresses.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<std::vector<std::string>> plainAddresses{
    .key = "http.plain_addresses",
    .fallback = {"127.0.0.1"},
    .help =
        "The addresses of this machine on which the web server serves HTTP without TLS, for a "
        "proxy in "
        "front of it.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
};
const Option<std::int64_t> plainPort{
    .key = "http.plain_port",
    .fallback = 5280,
    .range = {0, 65535},
    .help = "The port for HTTP without TLS; 0: none.",
    .takes = Takes::AtRestart,
    .scope = Scope::Server,
    .listensOn = "http.plain_addresses",
};
const Option<std::vector<std::string>> trustedProxies{
    .key = "http.trusted_proxies",
    .fallback = {"127.0.0.1", "::1"},
    .help =
        "Addresses or networks (10.0.0.0/8) whose X-Forwarded-For and X-Forwarded-Proto are "
        "believed.",
    .scope = Scope::Server,
};
const Option<bool> proxyProtocol{
    .key = "http.proxy_protocol",
    .fallback = false,
    .help =
        "Whether trusted proxies begin connections to http.plain_port with the PROXY protocol (1 "
        "or 2).",
    .scope = Scope::Server,
};
const Option<std::vector<std::string>> names{
    .key = "http.names",
    .fallback = {},
    .help =
        "Further names by which browsers call this host. What they call by no host's name is the "
        "first "
        "host's.",
};
const Option<std::vector<std::string>> origins{
    .key = "http.origins",
    .fallback = {"*"},
    .help =
        "Whose pages may open WebSockets, as \"https://chat.example.org\". The asterisk means all: "
        "nobody "
        "is logged in by a cookie here.",
};
const Option<bool> webSocket{
    .key = "http.websocket",
    .fallback = true,
    .help = "Whether clients may connect by WebSocket, at /xmpp-websocket.",
};
const Option<bool> webSocketCompression{
    .key = "http.websocket_compression",
    .fallback = false,
    .help =
        "Whether messages over WebSocket may be compressed (permessage-deflate), for who offers "
        "it. "
        "It costs CPU for each message, and no memory of a connection that is idle.",
};
const Option<bool> bosh{
    .key = "http.bosh",
    .fallback = true,
    .help = "Whether clients may connect by BOSH, at /http-bind.",
};
const Option<Duration> boshWait{
    .key = "http.bosh_wait_max",
    .fallback = std::chrono::seconds{60},
    .range = {std::chrono::seconds{1}, std::chrono::seconds{300}},
    .help = "How long a request of BOSH waits for something to tell.",
};
const Option<Duration> boshInactivity{
    .key = "http.bosh_inactivity",
    .fallback = std::chrono::seconds{60},
    .range = {std::chrono::seconds{5}, std::chrono::seconds{600}},
    .help = "A session of BOSH without any request for so long has lost its client.",
};
const Option<std::vector<std::string>> statusAddresses{
    .key = "http.status_addresses",
    .fallback = {"127.0.0.1", "::1"},
    .help = "Addresses or networks that may read /metrics, /health/live and /health/ready.",
    .scope = Scope::Server,
};
const Option<bool> accessLog{
    .key = "http.access_log",
    .fallback = true,
    .help = "Whether each request is logged: who, which route, how it was answered.",
    .scope = Scope::Server,
};
const Option<Bytes> headBytesMax{
    .key = "http.head_bytes_max",
    .fallback = 16_KiB,
    .range = {4_KiB, 256_KiB},
    .help = "The largest head of a request (its first line and fields).",
    .scope = Scope::Server,
};
const Option<std::int64_t> fieldsMax{
    .key = "http.fields_max",
    .fallback = 100,
    .range = {20, 1000},
    .help = "How many fields a request may have.",
    .scope = Scope::Server,
};
const Option<Duration> headTimeout{
    .key = "http.head_timeout",
    .fallback = std::chrono::seconds{15},
    .range = {std::chrono::seconds{1}, std::chrono::minutes{10}},
    .help = "How long the head of a request may take.",
    .scope = Scope::Server,
};
const Option<Duration> bodyTimeout{
    .key = "http.body_timeout",
    .fallback = std::chrono::seconds{30},
    .range = {std::chrono::seconds{1}, std::chrono::minutes{10}},
    .help = "How long nothing of a body may come before the request is given up.",
    .scope = Scope::Server,
};
const Option<Duration> idleTimeout{
    .key = "http.idle_timeout",
    .fallback = std::chrono::seconds{60},
    .range = {std::chrono::seconds{1}, std::chrono::hours{1}},
    .help = "How long a connection is kept without a request.",
    .scope = Scope::Server,
};
const Option<Duration> writeTimeout{
    .key = "http.write_timeout",
    .fallback = std::chrono::seconds{60},
    .range = {std::chrono::seconds{1}, std::chrono::hours{1}},
    .help = "How long a client may take nothing of its answer.",
    .scope = Scope::Server,
};
const Option<std::int64_t> connectionsMax{
    .key = "http.connections_max",
    .fallback = 100000,
    .range = {10, 10000000},
    .help =
        "How many connections of HTTP there may be, those that have become WebSockets not counted.",
    .scope = Scope::Server,
};

}  // namespace httpOption

std::vector<OptionRef> httpOptions() {
    using namespace httpOption;
    return {&addresses,
            &tlsPort,
            &plainAddresses,
            &plainPort,
            &trustedProxies,
            &proxyProtocol,
            &publicUrl,
            &names,
            &origins,
            &webSocket,
            &webSocketCompression,
            &bosh,
            &boshWait,
            &boshInactivity,
            &statusAddresses,
            &accessLog,
            &headBytesMax,
            &fieldsMax,
            &headTimeout,
            &bodyTimeout,
            &idleTimeout,
            &writeTimeout,
            &connectionsMax};
}

HttpPorts::HttpPorts(const Settings& settings)
    : plainAddresses{settings.get(httpOption::plainAddresses)},
      plainPort{std::uint16_t(settings.get(httpOption::plainPort))},
      tlsAddresses{settings.get(httpOption::addresses)},
      tlsPort{std::uint16_t(settings.get(httpOption::tlsPort))} {}

}  // namespace epode
