// A connection to somebody else's web server, for a thread that may wait: one request of HTTP/1.1
// after the other, with bodies in pieces both ways.
//
//     WebConnection connection{*WebOrigin::parse("https://push.example"), {}};
//     connection.send({.method = "PUT", .target = "/rose", .bodyBytes = 5});
//     connection.write("a rose");
//     const WebHead head = connection.receive();
//     while (const auto bytes = connection.read(buffer.data(), buffer.size())) …
#pragma once

#include "core/time.h"
#include "net/fd.h"
#include "net/http_message.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

struct ssl_st;

namespace epode {

class WebFailure : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

// Scheme, host and port of an address.
struct WebOrigin {
    // Nothing when it is none of http: or https:. `target` gets the rest, "/" at least.
    static std::optional<WebOrigin> parse(const std::string& url, std::string* target = nullptr);
    bool operator==(const WebOrigin&) const = default;
    std::string hostField() const;  // with the port where it is not the scheme's own

    bool isSecure = true;
    std::string host;  // a name, or an address without brackets
    std::uint16_t port = 443;
};

struct WebRequest {
    std::string method = "GET";
    std::string target = "/";
    std::vector<HttpField> fields{};  // beside Host, Content-Length and Connection
    std::optional<std::uint64_t> bodyBytes{};
};

struct WebHead {
    int status = 0;
    std::vector<HttpField> fields{};       // names in lower case
    std::optional<std::uint64_t> bytes{};  // of the body, when that is told

    std::string_view field(std::string_view name) const;  // "" when there is none
};

struct WebPatience {
    // For each time that the other side lets us wait.
    Duration step = std::chrono::seconds{5};
    // For a request and its answer altogether, from connecting on; however they drip, it ends then.
    Duration whole = std::chrono::seconds{20};
};

// Everything but `stop` is for one thread at a time, waits, and throws WebFailure; a connection
// that has thrown is of no more use. The certificate has to be valid for the name, by the authorities
// of a file, else by the system's.
class WebConnection {
public:
    WebConnection(WebOrigin origin, WebPatience patience, std::string trustFile = {});
    ~WebConnection();
    WebConnection(const WebConnection&) = delete;
    WebConnection& operator=(const WebConnection&) = delete;

    // Connects when it isn't.
    void send(const WebRequest& request);
    void write(std::string_view body);
    WebHead receive();
    // 0: the body is complete.
    std::size_t read(char* into, std::size_t bytes);
    // The rest of the body, as far as it isn't more than that.
    std::string readAll(std::size_t most);

    // Whether another request may be sent: the answer was read to its end, and nobody wants to
    // leave.
    bool isReusable() const { return isOpen() && body_ == Body::None && isPersistent_; }
    bool isOpen() const { return bool(socket_); }
    const WebOrigin& origin() const { return origin_; }
    void setPatience(WebPatience patience) { patience_ = patience; }
    // For a body that takes longer than was thought.
    void extend(Duration more) { deadline_ = std::chrono::steady_clock::now() + more; }

    // From any thread: what is under way fails soon.
    void stop();

private:
    enum class Body : std::uint8_t { None, Sized, Chunked, UntilClosed };

    void connect();
    void startTls();
    void close();
    void wait(short events);
    // At least one byte; 0 when the other side has closed.
    std::size_t receiveSome(char* into, std::size_t bytes);
    void writeAll(std::string_view bytes);
    std::string takeLine(std::size_t most);
    std::size_t takeBytes(char* into, std::size_t bytes);
    bool beginChunk();
    void endBody() { body_ = Body::None; }

    const WebOrigin origin_;
    const std::string trustFile_;
    WebPatience patience_;
    std::chrono::steady_clock::time_point deadline_{};
    std::mutex mutex_;  // of the socket's number, against `stop`
    Fd socket_;
    std::unique_ptr<ssl_st, void (*)(ssl_st*)> tls_;
    std::string input_;
    std::size_t used_ = 0;  // of the input
    std::uint64_t left_ = 0;
    Body body_ = Body::None;
    bool isHeadAsked_ = false;
    bool isPersistent_ = false;
    bool isStopped_ = false;
};

}  // namespace epode
