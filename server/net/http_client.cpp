#include "net/http_client.h"

#include "core/worker_pool.h"
#include "net/web_requests.h"

#include <Poco/Exception.h>
#include <Poco/Net/IPAddress.h>
#include <Poco/URI.h>

#include <atomic>

namespace epode {

namespace {

// Of one client, waiting or under way.
constexpr std::size_t callsMax = 200;

bool isLoopback(const std::string& host) {
    Poco::Net::IPAddress address;
    return host == "localhost" ||
           (Poco::Net::IPAddress::tryParse(host, address) && address.isLoopback());
}

HttpAnswer none(std::string problem) {
    return {.status = 0, .body = {}, .problem = std::move(problem)};
}

}  // namespace

// Outlives the client while calls are under way.
struct HttpClient::State {
    explicit State(unsigned threads) : pool{std::make_unique<WorkerPool>(threads)} {}

    HttpAnswer run(const HttpCall& call);

    WebRequests web;
    std::atomic<std::size_t> calls{0};
    std::unique_ptr<WorkerPool> pool;
};

HttpAnswer HttpClient::State::run(const HttpCall& call) {
    WebRequest request{.method = call.method};
    auto origin = WebOrigin::parse(call.url, &request.target);
    if (!origin) return none("that is no address of the web");
    request.origin = std::move(*origin);
    request.fields = {{"User-Agent", "Epode"}};
    if (!call.body.empty() || call.method != "GET") {
        request.fields.push_back({"Content-Type", call.contentType});
        request.bodyBytes = call.body.size();
        request.body = [&call](std::uint64_t at) { return call.body.substr(at); };
    }
    request.answerBytesMax = call.answerBytesMax;
    request.trustFile = call.trustFile;
    request.patience = call.patience;
    request.deadline = call.deadline;
    try {
        auto answer = web.ask(request);
        return {.status = answer.status, .body = std::move(answer.body), .problem = {}};
    } catch (const std::exception& failure) {
        return none(failure.what());
    }
}

HttpClient::HttpClient(unsigned threads) : state_{std::make_shared<State>(threads)} {}

HttpClient::~HttpClient() {
    state_->web.stop();
    state_->pool.reset();
}

Task<HttpAnswer> HttpClient::send(HttpCall call) {
    const auto state = state_;
    if (auto problem = whyNot(call.url); !problem.empty()) co_return none(std::move(problem));
    if (state->calls >= callsMax) co_return none("too many calls wait already");
    ++state->calls;
    auto work = [state, call = std::move(call)] { return state->run(call); };
    auto ran = offload(*state->pool, std::move(work));
    auto answer = co_await ran;
    --state->calls;
    co_return answer;
}

std::string HttpClient::whyNot(std::string_view url) {
    try {
        const Poco::URI uri{std::string{url}};
        if (uri.getHost().empty()) return "that is no address of the web";
        if (uri.getScheme() == "https") return {};
        if (uri.getScheme() != "http") return "the address has to begin with https://";
        if (!isLoopback(uri.getHost()))
            return "without TLS (http://) it may only be on this machine";
        return {};
    } catch (const Poco::Exception&) {
        return "that is no address of the web";
    }
}

}  // namespace epode
