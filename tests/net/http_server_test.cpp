// Conversations with the web server, on a simulated network and virtual time.
#include "net/http_server.h"

#include "core/log.h"
#include "net/http_files.h"
#include "net/http_range.h"
#include "net/sim.h"
#include "net/tls_context.h"
#include "tests/support/catch.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <vector>

using namespace epode;
using namespace std::chrono_literals;

namespace {

const std::string hostLine = "Host: a.example\r\n";

struct Client : TransportUser {
    void onData(std::string_view bytes) override { received += bytes; }
    void onClosed(std::string_view) override { isClosed = true; }
    std::unique_ptr<Transport> transport;
    std::shared_ptr<SimLink> link;
    std::string received;
    bool isClosed = false;
};

// A server with some routes, and clients of it.
struct Web {
    Web() {
        settings->trustedProxies = {*IpNetwork::parse("192.0.2.80")};
        routes.push_back({.methods = {HttpMethod::Get},
                          .path = "/hello",
                          .handle = [](const HttpExchangePtr& exchange) {
                              exchange->answer(HttpResponse::of("text/plain", "hello"));
                          }});
        routes.push_back(
            {.methods = {HttpMethod::Get},
             .path = "/who",
             .origins = HttpOrigins::Any,
             .handle = [](const HttpExchangePtr& exchange) {
                 const HttpRequest& request = exchange->request();
                 exchange->answer(HttpResponse::of(
                     "text/plain", request.address + (request.isSecure ? " secure" : " open")));
             }});
        routes.push_back({.methods = {HttpMethod::Post},
                          .path = "/echo",
                          .bodyBytesMax = 100,
                          .handle = [](const HttpExchangePtr& exchange) {
                              exchange->readBody([exchange](std::string body) {
                                  exchange->answer(HttpResponse::of("text/plain", std::move(body)));
                              });
                          }});
        routes.push_back({.methods = {HttpMethod::Get, HttpMethod::Post},
                          .path = "/later",
                          .bodyBytesMax = 1000000,
                          .handle = [this](const HttpExchangePtr& exchange) {
                              exchange->whenGone([this] { ++gone; });
                              waiting.push_back(exchange);
                          }});
        routes.push_back(
            {.methods = {HttpMethod::Get}, .path = "/throws", .handle = [](const HttpExchangePtr&) {
                 throw std::runtime_error{"a bug"};
             }});
        routes.push_back({.methods = {HttpMethod::Put},
                          .path = "/files/*",
                          .bodyBytesMax = 10000000,
                          .handle = [this](const HttpExchangePtr& exchange) {
                              upload = exchange;
                              exchange->takeBody(
                                  [this](std::string_view piece) { uploaded += piece.size(); },
                                  [exchange] { exchange->answer({.status = 201}); });
                          }});
    }
    ~Web() {
        waiting.clear();
        upload.reset();
        clients.clear();
        server.reset();
    }

    Client& connect(const SimLinkSettings& link = {}) {
        if (!server)
            server =
                std::make_unique<HttpServer>(loop, settings, [this](const HttpRequest& request) {
                    HttpServer::Match match;
                    match.route =
                        findHttpRoute(routes, request.path, request.method, match.hasPath);
                    return match;
                });
        auto connection = SimTransport::connect(machine, loop, link);
        auto& client = *clients.emplace_back(std::make_unique<Client>());
        client.transport = std::move(connection.client);
        client.link = connection.link;
        client.transport->setUser(client);
        loop.post([this, moved = std::move(connection.server)]() mutable {
            server->accept(std::move(moved), false);
        });
        world.runUntilIdle();
        return client;
    }
    void send(Client& client, const std::string& bytes) {
        machine.post([&client, bytes] { client.transport->send(bytes); });
        world.runUntilIdle();
    }
    // What comes back for some bytes, without the Date.
    std::string ask(Client& client, const std::string& bytes) {
        client.received.clear();
        send(client, bytes);
        return withoutDate(client.received);
    }
    std::string ask(const std::string& bytes) { return ask(connect(), bytes); }
    static std::string withoutDate(std::string text) {
        for (auto at = text.find("Date: "); at != std::string::npos; at = text.find("Date: "))
            text.erase(at, text.find("\r\n", at) + 2 - at);
        return text;
    }
    void onLoop(std::function<void()> work) {
        loop.post(std::move(work));
        world.runUntilIdle();
    }

