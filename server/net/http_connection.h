// One connection of HTTP: its parser, the request under way, and what it waits for.
#pragma once

#include "net/http_exchange.h"
#include "net/http_parser.h"
#include "net/http_server.h"

#include <memory>
#include <string>
#include <string_view>

namespace epode {

class HttpConnection final : public TransportUser,
                             public std::enable_shared_from_this<HttpConnection> {
public:
    HttpConnection(HttpServer& server, std::unique_ptr<Transport> transport, bool isDirectTls);
    ~HttpConnection() override;

    // TransportUser
    void onData(std::string_view bytes) override;
    void onSecured() override;
    void onDrained() override;
    void onClosed(std::string_view reason) override;

    // Called now and then: ends what takes too long.
    void check(SteadyTime now);
    // After the answer under way, or at once.
    void closeSoon();

private:
    friend class HttpExchange;

    enum class Phase : std::uint8_t { Proxy, Requests, Over };
    // How far the answer of the request under way is.
    enum class Answer : std::uint8_t { None, Begun, Complete };

    // For the exchange.
    void takeBody();
    void pauseBody(bool isPaused);
    void begin(const HttpResponse& head, std::optional<std::uint64_t> length);
    void write(std::string_view piece);
    void finish();
    std::unique_ptr<Transport> giveTransport(const HttpResponse& head, std::string& early);

    void process(std::string_view input);
    void processLater();
    bool mayRead() const;
    bool takeProxyHeader(std::string_view& input);
    void beginRequest();
    void nameClient(HttpRequest& request) const;
    bool preflight(const HttpRequest& request, const HttpServer::Match& match);
    void takeData(std::string_view data);
    void bodyEnded();
    void settle();
    void refuse(int status, std::string_view problem);
    void writeHead(const HttpResponse& head, std::optional<std::uint64_t> length, bool hasBody);
    void close();
    void dropExchange();
    void logAccess() const;
    SteadyTime now() const;

    HttpServer& server_;
    std::shared_ptr<const HttpSettings> settings_;
    std::unique_ptr<Transport> transport_;
    HttpParser parser_;
    HttpExchangePtr exchange_;
    std::string input_;                 // what is not looked at yet
    std::string_view* rest_ = nullptr;  // of what `process` works on
    // Of the request under way.
    std::string routePath_;
    std::string origin_;  // what Access-Control-Allow-Origin says; "" for nothing
    SteadyTime began_{};
    std::uint64_t bodyBytesMax_ = 0;
    std::uint64_t bodyBytes_ = 0;
    std::uint64_t sentBytes_ = 0;
    std::uint64_t announced_ = 0;  // of the body of the answer, still to come
    int status_ = 0;

    std::string peer_;    // the other end, or for whom the PROXY header speaks
    SteadyTime since_{};  // what the timeout counts from
    std::size_t lastUnsent_ = 0;
    SteadyTime unsentSince_{};
    Phase phase_ = Phase::Requests;
    Answer answer_ = Answer::None;
    bool isInProcess_ = false;
    bool isPausedByHandler_ = false;
    bool wantsBody_ = false;  // the handler has asked for it
    bool bodyEnded_ = true;
    bool keepsAlive_ = true;
    bool isChunked_ = false;
    bool isHead_ = false;
    bool isCounted_ = false;  // the answer has a length
    bool isReadingPaused_ = false;
    bool isProxySecure_ = false;
    bool hasProxyHeader_ = false;
    bool isLater_ = false;  // process is posted
};

}  // namespace epode
