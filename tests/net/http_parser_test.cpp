#include "net/http_parser.h"
#include "tests/support/catch.h"

#include <string>
#include <vector>

using namespace epode;

namespace {

// What a parser makes of some bytes: "GET / host=… [body]" for each request, "!400" for the end.
std::string parsed(std::string_view bytes, std::size_t step = 0, HttpParserLimits limits = {}) {
    HttpParser parser{limits};
    std::string all;
    std::string body;
    std::size_t at = 0;
    while (at < bytes.size()) {
        const std::size_t size = step == 0 ? bytes.size() : std::min(step, bytes.size() - at);
        std::string_view input = bytes.substr(at, size);
        at += size;
        while (true) {
            const auto event = parser.next(input);
            if (event == HttpParser::Event::NeedMore) break;
            if (event == HttpParser::Event::Failure)
                return all + "!" + std::to_string(parser.status());
            if (event == HttpParser::Event::Head) {
                const HttpRequest& request = parser.request();
                all.append(toText(request.method)).append(" ").append(request.path);
                if (!request.query.empty()) all.append("?").append(request.query);
                all.append(" ").append(request.host).append(request.isPersistent ? "" : " close");
            } else if (event == HttpParser::Event::Data) {
                body.append(parser.data());
            } else {
                if (!body.empty()) all.append(" [").append(body).append("]");
                body.clear();
                all.append(";");
            }
        }
    }
    return all;
}

const std::string get = "GET / HTTP/1.1\r\nHost: a.example\r\n";

}  // namespace

TEST_CASE("requests are read as RFC 9112 has them, however they are cut") {
    struct Row {
        std::string bytes;
        std::string expected;
    };
    const std::vector<Row> rows{
        {get + "\r\n", "GET / a.example;"},
        {"\r\n" + get + "\r\n", "GET / a.example;"},
        {get + "\r\n" + get + "\r\n", "GET / a.example;GET / a.example;"},
        {"HEAD /a%20b/c?x=%31 HTTP/1.1\r\nHost: A.Example:5280\r\n\r\n",
         "HEAD /a b/c?x=%31 a.example;"},
        {"GET http://b.example/x HTTP/1.1\r\nHost: a.example\r\n\r\n", "GET /x b.example;"},
        {"GET https://b.example HTTP/1.1\r\nHost: a.example\r\n\r\n", "GET / b.example;"},
        {"OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n", "OPTIONS * a.example;"},
        {"GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", "GET / [2001:db8::1];"},
        {"GET / HTTP/1.1\r\nHost: a.example.\r\n\r\n", "GET / a.example;"},
        {"GET / HTTP/1.0\r\n\r\n", "GET /  close;"},
        {get + "Connection: foo, Close\r\n\r\n", "GET / a.example close;"},
        {get + "X-Empty:\r\nX-Tab: a\tb \t\r\n\r\n", "GET / a.example;"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "POST / a [hello];"},
        {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" + get + "\r\n",
         "POST / a;GET / a.example;"},
        {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
         "Chunked\r\n\r\n5\r\nhello\r\n1;x=\"y\"\r\n!\r\n0\r\n\r\n",
         "POST / a [hello!];"},
        {"PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nA \r\n", "PUT /x a!400"},
        {"PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n00a "
         ";x\r\n0123456789\r\n000\r\nA: b\r\n\r\n",
         "PUT /x a [0123456789];"},
    };
    for (const auto& [bytes, expected] : rows) {
        INFO(bytes);
        CHECK(parsed(bytes) == expected);
        for (const std::size_t step : {1, 2, 3, 7}) {
            INFO("in steps of " << step);
            CHECK(parsed(bytes, step) == expected);
        }
    }
}

