// What was found on the way to another server, for people: the steps of `epodectl s2s explain`, and
// why a link has failed.
#pragma once

#include "core/stanza_error.h"
#include "core/time.h"

#include <functional>
#include <string>

namespace epode {

enum class RemoteStep : std::uint8_t {
    Rules,           // whether there may be a link
    Dns,             // where the server is
    Connection,      // whether it answers there
    Tls,             // whether the connection is encrypted
    Certificate,     // whom the certificate names
    Stream,          // whether it speaks XMPP, and serves the domain
    Authentication,  // whether it believes who we are
    Delivery,        // whether what is sent arrives
};
std::string_view toText(RemoteStep step);

// One finding on the way.
struct RemoteFinding {
    RemoteStep step;
    bool isGood;
    std::string text;    // a sentence
    std::string advice;  // what to do about it; may be empty
};
using RemoteTrace = std::function<void(RemoteFinding)>;

// Why there is no link.
struct RemoteFailure {
    RemoteStep step = RemoteStep::Connection;
    // RemoteServerNotFound: it will not get better by itself. RemoteServerTimeout: it may.
    Condition condition = Condition::RemoteServerTimeout;
    std::string text;  // a sentence that names the domain and the cause
    std::string advice = {};

    StanzaError toError() const;
};

}  // namespace epode
