#include "net/http_connection.h"

#include "core/log.h"
#include "core/metric.h"
#include "net/proxy_protocol.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>

namespace epode {

namespace {

const Log httpLog{"http"};
const Log accessLog{"access"};
Counter requests{"epode_http_requests_total", "Requests of HTTP that were answered"};
Counter refusedRequests{"epode_http_refused_total",
                        "Requests of HTTP that were answered with a status from 400 on"};
Counter badRequests{"epode_http_malformed_total", "Connections ended for a request that is none"};
Counter timeouts{"epode_http_timeouts_total",
                 "Connections of HTTP ended because they took too long"};

// What of a body that nobody wants is read to its end, to keep the connection.
constexpr std::uint64_t discardedMax = 64 * 1024;
// A small piece follows its head in the same write.
constexpr std::size_t chunkHeadBytes = 18;

bool hasNoBody(int status) { return status < 200 || status == 204 || status == 304; }

void addNumber(std::string& out, std::uint64_t number) { out.append(std::to_string(number)); }

// Nobody may end a line within a value, whatever it was made of.
void addField(std::string& out, std::string_view name, std::string_view value) {
    out.append(name).append(": ");
    for (const char c : value)
        if (c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7F)) out.push_back(c);
    out.append("\r\n");
}

std::string_view lastWord(std::string_view& list) {
    const auto comma = list.rfind(',');
    std::string_view word = comma == std::string_view::npos ? list : list.substr(comma + 1);
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(0, comma);
    while (word.starts_with(' ')) word.remove_prefix(1);
    while (word.ends_with(' ')) word.remove_suffix(1);
    return word;
}

}  // namespace

std::string httpDate(WallTime time) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch());
    // Asked for with each answer: the same second is the same text.
    thread_local std::chrono::seconds lastSeconds{-1};
    thread_local std::string last;
    if (seconds == lastSeconds) return last;
    static constexpr const char* days[]{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
    static constexpr const char* months[]{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
    const std::time_t whole = seconds.count();
    std::tm parts{};
    ::gmtime_r(&whole, &parts);
    char text[64];
    std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", days[parts.tm_wday],
                  parts.tm_mday, months[parts.tm_mon], parts.tm_year + 1900, parts.tm_hour,
                  parts.tm_min, parts.tm_sec);
    lastSeconds = seconds;
    return last = text;
}

HttpConnection::HttpConnection(HttpServer& server, std::unique_ptr<Transport> transport,
                               bool isDirectTls)
    : server_{server},
      settings_{server.settings_},
      transport_{std::move(transport)},
      parser_{settings_->parser},
      peer_{transport_->peerAddress()},
      since_{server.executor_.now()} {
    transport_->setUser(*this);
    if (settings_->takesProxyProtocol && !isDirectTls) {
        const auto address = IpAddress::parse(peer_);
        if (address && anyContains(settings_->trustedProxies, *address)) phase_ = Phase::Proxy;
    }
}

HttpConnection::~HttpConnection() { dropExchange(); }

SteadyTime HttpConnection::now() const { return server_.executor_.now(); }

// ---- what comes in

void HttpConnection::onSecured() {}

void HttpConnection::onData(std::string_view bytes) {
    if (phase_ == Phase::Over) return;
    if (parser_.isBetween() && input_.empty() && answer_ == Answer::None && !exchange_)
        since_ = now();
    const auto self = shared_from_this();
    if (!input_.empty() || isInProcess_) {
        input_.append(bytes);
        if (!isInProcess_ && !isLater_) processLater();
        return;
    }
    process(bytes);
}

bool HttpConnection::mayRead() const {
    if (phase_ == Phase::Over) return false;
    if (!exchange_) return true;
    // The next request waits until this one is answered.
    return !bodyEnded_ && wantsBody_ && !isPausedByHandler_;
}

// Takes of the input what may be taken now, and keeps the rest.
void HttpConnection::process(std::string_view input) {
    isInProcess_ = true;
    rest_ = &input;
    if (phase_ == Phase::Proxy && !takeProxyHeader(input)) {
        isInProcess_ = false;
        rest_ = nullptr;
        return;
    }
    while (mayRead()) {
        const HttpParser::Event event = parser_.next(input);
        if (event == HttpParser::Event::NeedMore) break;
        if (event == HttpParser::Event::Head)
            beginRequest();
        else if (event == HttpParser::Event::Data)
            takeData(parser_.data());
        else if (event == HttpParser::Event::End)
            bodyEnded();
        else
            refuse(parser_.status(), parser_.problem());
        settle();
    }
    isInProcess_ = false;
    rest_ = nullptr;
    if (phase_ == Phase::Over || !transport_) return;
    // What came while we were here stands behind the rest.
    if (!input.empty()) input_.insert(0, input);
    const bool waits = !mayRead();
    if (waits != isReadingPaused_) {
        isReadingPaused_ = waits;
        // While nothing is kept, reading goes on: that is how we hear that the client has gone.
        if (waits && input_.empty())
            isReadingPaused_ = false;
        else if (waits)
            transport_->pauseReading();
        else
            transport_->resumeReading();
    }
    if (!waits && !input_.empty()) processLater();
}

