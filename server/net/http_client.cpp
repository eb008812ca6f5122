#include "net/http_client.h"

#include "core/worker_pool.h"

#include <Poco/Exception.h>
#include <Poco/Net/HTTPRequest.h>
#include <Poco/Net/HTTPResponse.h>
#include <Poco/Net/HTTPSClientSession.h>
#include <Poco/Net/IPAddress.h>
#include <Poco/Net/RejectCertificateHandler.h>
#include <Poco/Net/SSLManager.h>
#include <Poco/URI.h>

#include <array>
#include <atomic>
#include <mutex>
#include <set>

namespace epode {

namespace {

// Of one client, waiting or under way.
constexpr std::size_t callsMax = 200;

Poco::Timespan timespan(Duration duration) {
    return std::chrono::duration_cast<std::chrono::microseconds>(duration).count();
}

bool isLoopback(const std::string& host) {
    Poco::Net::IPAddress address;
    return host == "localhost" ||
           (Poco::Net::IPAddress::tryParse(host, address) && address.isLoopback());
}

// Poco asks on the console what to do about a bad certificate, unless it is told before.
Poco::Net::Context::Ptr tlsContext() {
    static const Poco::Net::Context::Ptr context = [] {
        Poco::Net::initializeSSL();
        Poco::Net::Context::Params params;
        params.verificationMode = Poco::Net::Context::VERIFY_STRICT;
        params.loadDefaultCAs = true;
        Poco::Net::Context::Ptr made{
            new Poco::Net::Context{Poco::Net::Context::TLS_CLIENT_USE, params}};
        made->requireMinimumProtocol(Poco::Net::Context::PROTO_TLSV1_2);
        Poco::Net::SSLManager::instance().initializeClient(
            nullptr, new Poco::Net::RejectCertificateHandler{false}, made);
        return made;
    }();
    return context;
}

}  // namespace

// Outlives the client while calls are under way.
struct HttpClient::State {
    explicit State(unsigned threads) : pool{std::make_unique<WorkerPool>(threads)} {}

    HttpAnswer run(const HttpCall& call);
    HttpAnswer exchange(Poco::Net::HTTPClientSession& session, const HttpCall& call,
                        const std::string& path);

    std::mutex mutex;
    std::set<Poco::Net::HTTPClientSession*> sessions;
    std::atomic<std::size_t> calls{0};
    bool isEnding = false;
    std::unique_ptr<WorkerPool> pool;
};

HttpAnswer HttpClient::State::exchange(Poco::Net::HTTPClientSession& session, const HttpCall& call,
                                       const std::string& path) {
    using Poco::Net::HTTPRequest;
    HTTPRequest request{call.method, path, HTTPRequest::HTTP_1_1};
    request.set("User-Agent", "Epode");
    if (!call.body.empty() || call.method != HTTPRequest::HTTP_GET) {
        request.setContentType(call.contentType);
        request.setContentLength64(Poco::Int64(call.body.size()));
    }
    session.sendRequest(request) << call.body << std::flush;
    Poco::Net::HTTPResponse response;
    auto& stream = session.receiveResponse(response);
    HttpAnswer answer{.status = int(response.getStatus()), .body = {}, .problem = {}};
    std::array<char, 4096> piece{};
    while (stream.read(piece.data(), piece.size()) || stream.gcount() > 0) {
        answer.body.append(piece.data(), std::size_t(stream.gcount()));
        if (answer.body.size() > call.answerBytesMax)
            return {.status = 0, .body = {}, .problem = "the answer is too large"};
    }
    return answer;
}

HttpAnswer HttpClient::State::run(const HttpCall& call) {
    try {
        const Poco::URI uri{call.url};
        std::unique_ptr<Poco::Net::HTTPClientSession> session;
        if (uri.getScheme() == "https")
            session = std::make_unique<Poco::Net::HTTPSClientSession>(uri.getHost(), uri.getPort(),
                                                                      tlsContext());
        else
            session = std::make_unique<Poco::Net::HTTPClientSession>(uri.getHost(), uri.getPort());
        const auto patience = timespan(call.patience);
        session->setTimeout(patience, patience, patience);
        const auto note = [&](bool isOpen) {
            const std::lock_guard lock{mutex};
            if (isOpen && !isEnding) sessions.insert(session.get());
            if (!isOpen) sessions.erase(session.get());
            return !isEnding;
        };
        if (!note(true)) return {.status = 0, .body = {}, .problem = "the server stops"};
        struct Leave {
            const decltype(note)& noted;
            ~Leave() { noted(false); }
        } const leave{note};
        return exchange(*session, call, uri.getPathEtc().empty() ? "/" : uri.getPathEtc());
    } catch (const Poco::Exception& failure) {
        return {.status = 0, .body = {}, .problem = failure.displayText()};
    } catch (const std::exception& failure) {
        return {.status = 0, .body = {}, .problem = failure.what()};
    }
}

HttpClient::HttpClient(unsigned threads) : state_{std::make_shared<State>(threads)} {}

HttpClient::~HttpClient() {
    {
        const std::lock_guard lock{state_->mutex};
        state_->isEnding = true;
        for (auto* session : state_->sessions) session->abort();
    }
    state_->pool.reset();
}

Task<HttpAnswer> HttpClient::send(HttpCall call) {
    const auto state = state_;
    if (auto problem = whyNot(call.url); !problem.empty())
        co_return HttpAnswer{.status = 0, .body = {}, .problem = std::move(problem)};
    if (state->calls >= callsMax)
        co_return HttpAnswer{.status = 0, .body = {}, .problem = "too many calls wait already"};
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
