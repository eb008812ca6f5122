// Calls to other people's web servers, each on a thread of a pool while it lasts; connections are
// kept for the next call.
//
//     HttpCall call{.method = "POST", .url = "https://push.example/notify", .body = json};
//     auto sent = client.send(std::move(call));
//     const auto answer = co_await sent;
//     if (answer.status / 100 == 2) …
#pragma once

#include "core/task.h"
#include "core/time.h"

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

namespace epode {

struct HttpCall {
    std::string method = "GET";
    std::string url;
    std::string body;
    std::string contentType = "application/json";
    std::size_t answerBytesMax = 65536;
    std::string trustFile{};  // of authorities; "" for the system's
    // For connecting, and then for each time that the other side lets us wait; whole seconds.
    Duration patience = std::chrono::seconds{5};
    // For all of it together, from looking up the name to the last byte: an answer that drips ends
    // then.
    Duration deadline = std::chrono::seconds{20};
};

struct HttpAnswer {
    int status = 0;       // 0: there was none
    std::string body;     // at most as large as asked for; what is more counts as no answer
    std::string problem;  // why there was none, for people
};

class HttpClient {
public:
    // Without threads, calls block the turn that makes them: for tests on virtual time.
    explicit HttpClient(unsigned threads);
    // Ends the calls under way, whose answers are problems.
    ~HttpClient();
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    // Redirections are not followed. The certificate has to be valid for the name by the system's
    // authorities. When too many calls wait already, the answer is a problem at once.
    Task<HttpAnswer> send(HttpCall call);

    // Why nothing is sent there; empty when it is: https anywhere, http on loopback alone.
    static std::string whyNot(std::string_view url);

private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace epode
