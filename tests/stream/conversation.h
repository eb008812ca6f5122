// What the conversations of clients' streams have in common.
#pragma once

#include "core/namespaces.h"
#include "tests/route/stanza_pattern.h"
#include "tests/support/catch.h"
#include "tests/support/test_server.h"

#include <chrono>
#include <string>
#include <string_view>

namespace epode {

using namespace std::chrono_literals;

constexpr std::string_view bindRequest =
    "<iq type='set' id='bind'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>";
constexpr std::string_view enableResumption = "<enable xmlns='urn:xmpp:sm:3' resume='true'/>";
constexpr std::string_view request = "<r xmlns='urn:xmpp:sm:3'/>";

// The next stanza is as the pattern says; see stanza_pattern.h.
inline void gets(TestClient& client, std::string_view pattern) {
    const std::string got = client.next();
    INFO("expected: " << std::string{pattern} << "\ngot: " << got);
    CHECK(mismatch(pattern, got) == "");
}

inline void getsNothing(TestClient& client) {
    CHECK(client.next() == "");
    client.forget();
}

// The stream has ended with this error and no other word; the connection as well.
inline void isEndedWith(TestServer& server, TestClient& client, std::string_view condition) {
    CHECK(client.streamError() == condition);
    CHECK(client.isStreamClosed());
    server.advance(10s);
    CHECK(client.isClosed());
}

inline std::string attribute(std::string_view xml, std::string_view name) {
    const auto element = parseXml(xml, ns::client);
    return element ? std::string{(*element)->get(name)} : std::string{};
}

// Stream management is on; returns the id for `resume`.
inline std::string enable(TestClient& client) {
    client.forget().send(enableResumption);
    const auto answer = client.next();
    CHECK(attribute(answer, "resume") == "true");
    return attribute(answer, "id");
}

inline std::string resume(std::string_view id, std::uint32_t h) {
    return "<resume xmlns='urn:xmpp:sm:3' previd='" + std::string{id} + "' h='" +
           std::to_string(h) + "'/>";
}

inline std::string resumed(std::string_view id, std::uint32_t h) {
    return "<resumed xmlns='urn:xmpp:sm:3' previd='" + std::string{id} + "' h='" +
           std::to_string(h) + "'/>";
}

inline std::string ack(std::uint32_t h) {
    return "<a xmlns='urn:xmpp:sm:3' h='" + std::to_string(h) + "'/>";
}

// Logged in, without a resource.
inline TestClient& loggedIn(TestServer& server, std::string_view local,
                            SimLinkSettings settings = {}) {
    server.addAccount(std::string{local} + "@capulet.example");
    auto& client = server.connect(std::move(settings), true);
    client.sendHeader().logIn(local).sendHeader().forget();
    return client;
}

inline std::string message(std::string_view to, std::string_view body, std::string_view id = {}) {
    return "<message type='chat' to='" + std::string{to} + "' id='" +
           std::string{id.empty() ? body : id} + "'><body>" + std::string{body} +
           "</body></message>";
}

// The bodies of the messages among what came, "a b c".
inline std::string bodies(TestClient& client) {
    std::string found;
    for (const auto& xml : client.all()) {
        const auto element = parseXml(xml, ns::client);
        if (!element || (*element)->name() != "message" || (*element)->get("type") == "error")
            continue;
        if (!found.empty()) found += ' ';
        found += (*element)->childText("body");
    }
    return found;
}

}  // namespace epode
