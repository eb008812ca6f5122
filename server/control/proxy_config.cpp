#include "control/proxy_config.h"

#include "control/http_options.h"
#include "route/server.h"

namespace epode {

namespace {

// By which a browser calls a host: those of http.names, else its own name.
std::vector<std::string> namesOf(const Settings& settings, const std::vector<std::string>& hosts) {
    std::vector<std::string> names;
    for (const auto& host : hosts) {
        const auto& given = settings.get(httpOption::names, host);
        if (given.empty())
            names.push_back(host);
        else
            names.insert(names.end(), given.begin(), given.end());
    }
    return names;
}

std::string joined(const std::vector<std::string>& words, std::string_view between) {
    std::string text;
    for (const auto& word : words) {
        if (!text.empty()) text.append(between);
        text.append(word);
    }
    return text;
}

std::string upstreamOf(const Settings& settings) {
    const auto& addresses = settings.get(httpOption::plainAddresses);
    const std::string address = addresses.empty() ? "127.0.0.1" : addresses.front();
    const bool isV6 = address.find(':') != std::string::npos && !address.starts_with('[');
    return (isV6 ? "[" + address + "]" : address) + ":" +
           std::to_string(settings.get(httpOption::plainPort));
}

std::string inSeconds(Duration duration) {
    return std::to_string(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

// How long nothing may come on a connection that is in use: pings keep WebSockets busier than this.
constexpr auto silence = std::chrono::minutes{15};

constexpr std::string_view nginx =
    R"(# nginx in front of Epode. In /etc/nginx/conf.d/epode.conf; put your certificate where it says so.
map $http_upgrade $epode_connection {
    default upgrade;
    ''      '';
}

upstream epode {
    server @UPSTREAM@;
    keepalive 32;
}

server {
    listen 443 ssl;
    listen [::]:443 ssl;
    server_name @NAMES@;

    ssl_certificate     /etc/ssl/certs/@NAME@.pem;
    ssl_certificate_key /etc/ssl/private/@NAME@.key;
    ssl_protocols       TLSv1.2 TLSv1.3;

    # What is for the operator stays inside.
    location = /metrics { return 404; }
    location /health/   { return 404; }

    location / {
        proxy_pass http://epode;
        proxy_http_version 1.1;
        proxy_set_header Host              $host;
        proxy_set_header Upgrade           $http_upgrade;
        proxy_set_header Connection        $epode_connection;
        proxy_set_header X-Forwarded-For   $remote_addr;
        proxy_set_header X-Forwarded-Proto $scheme;
        # Bodies and answers pass through as they come.
        proxy_buffering         off;
        proxy_request_buffering off;
        client_max_body_size    0;
        proxy_read_timeout      @SILENCE@s;
        proxy_send_timeout      @SILENCE@s;
    }
}
)";

constexpr std::string_view caddy =
    R"(# Caddy in front of Epode. In /etc/caddy/Caddyfile; Caddy gets the certificates by itself.
@SITES@ {
    # What is for the operator stays inside.
    @operator path /metrics /health/*
    respond @operator 404

    # Caddy tells the client's address and scheme (X-Forwarded-For, X-Forwarded-Proto) by itself.
    reverse_proxy @UPSTREAM@ {
        flush_interval -1
    }
}
)";

constexpr std::string_view haproxy =
    R"(# HAProxy in front of Epode. In /etc/haproxy/haproxy.cfg; put your certificate (chain and key) where it says so.
frontend epode_web
    mode http
    bind :443 ssl crt /etc/haproxy/certs/@NAME@.pem alpn http/1.1
    timeout client          @SILENCE@s
    timeout http-request    15s
    # What is for the operator stays inside.
    acl operator path /metrics
    acl operator path_beg /health/
    http-request return status 404 if operator
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Forwarded-Proto https
    acl named hdr(host),field(1,:) -i @NAMES@
    http-request return status 404 unless named
    default_backend epode

backend epode
    mode http
    timeout connect 5s
    timeout server  @SILENCE@s
    timeout tunnel  1h
    server epode @UPSTREAM@@PROXY@
)";

void replaceAll(std::string& text, std::string_view what, std::string_view by) {
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + by.size()))
        text.replace(at, what.size(), by);
}

}  // namespace

std::string proxyConfig(std::string_view program, const Settings& settings,
                        const std::vector<std::string>& hosts) {
    const auto names = namesOf(settings, hosts);
    std::string text{program == "nginx" ? nginx : program == "caddy" ? caddy : haproxy};
    replaceAll(text, "@UPSTREAM@", upstreamOf(settings));
    replaceAll(text, "@NAMES@", joined(names, " "));
    replaceAll(text, "@SITES@", joined(names, ", "));
    replaceAll(text, "@NAME@", names.front());
    // Tells for whom it speaks, and whether he has come by TLS.
    replaceAll(text, "@PROXY@",
               settings.get(httpOption::proxyProtocol) ? " send-proxy-v2-ssl" : "");
    replaceAll(text, "@SILENCE@", inSeconds(silence));
    return text;
}

std::vector<CommandRegistry::Registration> addWebCommands(CommandRegistry& registry,
                                                          Server& server) {
    std::vector<CommandRegistry::Registration> all;
    all.push_back(registry.add({
        .name = "proxy-config",
        .summary = "Prints a configuration for a web server in front of this one",
        .details = "It serves what this server serves without TLS on http.plain_port: WebSocket, "
                   "BOSH, discovery and "
                   "whatever plugins add, under the names of the virtual hosts (http.names).",
        .arguments = {{.name = "program",
                       .kind = ArgumentKind::Choice,
                       .choices = {"nginx", "caddy", "haproxy"},
                       .help = "Which one stands in front"}},
        .permission = Permission::Watch,
        .examples = {{"proxy-config nginx", "Into /etc/nginx/conf.d/epode.conf"}},
        .answer =
            [&server](CommandCall& call) {
                const Settings& settings = *server.settings();
                if (settings.get(httpOption::plainPort) == 0)
                    return CommandResult::refusal(
                        "unavailable",
                        "http.plain_port is 0: there is nothing to stand in front of.",
                        "Set it, and start the server again.");
                if (settings.get(httpOption::proxyProtocol) && call.text("program") != "haproxy")
                    return CommandResult::refusal(
                        "unavailable",
                        "http.proxy_protocol is on, and of these only HAProxy speaks the PROXY "
                        "protocol to a web server.",
                        "Set it to false: the others tell the client's address by "
                        "X-Forwarded-For.");
                return CommandResult::message(
                    proxyConfig(call.text("program"), settings, server.hosts()));
            },
    }));
    return all;
}

}  // namespace epode