TEST_CASE("what two programs could read in two ways is refused") {
    const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
    const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
    struct Row {
        std::string bytes;
        std::string expected;
    };
    const std::vector<Row> rows{
        // Lines and white space.
        {"GET / HTTP/1.1\nHost: a\n\n", "!400"},
        {"GET / HTTP/1.1\r\nHost: a\n\r\n", "!400"},
        {"GET / HTTP/1.1\rHost: a\r\n\r\n", "!400"},
        {get + "X: a\rb\r\n\r\n", "!400"},
        {get + "X: a\r\n b\r\n\r\n", "!400"},
        {get + "X: a\r\n\tb\r\n\r\n", "!400"},
        {"GET / HTTP/1.1\r\n Host: a\r\n\r\n", "!400"},
        {get + "X : a\r\n\r\n", "!400"},
        {get + ": a\r\n\r\n", "!400"},
        {get + "X\r\n\r\n", "!400"},
        {get + "X(y): a\r\n\r\n", "!400"},
        {get + std::string{"X: a\0b\r\n\r\n", 10}, "!400"},
        {get + "X: a\x01\r\n\r\n", "!400"},
        {get + "X\xC3\xA9: a\r\n\r\n", "!400"},
        {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
        {"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
        {"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
        {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
        {"\r\n\r\n" + get + "\r\n", "!400"},
        // Targets.
        {"GET HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
        {"GET x HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
        {"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
        {"GET /\xC3\xA9 HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
        {"GET /#x HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
        {"GET /a\\b HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
        {"GET /%2 HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
        {"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
        {"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
        {"GET /../x HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
        {"GET /x/%2e%2E/y HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
        {"GET /x%2f..%2fy HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
        {"GET * HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
        {"GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
        {"GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
        {"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "!501"},
        // Methods and versions.
        {"get / HTTP/1.1\r\nHost: a\r\n\r\n", "!501"},
        {"G@T / HTTP/1.1\r\nHost: a\r\n\r\n", "!400"},
        {"BREW / HTTP/1.1\r\nHost: a\r\n\r\n", "!501"},
        {"GET / http/1.1\r\nHost: a\r\n\r\n", "!400"},
        {"GET / HTTP/1.10\r\nHost: a\r\n\r\n", "!400"},
        {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "!505"},
        {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "!505"},
        // Hosts.
        {"GET / HTTP/1.1\r\n\r\n", "!400"},
        {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "!400"},
        {"GET / HTTP/1.1\r\nHost: \r\n\r\n", "!400"},
        {"GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", "!400"},
        {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", "!400"},
        {"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", "!400"},
        {"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", "!400"},
        {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "!400"},
        {"GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n", "!400"},
        // Lengths.
        {post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "!400"},
        {post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello", "!400"},
        {post + "Content-Length: 5, 5\r\n\r\nhello", "!400"},
        {post + "Content-Length: +5\r\n\r\nhello", "!400"},
        {post + "Content-Length: -5\r\n\r\nhello", "!400"},
        {post + "Content-Length: 0x5\r\n\r\nhello", "!400"},
        {post + "Content-Length: \r\n\r\nhello", "!400"},
        {post + "Content-Length: 99999999999999999999\r\n\r\nhello", "!400"},
        {post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "!400"},
        {post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", "!400"},
        {post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
         "!400"},
        {post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "!501"},
        {post + "Transfer-Encoding: identity\r\n\r\n", "!501"},
        {post + "Transfer-Encoding: chunked, identity\r\n\r\n", "!501"},
        {post + "Transfer-Encoding:\r\n\r\n", "!501"},
        {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "!400"},
        {post + "Expect: 200-ok\r\n\r\n", "!417"},
        // Chunks.
        {chunked + "x\r\n", "POST / a!400"},
        {chunked + "\r\n", "POST / a!400"},
        {chunked + "0x5\r\nhello\r\n0\r\n\r\n", "POST / a!400"},
        {chunked + "-5\r\nhello\r\n0\r\n\r\n", "POST / a!400"},
        {chunked + " 5\r\nhello\r\n0\r\n\r\n", "POST / a!400"},
        {chunked + "5\nhello\r\n0\r\n\r\n", "POST / a!400"},
        {chunked + "5\r\nhello!\r\n0\r\n\r\n", "POST / a!400"},
        {chunked + "5\r\nhello\n0\r\n\r\n", "POST / a!400"},
        {chunked + "ffffffffffffffff\r\n", "POST / a!400"},
        {chunked + "0\r\nno field\r\n\r\n", "POST / a!400"},
        {chunked + "5;x=\r\r\nhello\r\n0\r\n\r\n", "POST / a!400"},
    };
    for (const auto& [bytes, expected] : rows) {
        INFO(bytes);
        CHECK(parsed(bytes) == expected);
        CHECK(parsed(bytes, 1) == expected);
    }
}

TEST_CASE("whatever can be large has a limit, which is enforced before all of it has come") {
    const HttpParserLimits limits{.targetBytesMax = 64, .headBytesMax = 256, .fieldsMax = 3};
    const auto status = [&](const std::string& bytes) { return parsed(bytes, 16, limits); };
    CHECK(status("GET /" + std::string(200, 'a')) == "!414");
    CHECK(status("GET /" + std::string(70, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n") == "!414");
    CHECK(status(get + "X: " + std::string(400, 'a')) == "!431");
    CHECK(status(get + "A: 1\r\nB: 2\r\n\r\n") == "GET / a.example;");
    CHECK(status(get + "A: 1\r\nB: 2\r\nC: 3\r\n\r\n") == "!431");
    const std::string chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
    CHECK(status(chunked + "5;" + std::string(300, 'x')) == "POST / a!400");
    CHECK(status(chunked + "0\r\nA: " + std::string(5000, 'x')) == "POST / a!431");
}

TEST_CASE("nothing is taken behind the end of a request") {
    HttpParser parser;
    const std::string bytes = get + "\r\nSECRET";
    std::string_view input = bytes;
    REQUIRE(parser.next(input) == HttpParser::Event::Head);
    CHECK(input == "SECRET");
    REQUIRE(parser.next(input) == HttpParser::Event::End);
    CHECK(input == "SECRET");
    CHECK(parser.isBetween());
}

TEST_CASE("queries and tokens are read by their rules") {
    CHECK(queryValue("a=1&b=x%20y+z&c", "b") == "x y z");
    CHECK(queryValue("a=1&b=x&c", "c") == "");
    CHECK(!queryValue("a=1", "b"));
    CHECK(!queryValue("a=%2", "a"));
    CHECK(isHttpToken("X-Foo_1"));
    CHECK(!isHttpToken("X Foo"));
    CHECK(!isHttpToken(""));
}
