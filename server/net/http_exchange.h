// One request of HTTP and its answer, as a handler holds them.
#pragma once

#include "core/executor.h"
#include "net/http_message.h"
#include "net/transport.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace epode {

class HttpConnection;

// Kept by the connection until the answer is complete, and by whoever will answer. Everything
// happens on the executor of its connection: who answers from another one posts there. When the
// client has gone, answers go nowhere.
class HttpExchange : public std::enable_shared_from_this<HttpExchange> {
public:
    HttpExchange(HttpConnection& connection, HttpRequest request, Executor& executor)
        : connection_{&connection}, request_{std::move(request)}, executor_{executor} {}

    const HttpRequest& request() const { return request_; }
    Executor& executor() const { return executor_; }
    bool isGone() const { return connection_ == nullptr; }
    // Called once if the client goes before the answer is complete.
    void whenGone(UniqueFunction<void()> gone) { gone_ = std::move(gone); }

    // The body, once. As a whole, within the limit of the route:
    void readBody(UniqueFunction<void(std::string)> whole);
    // or in pieces as they come; `end` after the last one. Neither is called any more when the
    // client has gone.
    void takeBody(UniqueFunction<void(std::string_view)> piece, UniqueFunction<void()> end);
    // Back-pressure: no pieces come meanwhile.
    void pauseBody();
    void resumeBody();

    // The answer: at once,
    void answer(HttpResponse response);
    // or in pieces: the head, whose body is as long as `length` says, or chunked without it; then
    // pieces, and `finish`. What the client does not take is kept: `unsentBytes` tells how much.
    // When that was above the transport's high mark, `whenDrained` calls once when it has become
    // little.
    void begin(HttpResponse head, std::optional<std::uint64_t> length);
    void write(std::string_view piece);
    std::size_t unsentBytes() const;
    void whenDrained(UniqueFunction<void()> drained) { drained_ = std::move(drained); }
    void finish();
    // Ends the connection in the middle, so that the client knows that the answer is not complete.
    void abandon();

    // The head of a 101 goes out, and the connection belongs to the caller, who sets its user at
    // once. `early` gets what the client has sent already. Null when the client has gone.
    std::unique_ptr<Transport> switchProtocols(HttpResponse head, std::string& early);

    // What has to live as long as this does.
    void keep(std::shared_ptr<const void> kept) { kept_ = std::move(kept); }

private:
    friend class HttpConnection;

    HttpConnection* connection_;
    HttpRequest request_;
    Executor& executor_;
    UniqueFunction<void()> gone_;
    UniqueFunction<void()> drained_;
    UniqueFunction<void(std::string_view)> piece_;
    UniqueFunction<void()> end_;
    std::shared_ptr<const void> kept_;
};
using HttpExchangePtr = std::shared_ptr<HttpExchange>;

}  // namespace epode