void HttpConnection::processLater() {
    if (isLater_) return;
    isLater_ = true;
    server_.executor_.post([weak = weak_from_this()] {
        const auto self = weak.lock();
        if (!self) return;
        self->isLater_ = false;
        if (self->phase_ == Phase::Over || self->isInProcess_) return;
        std::string waiting;
        waiting.swap(self->input_);
        self->process(waiting);
    });
}

bool HttpConnection::takeProxyHeader(std::string_view& input) {
    const ProxyHeader header = readProxyHeader(input);
    switch (header.kind) {
        case ProxyHeader::Kind::NeedMore:
            input_.assign(input);
            return false;
        case ProxyHeader::Kind::Bad:
            httpLog.warning("a proxy did not say for whom it speaks (PROXY protocol)",
                            {{"address", peer_}});
            badRequests.add();
            close();
            return false;
        case ProxyHeader::Kind::Taken:
            break;
    }
    input.remove_prefix(header.bytes);
    if (header.client) {
        peer_ = header.client->toText();
        hasProxyHeader_ = true;
        isProxySecure_ = header.isSecure;
    }
    phase_ = Phase::Requests;
    return true;
}

// Who asks, and whether somebody between can read it.
void HttpConnection::nameClient(HttpRequest& request) const {
    request.address = peer_;
    request.isSecure = transport_->tls() != nullptr;
    request.isForwarded = hasProxyHeader_;
    const auto peer = IpAddress::parse(peer_);
    if (!peer) return;
    const bool isTrusted = anyContains(settings_->trustedProxies, *peer);
    const std::string_view forwarded = request.field("x-forwarded-for");
    const std::string_view scheme = request.field("x-forwarded-proto");
    const bool speaksForSomebody = hasProxyHeader_ || !forwarded.empty() || !scheme.empty() ||
                                   !request.field("forwarded").empty() ||
                                   !request.field("via").empty();
    if (hasProxyHeader_) {
        request.isSecure = isProxySecure_;
    } else if (peer->isLoopback() && !speaksForSomebody) {
        request.isSecure = true;  // nobody is between
    }
    if (!isTrusted) return;
    if (equalIgnoringCase(scheme, "https"))
        request.isSecure = true;
    else if (!scheme.empty())
        request.isSecure = false;
    // Each proxy adds whom it heard it from; the last one that is none of ours is the client.
    std::string joined;
    for (const auto& field : request.fields)
        if (field.name == "x-forwarded-for")
            joined.append(joined.empty() ? "" : ",").append(field.value);
    std::string_view list = joined;
    while (!list.empty()) {
        const auto address = IpAddress::parse(lastWord(list));
        if (!address) return;
        request.address = address->toText();
        request.isForwarded = true;
        if (!anyContains(settings_->trustedProxies, *address)) return;
    }
}

void HttpConnection::beginRequest() {
    // Without a body the end follows at once, and the parser is ready for the next.
    if (std::string_view none; !parser_.request().hasBody()) parser_.next(none);
    HttpRequest& asked = parser_.request();
    began_ = since_ = now();
    status_ = 0;
    sentBytes_ = bodyBytes_ = bodyBytesMax_ = 0;
    answer_ = Answer::None;
    isHead_ = asked.method == HttpMethod::Head;
    isChunked_ = isCounted_ = wantsBody_ = isPausedByHandler_ = false;
    bodyEnded_ = !asked.hasBody();
    keepsAlive_ = asked.isPersistent && !server_.isClosing_;
    routePath_.clear();
    origin_.clear();
    nameClient(asked);
    const auto match = server_.router_(asked);
    exchange_ = std::make_shared<HttpExchange>(*this, std::move(asked), server_.executor_);
    const HttpExchangePtr exchange = exchange_;
    const HttpRequest& request = exchange->request();
    if (match.route) {
        routePath_ = match.route->path;
        bodyBytesMax_ = match.route->bodyBytesMax;
        if (match.route->origins == HttpOrigins::Any) origin_ = "*";
    }
    if (request.method == HttpMethod::Options &&
        (!match.route || !match.route->takes(HttpMethod::Options))) {
        if (preflight(request, match)) return;
    }
    if (!match.route) {
        exchange->answer(match.hasPath ? HttpResponse::error(405) : HttpResponse::error(404));
        return;
    }
    if (request.contentLength.value_or(0) > bodyBytesMax_) {
        exchange->answer(HttpResponse::error(413));
        return;
    }
    exchange->keep(match.kept);
    try {
        match.route->handle(exchange);
    } catch (const std::exception& failure) {
        httpLog.error("a request failed", {{"route", routePath_}, {"failure", failure.what()}});
        if (exchange_ == exchange) exchange->answer(HttpResponse::error(500));
    }
}

