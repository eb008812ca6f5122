// What the server shows to the web by itself: discovery (XEP-0156), metrics, health.
#include "control/http_face.h"
#include "control/proxy_config.h"
#include "core/log.h"
#include "plugin/plugin.h"
#include "tests/stream/web_client.h"

using namespace epode;

TEST_CASE("clients find the ways to connect, at the name of each host") {
    TestServer server{
        "[http]\ntls_port = 5281\n[host.\"montague.example\"]\n"
        "http.public_url = 'https://chat.montague.example/'\nhttp.bosh = false\n"
        "http.names = ['chat.montague.example']"};
    WebClient client{server};
    const auto xml = client.get("/.well-known/host-meta");
    CHECK(has(xml, "Content-Type: application/xrd+xml; charset=utf-8\r\n"));
    CHECK(has(xml, "Access-Control-Allow-Origin: *\r\n"));
    CHECK(bodyOf(xml) ==
          "<?xml version='1.0' encoding='utf-8'?>\n<XRD "
          "xmlns='http://docs.oasis-open.org/ns/xri/xrd-1.0'>\n"
          "  <Link rel='urn:xmpp:alt-connections:websocket' "
          "href='wss://capulet.example:5281/xmpp-websocket'/>\n"
          "  <Link rel='urn:xmpp:alt-connections:xbosh' "
          "href='https://capulet.example:5281/http-bind'/>\n</XRD>\n");
    const auto json = client.get("/.well-known/host-meta.json", {}, "Montague.example:443");
    CHECK(has(json, "Content-Type: application/json\r\n"));
    CHECK(bodyOf(json) ==
          "{\"links\":[{\"rel\":\"urn:xmpp:alt-connections:websocket\","
          "\"href\":\"wss://chat.montague.example/xmpp-websocket\"}]}\n");
    CHECK(bodyOf(client.get("/.well-known/host-meta.json", {}, "chat.montague.example")) ==
          bodyOf(json));
    // By another name, it is the first host.
    CHECK(bodyOf(client.get("/.well-known/host-meta", {}, "192.0.2.1")) == bodyOf(xml));
    CHECK(statusOf(client.ask(
              "POST /http-bind HTTP/1.1\r\nHost: montague.example\r\nContent-Length: 0\r\n\r\n")) ==
          "404");
}

TEST_CASE("nothing unprotected is advertised") {
    TestServer server{
        "[http]\ntls_port = 0\n[host.\"montague.example\"]\nhttp.public_url = "
        "'http://chat.example'"};
    WebClient client{server};
    CHECK(!has(client.get("/.well-known/host-meta"), "<Link"));
    CHECK(bodyOf(client.get("/.well-known/host-meta.json", {}, "montague.example")) ==
          "{\"links\":[]}\n");
}

TEST_CASE("metrics and health are for this machine, unless told otherwise") {
    TestServer server;
    SimLinkSettings local;
    local.clientAddress = "127.0.0.1";
    WebClient operatorsClient{server, local, false};
    const auto metrics = operatorsClient.get("/metrics");
    CHECK(has(metrics, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"));
    CHECK(has(metrics, "# TYPE epode_http_requests_total counter\n"));
    CHECK(bodyOf(operatorsClient.get("/health/live")) == "alive\n");
    CHECK(bodyOf(operatorsClient.get("/health/ready")) == "ready\n");
    for (const std::string path : {"/metrics", "/health/live", "/health/ready"}) {
        WebClient stranger{server};
        CHECK(statusOf(stranger.get(path)) == "404");
        // Who comes through a proxy of this machine is still a stranger.
        CHECK(statusOf(operatorsClient.get(path, "X-Forwarded-For: 203.0.113.9\r\n")) == "404");
        // And nobody says so himself.
        CHECK(statusOf(stranger.get(path, "X-Forwarded-For: 127.0.0.1\r\n")) == "404");
    }
    TestServer open{"[http]\nstatus_addresses = ['192.0.2.0/24']"};
    WebClient monitor{open};
    CHECK(statusOf(monitor.get("/metrics")) == "200");
}

namespace {

struct PagePlugin {
    void show(const HttpExchangePtr& exchange) {
        exchange->answer(HttpResponse::of("text/plain", "page of " + exchange->request().host));
    }
    Task<HttpResponse> find(HttpExchangePtr exchange) {
        const auto name = exchange->request().path.substr(7);
        if (name.empty()) throw std::runtime_error{"a bug"};
        HttpResponse response = HttpResponse::of("text/plain", name);
        co_return response;
    }
};

}  // namespace

TEST_CASE("plugins add routes to their host, and take them along when they go") {
    TestServer server;
    auto& shard = server.server().shard(0);
    const std::string host = "capulet.example";
    const auto before = shard.host(host)->sharedServices();
    PagePlugin plugin;
    auto services = std::make_shared<Services>(*before);
    PluginContext context{server.server(), host,    *server.server().settings(),
                          *services,       "pages", true};
    context.route({.methods = {HttpMethod::Get}, .path = "/page"}, &plugin, &PagePlugin::show);
    context.route({.methods = {HttpMethod::Get}, .path = "/pages/*"}, &plugin, &PagePlugin::find);
    context.route({.methods = {HttpMethod::Get}, .path = "/metrics"}, &plugin, &PagePlugin::show);
    const auto replace = [&](std::shared_ptr<const Services> by) {
        server.simulation().runUntilIdle();
        server.server().replace(host, std::move(by));
        server.run();
    };
    WebClient client{server};
    CHECK(statusOf(client.get("/page")) == "404");
    replace(services);
    CHECK(bodyOf(client.get("/page")) == "page of capulet.example");
    CHECK(bodyOf(client.get("/pages/of/mine")) == "of/mine");
    CHECK(statusOf(client.get("/page", {}, "montague.example")) == "404");
    // What is the server's own stays that.
    CHECK(statusOf(client.get("/metrics")) == "404");
    setLogLevel("http", LogLevel::Off);
    CHECK(statusOf(client.get("/pages/")) == "500");
    setLogLevel("http", LogLevel::Warning);
    replace(before);
    CHECK(statusOf(client.get("/page")) == "404");
}

TEST_CASE("configurations for proxies name the hosts and the place of this server") {
    TestServer server{
        "[http]\nplain_port = 1234\n[host.\"montague.example\"]\nhttp.names = ['chat.example', "
        "'m.example']"};
    const Settings& settings = *server.server().settings();
    const auto& hosts = server.server().hosts();
    const auto nginx = proxyConfig("nginx", settings, hosts);
    CHECK(has(nginx, "server_name capulet.example chat.example m.example;"));
    CHECK(has(nginx, "server 127.0.0.1:1234;"));
    const auto caddy = proxyConfig("caddy", settings, hosts);
    CHECK(has(caddy, "capulet.example, chat.example, m.example {"));
    CHECK(has(caddy, "reverse_proxy 127.0.0.1:1234 {"));
    const auto haproxy = proxyConfig("haproxy", settings, hosts);
    CHECK(has(haproxy, "-i capulet.example chat.example m.example"));
    CHECK(has(haproxy, "server epode 127.0.0.1:1234"));
    for (const auto& text : {nginx, caddy, haproxy})
        CHECK(!has(text,
                   "@"
                   "NAME"));
}