    Simulation world;
    SimExecutor& machine = world.addExecutor();
    SimExecutor& loop = world.addExecutor();
    std::shared_ptr<HttpSettings> settings = std::make_shared<HttpSettings>();
    std::vector<HttpRoute> routes;
    std::vector<HttpExchangePtr> waiting;
    HttpExchangePtr upload;
    std::size_t uploaded = 0;
    int gone = 0;
    std::unique_ptr<HttpServer> server;
    std::vector<std::unique_ptr<Client>> clients;
};

std::string get(const std::string& path, const std::string& fields = {}) {
    return "GET " + path + " HTTP/1.1\r\n" + hostLine + fields + "\r\n";
}
std::string statusOf(const std::string& answer) { return answer.substr(9, 3); }
std::string bodyOf(const std::string& answer) { return answer.substr(answer.find("\r\n\r\n") + 4); }
bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a request is answered, and the connection stays for the next") {
    Web web;
    Client& client = web.connect();
    for (int i = 0; i < 3; ++i) {
        CHECK(web.ask(client, get("/hello")) ==
              "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Content-Type-Options: nosniff\r\n"
              "Content-Length: 5\r\n\r\nhello");
    }
    CHECK(!client.isClosed);
    CHECK(has(client.received, "Date: Tue, 14 Nov 2023 23:13:20 GMT\r\n"));
    CHECK(has(web.ask(client, get("/hello", "Connection: close\r\n")), "Connection: close\r\n"));
    web.world.advance(10s);
    CHECK(client.isClosed);
}

TEST_CASE("HEAD has the head alone, and wrong paths and methods their own answers") {
    Web web;
    const auto head = web.ask("HEAD /hello HTTP/1.1\r\n" + hostLine + "\r\n");
    CHECK(has(head, "Content-Length: 5\r\n"));
    CHECK(bodyOf(head) == "");
    CHECK(statusOf(web.ask(get("/nothing"))) == "404");
    CHECK(statusOf(web.ask("POST /hello HTTP/1.1\r\n" + hostLine + "Content-Length: 0\r\n\r\n")) ==
          "405");
    CHECK(statusOf(web.ask("DELETE /hello HTTP/1.1\r\n" + hostLine + "\r\n")) == "405");
    setLogLevel("http", LogLevel::Off);
    CHECK(statusOf(web.ask(get("/throws"))) == "500");
    setLogLevel("http", LogLevel::Warning);
}

TEST_CASE("what is no request is refused, and the connection ends") {
    Web web;
    for (const std::string bytes :
         {"GET /hello HTTP/1.1\r\n\r\n", "nonsense\r\n\r\n", "\x16\x03\x01\x02\x03\n\n"}) {
        Client& client = web.connect();
        const auto answer = web.ask(client, bytes);
        CHECK(statusOf(answer) == "400");
        CHECK(has(answer, "Connection: close\r\n"));
        web.world.advance(10s);
        CHECK(client.isClosed);
    }
}

TEST_CASE("pipelined requests are answered in their order, one after the other") {
    Web web;
    Client& client = web.connect();
    web.send(client, get("/later") + get("/hello") + get("/later"));
    REQUIRE(web.waiting.size() == 1);
    CHECK(client.received == "");
    web.onLoop([&] { web.waiting[0]->answer(HttpResponse::of("text/plain", "first")); });
    REQUIRE(web.waiting.size() == 2);
    CHECK(has(client.received, "first"));
    CHECK(has(client.received, "hello"));
    web.onLoop([&] { web.waiting[1]->answer(HttpResponse::of("text/plain", "third")); });
    CHECK(client.received.ends_with("third"));
}

TEST_CASE("a body comes whole or in chunks, and one that is too long is refused") {
    Web web;
    const std::string post = "POST /echo HTTP/1.1\r\n" + hostLine;
    CHECK(bodyOf(web.ask(post + "Content-Length: 5\r\n\r\nhello")) == "hello");
    CHECK(bodyOf(web.ask(post + "Content-Length: 0\r\n\r\n")) == "");
    CHECK(bodyOf(web.ask(post +
                         "Transfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")) ==
          "hello");
    CHECK(statusOf(web.ask(post + "Content-Length: 101\r\n\r\n")) == "413");
    CHECK(statusOf(web.ask(post + "Transfer-Encoding: chunked\r\n\r\n" + "ff\r\n" +
                           std::string(255, 'x'))) == "413");
    // After it the next request is read, not the rest of the body.
    Client& client = web.connect();
    const auto answers = web.ask(client, post + "Content-Length: 5\r\n\r\nhello" + get("/hello"));
    CHECK(answers.ends_with("hello"));
    CHECK(has(answers,
              "hello"
              "HTTP/1.1 200 OK"));
}

