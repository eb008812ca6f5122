#include "net/http_client.h"

#include "tests/support/answering_server.h"

using namespace epode;
using namespace epode::test;

namespace {

bool has(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

HttpAnswer call(HttpCall what) {
    what.patience = std::chrono::seconds{2};
    LoopThread there;
    HttpClient client{1};
    std::optional<HttpAnswer> got;
    there.run([&] {
        start(client.send(std::move(what)), [&](std::optional<HttpAnswer> answer,
                                                std::exception_ptr) { got = std::move(answer); });
    });
    REQUIRE(there.eventually([&] { return got.has_value(); }));
    return *got;
}

}  // namespace

TEST_CASE("a call has method, path and body, and gets what is said") {
    AnsweringServer web;
    web.answerStatus(200, "{\"good\":\"night\"}");
    const auto answer = call({.method = "POST", .url = web.url("/a/b?c=d"), .body = "{}"});
    CHECK(answer.status == 200);
    CHECK(answer.body == "{\"good\":\"night\"}");
    CHECK(answer.problem == "");
    const auto requests = web.taken();
    REQUIRE(requests.size() == 1);
    CHECK(requests.front().starts_with("POST /a/b?c=d HTTP/1.1\r\n"));
    CHECK(requests.front().find("Content-Type: application/json\r\n") != std::string::npos);
    CHECK(requests.front().ends_with("\r\n\r\n{}"));
}

TEST_CASE("other answers than success are answers") {
    AnsweringServer web;
    const auto status = GENERATE(302, 404, 410, 500);
    web.answerStatus(status);
    CHECK(call({.url = web.url()}).status == status);
    CHECK(web.taken().size() == 1);  // nobody follows a redirection
}

TEST_CASE("what is no answer is told as a problem") {
    AnsweringServer web;
    HttpCall wanted{.url = web.url(), .answerBytesMax = 100};
    SECTION("too much") {
        web.answerStatus(200, std::string(101, 'x'));
        CHECK(call(wanted).problem == "the answer is too large");
    }
    SECTION("something else than HTTP") {
        web.answer("220 mail.example ESMTP\r\n\r\n");
        CHECK(call(wanted).status == 0);
    }
    SECTION("nobody there") {
        wanted.url = "http://127.0.0.1:1/";
        const auto answer = call(wanted);
        CHECK(answer.status == 0);
        CHECK(answer.problem != "");
    }
    SECTION("silence") {
        web.answer("");
        wanted.url = web.url("/silent");
        CHECK(call(wanted).status == 0);
    }
}

TEST_CASE("an answer that drips ends with the call, however patient that is with each step") {
    AnsweringServer web;
    const std::string head = "HTTP/1.1 200 OK\r\n";
    web.drip(GENERATE_COPY(
        // In the first line, in a field, in the body, in chunks, in interim answers.
        std::string{"HTTP/1.1 200 O"}, head + "Slow: x", head + "Content-Length: 100000\r\n\r\nx",
        head + "\r\nx", head + "Transfer-Encoding: chunked\r\n\r\nffff\r\nx"));
    HttpCall wanted{.url = web.url()};
    wanted.deadline = std::chrono::milliseconds{400};
    const auto answer = call(std::move(wanted));
    CHECK(answer.status == 0);
    CHECK(answer.problem == "it takes too long");
}

TEST_CASE("answers are read as their heads say, or not at all") {
    struct Row {
        std::string answer;
        int status;
        std::string body;
    };
    const std::string ok = "HTTP/1.1 200 OK\r\n";
    std::string many;
    for (int i = 0; i < 7000; ++i) many += "Field: x\r\n";
    const auto row = GENERATE_COPY(values<Row>({
        {ok + "Content-Length: 4\r\n\r\nrose", 200, "rose"},
        {ok + "Content-Length: 4\r\nContent-Length: 4\r\n\r\nrose", 200, "rose"},
        {ok + "content-length:4\r\n\r\nrose and more", 200, "rose"},
        {ok + "Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nro\r\n02\r\nse\r\n0\r\nMore: x\r\n\r\n",
         200, "rose"},
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 201\r\n"
         "Content-Length: 0\r\n\r\n",
         201, ""},
        {"HTTP/1.1 204 None\r\nContent-Length: 10\r\n\r\n", 204, ""},
        {"HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n", 404, ""},
        {ok + "Content-Length: 4\r\nContent-Length: 5\r\n\r\nroses", 0, ""},
        {ok + "Content-Length: -4\r\n\r\nrose", 0, ""},
        {ok + "Content-Length: 4x\r\n\r\nrose", 0, ""},
        {ok + "Content-Length: 99999999999999999999\r\n\r\nrose", 0, ""},
        {ok + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nrose\r\n0\r\n\r\n", 0,
         ""},
        {ok + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 0, ""},
        {ok + "Transfer-Encoding: chunked\r\n\r\nfg\r\n", 0, ""},
        {ok + "Transfer-Encoding: chunked\r\n\r\n4\r\nroses\r\n0\r\n\r\n", 0, ""},
        {ok + "Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n", 0, ""},
        {ok + "No colon\r\nContent-Length: 0\r\n\r\n", 0, ""},
        {ok + "Long: " + std::string(70000, 'x') + "\r\nContent-Length: 0\r\n\r\n", 0, ""},
        {ok + many + "Content-Length: 0\r\n\r\n", 0, ""},
        {"HTTP/2 200 OK\r\n\r\n", 0, ""},
        {"HTTP/1.1 2000 OK\r\n\r\n", 0, ""},
        {"HTTP/1.1 20x OK\r\n\r\n", 0, ""},
        {"<html>", 0, ""},
    }));
    INFO(row.answer.substr(0, 200));
    AnsweringServer web;
    web.answer(row.answer);
    HttpCall wanted{.url = web.url()};
    wanted.deadline = std::chrono::seconds{2};
    const auto answer = call(std::move(wanted));
    CHECK(answer.status == row.status);
    CHECK(answer.body == row.body);
    CHECK((answer.problem == "") == (row.status != 0));
}