// OPTIONS, which browsers ask before they let a page of another origin ask (the Fetch standard,
// CORS).
bool HttpConnection::preflight(const HttpRequest& request, const HttpServer::Match& match) {
    if (!match.route && request.path != "*") return false;
    HttpResponse response{.status = 204};
    std::string methods = "OPTIONS";
    if (match.route)
        for (const HttpMethod method : match.route->methods) {
            methods.append(", ").append(toText(method));
            if (method == HttpMethod::Get) methods.append(", HEAD");
        }
    response.set("Allow", methods);
    if (!origin_.empty() && !request.field("access-control-request-method").empty()) {
        response.set("Access-Control-Allow-Methods", methods)
            .set("Access-Control-Allow-Headers",
                 "Content-Type, Authorization, Range, If-None-Match, Idempotency-Key, "
                 "Last-Event-ID")
            .set("Access-Control-Max-Age", "7200");
    }
    exchange_->answer(std::move(response));
    return true;
}

void HttpConnection::takeData(std::string_view data) {
    since_ = now();
    bodyBytes_ += data.size();
    if (!exchange_) {
        if (bodyBytes_ > discardedMax) close();
        return;
    }
    if (bodyBytes_ > bodyBytesMax_) {
        exchange_->piece_ = {};
        exchange_->end_ = {};
        if (answer_ == Answer::None) {
            keepsAlive_ = false;
            exchange_->answer(HttpResponse::error(413));
        } else {
            close();
        }
        return;
    }
    const HttpExchangePtr exchange = exchange_;
    if (exchange->piece_) exchange->piece_(data);
}

void HttpConnection::bodyEnded() {
    since_ = now();
    bodyEnded_ = true;
    if (!exchange_) return;
    const HttpExchangePtr exchange = exchange_;
    exchange->piece_ = {};
    if (auto end = std::move(exchange->end_)) end();
}

void HttpConnection::refuse(int status, std::string_view problem) {
    badRequests.add();
    httpLog.debug("a request was refused",
                  {{"address", peer_}, {"status", status}, {"problem", problem}});
    if (answer_ == Answer::Begun) {
        close();
        return;
    }
    keepsAlive_ = false;
    dropExchange();
    status_ = status;
    if (transport_ && phase_ != Phase::Over) {
        isHead_ = false;
        began_ = now();
        origin_.clear();
        const HttpResponse response = HttpResponse::error(status, problem);
        writeHead(response, response.body.size(), true);
        transport_->send(response.body);
        requests.add();
        refusedRequests.add();
        logAccess();
    }
    close();
}

// ---- what goes out

void HttpConnection::takeBody() {
    if (exchange_ && exchange_->request().expectsContinue && !bodyEnded_ &&
        answer_ == Answer::None && bodyBytes_ == 0 && transport_)
        transport_->send("HTTP/1.1 100 Continue\r\n\r\n");
    wantsBody_ = true;
    since_ = now();
    if (bodyEnded_) {
        // Nothing will come: the end does, after whoever asks has returned.
        server_.executor_.post([weak = weak_from_this(), exchange = exchange_] {
            const auto self = weak.lock();
            if (self && self->exchange_ == exchange && exchange)
                if (auto end = std::move(exchange->end_)) {
                    end();
                    if (!self->isInProcess_) self->settle();
                }
        });
        return;
    }
    processLater();
}

void HttpConnection::pauseBody(bool isPaused) {
    isPausedByHandler_ = isPaused;
    since_ = now();
    if (!transport_ || phase_ == Phase::Over) return;
    if (isPaused) {
        isReadingPaused_ = true;
        transport_->pauseReading();
    } else {
        processLater();
    }
}

