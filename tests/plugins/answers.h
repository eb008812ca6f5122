// What tests of plugins look at in an answer.
#pragma once

#include "core/namespaces.h"
#include "core/stanza_error.h"
#include "tests/support/catch.h"
#include "tests/support/test_server.h"

#include <string>
#include <string_view>

namespace epode {

// "result", or of an error its type and condition: "cancel item-not-found"; "" when nothing came.
inline std::string outcome(std::string_view answer) {
    const auto stanza = parseXml(answer, ns::client);
    if (!stanza) return {};
    const auto error = StanzaError::read(**stanza);
    if (!error) return std::string{(*stanza)->get("type")};
    return std::string{toText(error->type)} + " " + std::string{toText(error->condition)};
}

// The payload of a result, as XML.
inline std::string payload(std::string_view answer) {
    const auto stanza = parseXml(answer, ns::client);
    if (!stanza || (*stanza)->get("type") != "result") return outcome(answer);
    const Element* child = (*stanza)->firstChild();
    return child ? toXml(*child) : std::string{};
}

// `follower` asks to see the presence of `shown`, who agrees.
inline void subscribe(TestClient& follower, TestClient& shown) {
    const auto bare = [](const TestClient& client) {
        return Jid::parse(client.jid())->bare().text();
    };
    follower.send("<presence type='subscribe' to='" + bare(shown) + "'/>");
    shown.send("<presence type='subscribed' to='" + bare(follower) + "'/>");
    follower.forget();
    shown.forget();
}

}  // namespace epode