TEST_CASE("a certificate that nobody knows is refused") {
    TemporaryFolder folder;
    TlsStore store{{folder.certificate("localhost", {"localhost"}, {"localhost"})}};
    AnsweringServer web{{.address = {}, .directTls = &store.context({}), .limit = nullptr}};
    const auto answer = call({.url = "https://localhost:" + std::to_string(web.port()) + "/"});
    CHECK(answer.status == 0);
    CHECK(answer.problem != "");
    CHECK(web.taken().empty());
}

TEST_CASE("a certificate of an authority that is trusted is good for its names alone") {
    TemporaryFolder folder;
    const auto files = folder.certificate("localhost", {"localhost"}, {"localhost"});
    TlsStore store{{files}};
    AnsweringServer web{{.address = {}, .directTls = &store.context({}), .limit = nullptr}};
    const auto port = std::to_string(web.port());
    HttpCall wanted{.method = "POST", .url = "https://localhost:" + port + "/a", .body = "{}"};
    wanted.trustFile = files.certificateFile;
    SECTION("a call and its answer") {
        const std::string large(60000, 'x');
        web.answerStatus(200, large);
        const auto answer = call(wanted);
        CHECK(answer.problem == "");
        CHECK(answer.status == 200);
        CHECK(answer.body == large);
        const auto requests = web.taken();
        REQUIRE(requests.size() == 1);
        CHECK(requests.front().starts_with("POST /a HTTP/1.1\r\nHost: localhost:" + port));
    }
    SECTION("an answer that drips") {
        web.drip("HTTP/1.1 200 OK\r\nSlow: x");
        wanted.deadline = std::chrono::milliseconds{400};
        CHECK(call(wanted).problem == "it takes too long");
    }
    SECTION("another name") {
        wanted.url = "https://127.0.0.1:" + port + "/a";
        CHECK(has(call(wanted).problem, "the certificate is not good"));
        CHECK(web.taken().empty());
    }
    SECTION("no authorities") {
        wanted.trustFile = "/nowhere";
        CHECK(has(call(wanted).problem, "can't be read"));
    }
}

TEST_CASE("calls go to the web by TLS alone") {
    struct Row {
        std::string url;
        bool isGood;
    };
    const auto row = GENERATE(values<Row>({
        {"https://notify.example/hook", true},
        {"https://notify.example:8443", true},
        {"http://127.0.0.1:8080/hook", true},
        {"http://[::1]:8080/hook", true},
        {"http://localhost/hook", true},
        {"http://notify.example/hook", false},
        {"http://127.0.0.1.notify.example/", false},
        {"ftp://notify.example/hook", false},
        {"notify.example/hook", false},
        {"https://", false},
        {"https://notify.example:port/", false},
        {"", false},
    }));
    INFO(row.url);
    CHECK(HttpClient::whyNot(row.url).empty() == row.isGood);
    if (!row.isGood) CHECK(call({.url = row.url}).problem == HttpClient::whyNot(row.url));
}

TEST_CASE("a connection is kept for the next call, while the other side keeps it") {
    AnsweringServer web;
    AnsweringServer other;
    LoopThread there;
    HttpClient client{1};
    const auto post = [&](const AnsweringServer& to) {
        std::atomic<int> status{-1};
        there.run([&] {
            start(client.send({.method = "POST", .url = to.url(), .body = "{}"}),
                  [&](std::optional<HttpAnswer> answer, std::exception_ptr) {
                      status = answer ? answer->status : 0;
                  });
        });
        CHECK(there.eventually([&] { return status >= 0; }));
        return status.load();
    };
    CHECK(post(web) == 204);
    CHECK(post(web) == 204);
    CHECK(post(other) == 204);
    CHECK(post(web) == 204);
    CHECK(web.accepted() == 1);
    CHECK(other.accepted() == 1);
    web.answerStatus(200);  // and closes
    CHECK(post(web) == 200);
    CHECK(post(web) == 200);
    CHECK(web.accepted() == 2);
    CHECK(web.taken().size() == 5);
}

TEST_CASE("calls run beside the loop, and end with their client") {
    AnsweringServer web;
    LoopThread there;
    auto client = std::make_unique<HttpClient>(1);
    std::atomic<int> status{-1};
    const auto send = [&] {
        there.run([&] {
            start(client->send({.url = web.url(), .patience = patience}),
                  [&](std::optional<HttpAnswer> answer, std::exception_ptr) {
                      status = answer ? answer->status : 1;
                  });
        });
    };
    send();
    CHECK(there.eventually([&] { return status == 204; }));
    web.answer("");
    send();
    CHECK(there.eventually([&] { return web.waiting() == 2; }));
    client.reset();
    CHECK(there.eventually([&] { return status == 0; }));
}