void HttpConnection::writeHead(const HttpResponse& head, std::optional<std::uint64_t> length,
                               bool hasBody) {
    std::string& out = transport_->output();
    out.append("HTTP/1.1 ");
    addNumber(out, std::uint64_t(head.status));
    out.append(" ").append(httpReason(head.status)).append("\r\n");
    addField(out, "Date", httpDate(server_.executor_.wallNow()));
    for (const auto& field : head.fields) addField(out, field.name, field.value);
    if (!origin_.empty() && !head.has("Access-Control-Allow-Origin"))
        addField(out, "Access-Control-Allow-Origin", origin_);
    if (head.status != 101) {
        if (!head.has("X-Content-Type-Options")) addField(out, "X-Content-Type-Options", "nosniff");
        if (hasBody && length) {
            out.append("Content-Length: ");
            addNumber(out, *length);
            out.append("\r\n");
        } else if (isChunked_) {
            out.append("Transfer-Encoding: chunked\r\n");
        }
        if (!keepsAlive_) out.append("Connection: close\r\n");
    }
    out.append("\r\n");
    transport_->wantFlush();
}

void HttpConnection::begin(const HttpResponse& head, std::optional<std::uint64_t> length) {
    if (answer_ != Answer::None || phase_ == Phase::Over || !transport_) return;
    const HttpRequest& request = exchange_->request();
    // A body that is still to come would have to be read before the next request.
    const bool isAwaited = request.expectsContinue && !wantsBody_;
    if (!bodyEnded_ &&
        (isAwaited || !request.contentLength || *request.contentLength - bodyBytes_ > discardedMax))
        keepsAlive_ = false;
    const bool hasBody = !hasNoBody(head.status);
    isCounted_ = length.has_value();
    announced_ = length.value_or(0);
    isChunked_ = hasBody && !length && request.isVersion11;
    if (hasBody && !length && !request.isVersion11)
        keepsAlive_ = false;  // its end is the connection's
    status_ = head.status;
    answer_ = Answer::Begun;
    writeHead(head, length, hasBody);
}

void HttpConnection::write(std::string_view piece) {
    if (answer_ != Answer::Begun || phase_ == Phase::Over || !transport_ || piece.empty()) return;
    if (isHead_ || hasNoBody(status_)) return;
    if (isCounted_) {
        piece = piece.substr(0, std::size_t(std::min<std::uint64_t>(announced_, piece.size())));
        announced_ -= piece.size();
    }
    std::string& out = transport_->output();
    if (isChunked_) {
        char size[chunkHeadBytes];
        const int bytes = std::snprintf(size, sizeof size, "%zx\r\n", piece.size());
        out.append(size, std::size_t(bytes)).append(piece).append("\r\n");
    } else {
        out.append(piece);
    }
    sentBytes_ += piece.size();
    transport_->wantFlush();
}

void HttpConnection::finish() {
    if (answer_ != Answer::Begun || phase_ == Phase::Over || !transport_) return;
    if (isCounted_ && announced_ > 0 && !isHead_ && !hasNoBody(status_)) {
        close();  // shorter than it said: the client must not take it for complete
        return;
    }
    if (isChunked_ && !isHead_) transport_->send("0\r\n\r\n");
    answer_ = Answer::Complete;
    requests.add();
    if (status_ >= 400) refusedRequests.add();
    logAccess();
    if (!isInProcess_) settle();
}

// After an answer is complete the next request may come.
void HttpConnection::settle() {
    if (answer_ != Answer::Complete || phase_ == Phase::Over) return;
    dropExchange();
    answer_ = Answer::None;
    since_ = now();
    bodyBytes_ = 0;
    if (!keepsAlive_ || server_.isClosing_) {
        close();
        return;
    }
    if (isReadingPaused_ && transport_) {
        isReadingPaused_ = false;
        transport_->resumeReading();
    }
    if (!isInProcess_ && (!input_.empty() || !bodyEnded_ || !parser_.isBetween())) processLater();
}

std::unique_ptr<Transport> HttpConnection::giveTransport(const HttpResponse& head,
                                                         std::string& early) {
    if (answer_ != Answer::None || phase_ == Phase::Over || !transport_) return {};
    status_ = head.status;
    origin_.clear();
    writeHead(head, std::nullopt, false);
    answer_ = Answer::Complete;
    requests.add();
    logAccess();
    phase_ = Phase::Over;
    const auto self = shared_from_this();
    if (rest_) early = *std::exchange(rest_, nullptr);
    early.append(std::exchange(input_, {}));
    auto transport = std::move(transport_);
    if (isReadingPaused_) transport->resumeReading();
    dropExchange();
    server_.release(*this);
    return transport;
}