TEST_CASE("a client that asks whether it may send its body is told so, or is answered") {
    Web web;
    Client& client = web.connect();
    const std::string post = "POST /echo HTTP/1.1\r\n" + hostLine + "Expect: 100-continue\r\n";
    CHECK(web.ask(client, post + "Content-Length: 5\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    CHECK(bodyOf(web.ask(client, "hello")) == "hello");
    Client& other = web.connect();
    const auto refused = web.ask(other, post + "Content-Length: 500\r\n\r\n");
    CHECK(statusOf(refused) == "413");
    CHECK(has(refused, "Connection: close"));
}

TEST_CASE("a body that is paused is not read, so that the client has to wait") {
    Web web;
    Client& client = web.connect();
    web.send(client, "PUT /files/x HTTP/1.1\r\n" + hostLine + "Content-Length: 1000000\r\n\r\n");
    REQUIRE(web.upload);
    web.onLoop([&] { web.upload->pauseBody(); });
    web.send(client, std::string(1000000, 'x'));
    CHECK(web.uploaded < 200000);
    CHECK(client.transport->unsentBytes() > 500000);
    web.onLoop([&] { web.upload->resumeBody(); });
    CHECK(web.uploaded == 1000000);
    CHECK(statusOf(client.received) == "201");
}

TEST_CASE("an upload whose connection breaks is never taken for complete") {
    Web web;
    Client& client = web.connect();
    web.send(client, "PUT /files/x HTTP/1.1\r\n" + hostLine + "Content-Length: 1000\r\n\r\n" +
                         std::string(999, 'x'));
    REQUIRE(web.upload);
    client.link->cut();
    web.world.runUntilIdle();
    CHECK(web.upload->isGone());
    CHECK(web.uploaded == 999);
    web.onLoop([&] { web.upload->answer({.status = 201}); });  // goes nowhere
    CHECK(web.server->count() == 0);
}

TEST_CASE("an answer in pieces is chunked, and waits for a client that does not take it") {
    Web web;
    Client& client = web.connect({.window = 1000});
    web.send(client, get("/later"));
    REQUIRE(web.waiting.size() == 1);
    const HttpExchangePtr exchange = web.waiting[0];
    web.onLoop([&] {
        exchange->begin(HttpResponse::of("text/plain", ""), std::nullopt);
        exchange->write("hello");
    });
    CHECK(has(client.received, "Transfer-Encoding: chunked\r\n"));
    CHECK(client.received.ends_with("5\r\nhello\r\n"));
    int drained = 0;
    client.transport->pauseReading();
    web.onLoop([&] {
        exchange->whenDrained([&] { ++drained; });
        exchange->write(std::string(500000, 'x'));
    });
    CHECK(exchange->unsentBytes() > 400000);
    CHECK(drained == 0);
    web.machine.post([&] { client.transport->resumeReading(); });
    web.world.runUntilIdle();
    CHECK(drained == 1);
    web.onLoop([&] { exchange->finish(); });
    CHECK(client.received.ends_with("\r\n0\r\n\r\n"));
}

TEST_CASE("an answer that is shorter than it said ends the connection") {
    Web web;
    Client& client = web.connect();
    web.send(client, get("/later"));
    web.onLoop([&] {
        web.waiting[0]->begin(HttpResponse::of("text/plain", ""), 10);
        web.waiting[0]->write("short");
        web.waiting[0]->finish();
    });
    web.world.advance(10s);
    CHECK(client.isClosed);
}

TEST_CASE("whoever waits for a client hears when it has gone, once") {
    Web web;
    Client& client = web.connect();
    web.send(client, get("/later"));
    client.link->cut();
    web.world.runUntilIdle();
    CHECK(web.gone == 1);
    Client& other = web.connect();
    web.send(other, get("/later"));
    web.onLoop([&] { web.waiting[1]->answer(HttpResponse::of("text/plain", "here")); });
    other.link->cut();
    web.world.runUntilIdle();
    CHECK(web.gone == 1);
}

TEST_CASE(
    "slow clients are given up: heads, bodies, idle connections, and those who take nothing") {
    Web web;
    Client& slow = web.connect();
    for (int i = 0; i < 12; ++i) {  // a byte every two seconds
        web.send(slow, std::string(1, "GET / HTTP/1"[i]));
        web.world.advance(2s);
    }
    CHECK(statusOf(slow.received) == "408");
    web.world.advance(10s);
    CHECK(slow.isClosed);

    Client& idle = web.connect();
    web.ask(idle, get("/hello"));
    web.world.advance(50s);
    CHECK(!idle.isClosed);
    web.world.advance(20s);
    CHECK(idle.isClosed);

    Client& silent = web.connect();
    web.world.advance(70s);
    CHECK(silent.isClosed);

    Client& body = web.connect();
    web.send(body, "POST /echo HTTP/1.1\r\n" + hostLine + "Content-Length: 5\r\n\r\nhel");
    web.world.advance(25s);
    web.send(body, "l");
    web.world.advance(25s);
    CHECK(body.received == "");
    web.world.advance(10s);
    CHECK(statusOf(body.received) == "408");

    // Who waits for an answer is not slow.
    Client& poll = web.connect();
    web.send(poll, get("/later"));
    web.world.advance(300s);
    CHECK(!poll.isClosed);

    Client& deaf = web.connect({.window = 1000});
    web.send(deaf, get("/later"));
    deaf.transport->pauseReading();
    web.onLoop([&] {
        web.waiting.back()->answer(HttpResponse::of("text/plain", std::string(100000, 'x')));
    });
    web.world.advance(100s);
    CHECK(web.server->count() == 1);  // the poll alone
}

TEST_CASE("there are only so many connections, and none after the end was announced") {
    Web web;
    web.settings->connectionsMax = 2;
    web.connect();
    web.connect();
    Client& third = web.connect();
    web.world.advance(10s);
    CHECK(third.isClosed);
    CHECK(web.server->count() == 2);
    web.send(*web.clients[0], get("/later"));
    web.onLoop([&] { web.server->closeAll(); });
    web.world.advance(10s);
    CHECK(web.clients[1]->isClosed);
    CHECK(!web.clients[0]->isClosed);
    web.onLoop([&] { web.waiting[0]->answer(HttpResponse::of("text/plain", "last")); });
    CHECK(web.clients[0]->received.ends_with("last"));
    web.world.advance(10s);
    CHECK(web.clients[0]->isClosed);
}

TEST_CASE("a proxy is believed when it is trusted, and nobody else") {
    Web web;
    const auto who = [&](const std::string& from, const std::string& fields) {
        return bodyOf(web.ask(web.connect({.clientAddress = from}), get("/who", fields)));
    };
    CHECK(who("192.0.2.1", "") == "192.0.2.1 open");
    CHECK(who("192.0.2.1", "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n") ==
          "192.0.2.1 open");
    CHECK(who("192.0.2.80", "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: https\r\n") ==
          "203.0.113.9 secure");
    CHECK(who("192.0.2.80", "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-Proto: http\r\n") ==
          "203.0.113.9 open");
    // What the client itself has put there stands before what the proxy knows.
    CHECK(who("192.0.2.80", "X-Forwarded-For: 10.0.0.1, 203.0.113.9\r\n") == "203.0.113.9 open");
    CHECK(who("192.0.2.80",
              "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 203.0.113.9, 192.0.2.80\r\n") ==
          "203.0.113.9 open");
    CHECK(who("192.0.2.80", "X-Forwarded-For: nonsense\r\n") == "192.0.2.80 open");
    // On the machine itself nobody is between, unless somebody says so.
    CHECK(who("127.0.0.1", "") == "127.0.0.1 secure");
    CHECK(who("127.0.0.1", "X-Forwarded-For: 203.0.113.9\r\n") == "127.0.0.1 open");
}

TEST_CASE("the PROXY protocol is taken from trusted proxies on connections that have it") {
    Web web;
    web.settings->takesProxyProtocol = true;
    const SimLinkSettings proxy{.clientAddress = "192.0.2.80"};
    const std::string line = "PROXY TCP4 203.0.113.9 198.51.100.1 1 443\r\n";
    CHECK(bodyOf(web.ask(web.connect(proxy), line + get("/who"))) == "203.0.113.9 open");
    // In pieces, too.
    Client& slow = web.connect(proxy);
    for (const char c : line) web.send(slow, std::string(1, c));
    CHECK(bodyOf(web.ask(slow, get("/who"))) == "203.0.113.9 open");
    CHECK(bodyOf(web.ask(slow, get("/who"))) == "203.0.113.9 open");
    setLogLevel("http", LogLevel::Off);
    CHECK(web.ask(web.connect(proxy), get("/who")) == "");
    setLogLevel("http", LogLevel::Warning);
    CHECK(bodyOf(web.ask(web.connect({.clientAddress = "192.0.2.1"}), get("/who"))) ==
          "192.0.2.1 open");
    CHECK(statusOf(web.ask(web.connect({.clientAddress = "192.0.2.1"}), line + get("/who"))) ==
          "400");
}

TEST_CASE("pages of other origins read what is for everybody, and nothing else") {
    Web web;
    const std::string origin = "Origin: https://b.example\r\n";
    CHECK(has(web.ask(get("/who", origin)), "Access-Control-Allow-Origin: *\r\n"));
    CHECK(!has(web.ask(get("/hello", origin)), "Access-Control"));
    const auto options = [&](const std::string& path) {
        return web.ask("OPTIONS " + path + " HTTP/1.1\r\n" + hostLine + origin +
                       "Access-Control-Request-Method: GET\r\n\r\n");
    };
    const auto allowed = options("/who");
    CHECK(statusOf(allowed) == "204");
    CHECK(has(allowed, "Allow: OPTIONS, GET, HEAD\r\n"));
    CHECK(has(allowed, "Access-Control-Allow-Methods: OPTIONS, GET, HEAD\r\n"));
    CHECK(!has(allowed, "Content-Length"));
    const auto refused = options("/hello");
    CHECK(statusOf(refused) == "204");
    CHECK(!has(refused, "Access-Control"));
    CHECK(statusOf(options("/nothing")) == "404");
    CHECK(statusOf(options("*")) == "204");
}

TEST_CASE("nobody can add lines to a head") {
    Web web;
    web.routes.push_back({.methods = {HttpMethod::Get},
                          .path = "/split",
                          .handle = [](const HttpExchangePtr& exchange) {
                              exchange->answer(
                                  HttpResponse{}.set("Location", "/x\r\nSet-Cookie: a=b"));
                          }});
    CHECK(has(web.ask(get("/split")), "Location: /xSet-Cookie: a=b\r\n"));
}

TEST_CASE("ranges and conditions select what RFC 9110 says") {
    const auto select = [](const std::string& field, const std::string& value,
                           std::uint64_t size = 1000) {
        HttpRequest request;
        request.fields.push_back({field, value});
        HttpRange range;
        switch (selectHttpRange(request, size, "\"tag\"", range)) {
            case HttpSelection::Whole:
                return std::string{"200"};
            case HttpSelection::NotModified:
                return std::string{"304"};
            case HttpSelection::Failed:
                return std::string{"412"};
            case HttpSelection::OutOfBounds:
                return std::string{"416"};
            case HttpSelection::Part:
                break;
        }
        return std::to_string(range.first) + "+" + std::to_string(range.bytes);
    };
    CHECK(select("range", "bytes=0-499") == "0+500");
    CHECK(select("range", "bytes=500-") == "500+500");
    CHECK(select("range", "bytes=-1") == "999+1");
    CHECK(select("range", "Bytes=0-0") == "0+1");
    CHECK(select("range", "bytes=900-5000") == "900+100");
    CHECK(select("range", "bytes=-5000") == "0+1000");
    CHECK(select("range", "bytes=1000-") == "416");
    CHECK(select("range", "bytes=-0") == "416");
    CHECK(select("range", "bytes=0-", 0) == "416");
    for (const std::string wrong :
         {"bytes=5-4", "bytes=a-b", "bytes=-", "bytes=", "bytes 0-1", "items=0-1", "bytes=0-1,5-6",
          "bytes=99999999999999999999-", "bytes=0--1", "bytes=+1-2"}) {
        INFO(wrong);
        CHECK(select("range", wrong) == "200");
    }
    CHECK(select("if-none-match", "\"tag\"") == "304");
    CHECK(select("if-none-match", "\"x\", W/\"tag\"") == "304");
    CHECK(select("if-none-match", "*") == "304");
    CHECK(select("if-none-match", "\"x\"") == "200");
    CHECK(select("if-none-match", "tag") == "200");
    CHECK(select("if-match", "\"x\"") == "412");
    CHECK(select("if-match", "\"x\", \"tag\"") == "200");
}

TEST_CASE(
    "files are served with their tags, ranges, compressed copies, and nothing outside of their "
    "folder") {
    auto name = (std::filesystem::temp_directory_path() / "epode-files-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()));
    const std::filesystem::path top{name};
    std::filesystem::create_directories(top / "root/sub/.hidden");
    const auto write = [&](const std::string& path, const std::string& text) {
        std::ofstream{top / path, std::ios::binary} << text;
    };
    const std::string large(700000, 'l');
    write("secret", "secret");
    write("root/page.html", "<p>page");
    write("root/page.html.gz", "compressed");
    write("root/large.bin", large);
    write("root/.config", "hidden");
    write("root/sub/.hidden/x", "hidden");
    write("root/sub/x.txt", "0123456789");
    std::filesystem::create_symlink(top / "secret", top / "root/link");

    Web web;
    const std::string root = (top / "root").string();
    web.routes.push_back(
        {.methods = {HttpMethod::Get},
         .path = "/static/*",
         .handle = [&](const HttpExchangePtr& exchange) {
             const auto path = findHttpFile(root, exchange->request().path.substr(8));
             serveHttpFile(exchange,
                           {.path = path, .contentType = std::string{contentTypeOf(path)}});
         }});
    const auto page = web.ask(get("/static/page.html"));
    CHECK(bodyOf(page) == "<p>page");
    CHECK(has(page, "Content-Type: text/html; charset=utf-8\r\n"));
    CHECK(has(page, "Vary: Accept-Encoding\r\n"));
    const auto compressed = web.ask(get("/static/page.html", "Accept-Encoding: br, gzip\r\n"));
    CHECK(bodyOf(compressed) == "compressed");
    CHECK(has(compressed, "Content-Encoding: gzip\r\n"));
    const auto start = page.find("ETag: ") + 6;
    const std::string tag = page.substr(start, page.find("\r\n", start) - start);
    CHECK(!has(compressed, tag));
    const auto again = web.ask(get("/static/page.html", "If-None-Match: " + tag + "\r\n"));
    CHECK(statusOf(again) == "304");
    CHECK(bodyOf(again) == "");
    CHECK(!has(again, "Content-Length"));
    const auto part = web.ask(get("/static/sub/x.txt", "Range: bytes=2-4\r\n"));
    CHECK(statusOf(part) == "206");
    CHECK(has(part, "Content-Range: bytes 2-4/10\r\n"));
    CHECK(bodyOf(part) == "234");
    const auto outside = web.ask(get("/static/sub/x.txt", "Range: bytes=10-\r\n"));
    CHECK(statusOf(outside) == "416");
    CHECK(has(outside, "Content-Range: bytes */10\r\n"));
    CHECK(bodyOf(web.ask(get("/static/large.bin"))) == large);
    // A slow reader gets all of it as well, though never all at once.
    Client& slow = web.connect({.delay = 1ms, .chunkMax = 5000, .window = 10000});
    web.send(slow, get("/static/large.bin"));
    web.world.advance(60s);
    CHECK(bodyOf(slow.received) == large);
    CHECK(statusOf(web.ask(get("/static/large.bin"))) == "200");

    for (const std::string path :
         {"/static/", "/static/sub", "/static/nothing", "/static/.config", "/static/sub/.hidden/x",
          "/static/link", "/static/sub/x.txt/y"}) {
        INFO(path);
        CHECK(statusOf(web.ask(get(path))) == "404");
    }
    CHECK(statusOf(web.ask(get("/static/../secret"))) == "400");
    CHECK(statusOf(web.ask(get("/static/%2e%2e/secret"))) == "400");
    CHECK(statusOf(web.ask(get("/static/..%2fsecret"))) == "400");
    std::filesystem::remove_all(top);
}
