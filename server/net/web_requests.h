// Requests to somebody else's web server, by libcurl, for threads that may wait.
//
//     WebRequests web;
//     const auto answer = web.ask({.origin = *WebOrigin::parse("https://push.example")});
//     if (answer.status == 200) …
#pragma once

#include "core/time.h"
#include "net/http_message.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

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
    WebOrigin origin{};
    std::string target = "/";
    std::vector<HttpField> fields{};  // beside Host and Content-Length
    std::uint64_t bodyBytes = 0;      // a PUT or POST has a body in any case
    // Pieces of it from a place on; from the beginning again when a connection that was kept turns
    // out to be closed.
    std::function<std::string(std::uint64_t)> body{};
    std::size_t answerBytesMax = 65536;  // of its body; more than that is a failure
    std::string trustFile{};             // of authorities; "" for the system's
    // For connecting, and then for each time that the other side lets us wait; whole seconds.
    Duration patience = std::chrono::seconds{5};
    // For all of it together; however the answer drips, it ends then.
    Duration deadline = std::chrono::seconds{20};
};

struct WebAnswer {
    int status = 0;
    std::vector<HttpField> fields{};  // names in lower case
    std::string body{};

    std::string_view field(std::string_view name) const;  // "" when there is none
};

// Thread-safe. Keeps a few connections for the next request to the same server. A certificate has
// to be valid for the name. Nobody is followed elsewhere, and what the environment says of proxies
// doesn't count.
class WebRequests {
public:
    WebRequests();
    ~WebRequests();  // nobody may be asking any more
    WebRequests(const WebRequests&) = delete;
    WebRequests& operator=(const WebRequests&) = delete;

    // Waits; throws WebFailure when there is no answer.
    WebAnswer ask(const WebRequest& request);

    // From any thread: requests under way fail at once, and so do all after.
    void stop();

private:
    class Transfer;

    std::unique_ptr<Transfer> take(const WebRequest& request);
    void giveBack(std::unique_ptr<Transfer> transfer, bool isGood);

    std::mutex mutex_;
    std::set<Transfer*> busy_;
    std::vector<std::unique_ptr<Transfer>> idle_;
    bool isStopped_ = false;
};

}  // namespace epode
