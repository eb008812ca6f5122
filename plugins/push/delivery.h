// How a notification gets to its service: as a stanza to a component or client (XEP-0357, 7), or as
// a call to a web server that the operator has named for the service's address.
#pragma once

#include "core/jid.h"
#include "core/option.h"

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace epode {
class Host;
class Shard;
}  // namespace epode

namespace epode::push {

inline const Option<std::vector<std::string>> httpServices{
    .key = "push.http_services",
    .fallback = {},
    .help =
        "Push services that are told by HTTP: \"push.capulet.example "
        "https://notify.example/hook\", the "
        "address that clients name and where its notifications are posted to, as JSON. https, or "
        "http on this machine.",
};

struct Notification {
    Jid service;
    std::string node;
    std::string options;  // the client's form of publish-options, as XML; may be empty
    std::int64_t messages = 0;
    std::size_t requests = 0;  // for subscription
    std::string sender;        // empty: not told
    std::string body;
};

enum class Outcome : std::uint8_t {
    Taken,
    Refused,  // now; it may work again
    Gone,     // the service doesn't know the node, or the client has no business there
    Unknown,  // no answer came
};

// One way. `done` runs on the shard's thread, perhaps before this returns.
void deliver(Shard& shard, const Host& host, Notification notification,
             std::function<void(Outcome)> done);

// "push.capulet.example https://notify.example/hook" apart, or a sentence that says why not.
struct HttpService {
    Jid service;
    std::string url;
    std::string problem;
};
HttpService readHttpService(std::string_view text);
// {"service": …, "node": …, "message-count": …, …, "options": {"secret": …}}
std::string toJson(const Notification& notification);

}  // namespace epode::push