void HttpConnection::logAccess() const {
    if (!settings_->logsAccess || !accessLog.isOn(LogLevel::Info)) return;
    // Paths may be secret (invitations, uploads): the route says enough.
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(now() - began_).count();
    const bool hasRequest = exchange_ != nullptr;
    accessLog.info(
        "request",
        {{"method", hasRequest ? toText(exchange_->request().method) : std::string_view{"-"}},
         {"route", routePath_.empty() ? std::string_view{"-"} : std::string_view{routePath_}},
         {"status", status_},
         {"bytes", sentBytes_},
         {"ms", took},
         {"address",
          hasRequest ? std::string_view{exchange_->request().address} : std::string_view{peer_}}});
}

// ---- the end

void HttpConnection::onDrained() {
    const auto exchange = exchange_;
    if (!exchange) return;
    const auto self = shared_from_this();
    if (auto drained = std::exchange(exchange->drained_, {})) drained();
}

void HttpConnection::onClosed(std::string_view) {
    const auto self = shared_from_this();
    phase_ = Phase::Over;
    dropExchange();
    server_.release(*this);
}

void HttpConnection::dropExchange() {
    const auto exchange = std::exchange(exchange_, nullptr);
    if (!exchange) return;
    exchange->connection_ = nullptr;
    exchange->piece_ = {};
    exchange->end_ = {};
    exchange->drained_ = {};
    auto gone = std::move(exchange->gone_);
    exchange->gone_ = {};
    if (gone && answer_ != Answer::Complete && status_ != 101) gone();
}

void HttpConnection::close() {
    if (phase_ == Phase::Over) return;
    phase_ = Phase::Over;
    dropExchange();
    if (transport_) transport_->closeGracefully();
}

void HttpConnection::closeSoon() {
    keepsAlive_ = false;
    if (!exchange_) close();
}

void HttpConnection::check(SteadyTime now) {
    if (phase_ == Phase::Over || !transport_) return;
    const auto self = shared_from_this();
    const HttpSettings& settings = *settings_;
    const std::size_t unsent = transport_->unsentBytes();
    if (unsent == 0 || unsent < lastUnsent_ || lastUnsent_ == 0) unsentSince_ = now;
    lastUnsent_ = unsent;
    if (unsent > 0 && now - unsentSince_ >= settings.writeTimeout) {
        timeouts.add();
        transport_->abort();
        return;
    }
    if (exchange_) {
        if (bodyEnded_ || !wantsBody_ || isPausedByHandler_ || now - since_ < settings.bodyTimeout)
            return;
        timeouts.add();
        if (answer_ == Answer::None) {
            keepsAlive_ = false;
            exchange_->answer(HttpResponse::error(408));
        } else {
            close();
        }
        return;
    }
    const bool isIdle = parser_.isBetween() && input_.empty();
    if (now - since_ < (isIdle ? settings.idleTimeout : settings.headTimeout)) return;
    timeouts.add();
    if (isIdle)
        close();
    else
        refuse(408, "The request did not come in time.");
}

// ---- the exchange

void HttpExchange::readBody(UniqueFunction<void(std::string)> whole) {
    const auto body = std::make_shared<std::string>();
    takeBody([body](std::string_view piece) { body->append(piece); },
             [body, whole = std::move(whole)]() mutable { whole(std::move(*body)); });
}

void HttpExchange::takeBody(UniqueFunction<void(std::string_view)> piece,
                            UniqueFunction<void()> end) {
    if (!connection_) return;
    piece_ = std::move(piece);
    end_ = std::move(end);
    connection_->takeBody();
}

void HttpExchange::pauseBody() {
    if (connection_) connection_->pauseBody(true);
}

void HttpExchange::resumeBody() {
    if (connection_) connection_->pauseBody(false);
}

void HttpExchange::answer(HttpResponse response) {
    begin(response, response.body.size());
    write(response.body);
    finish();
}

void HttpExchange::begin(HttpResponse head, std::optional<std::uint64_t> length) {
    if (connection_) connection_->begin(head, length);
}

void HttpExchange::write(std::string_view piece) {
    if (connection_) connection_->write(piece);
}

std::size_t HttpExchange::unsentBytes() const {
    return connection_ && connection_->transport_ ? connection_->transport_->unsentBytes() : 0;
}

void HttpExchange::finish() {
    const auto self = shared_from_this();
    if (connection_) connection_->finish();
}

void HttpExchange::abandon() {
    const auto self = shared_from_this();
    if (connection_) connection_->close();
}

std::unique_ptr<Transport> HttpExchange::switchProtocols(HttpResponse head, std::string& early) {
    const auto self = shared_from_this();
    return connection_ ? connection_->giveTransport(head, early) : nullptr;
}

}  // namespace epode
