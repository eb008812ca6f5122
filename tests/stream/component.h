// What the conversations of components have in common.
#pragma once

#include "core/digest.h"
#include "core/stanza.h"
#include "tests/support/catch.h"
#include "tests/support/test_server.h"

#include <string>
#include <string_view>
#include <vector>

namespace epode {

constexpr std::string_view bridge = "bridge.capulet.example";
const std::string bridgeConfig = "[component.'bridge.capulet.example']\nsecret = 'mab'\n";

inline std::string componentHeader(std::string_view to = bridge) {
    return "<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' "
           "xmlns:stream='http://etherx.jabber.org/streams' to='" +
           std::string{to} + "'>";
}

inline std::string handshake(TestClient& component, std::string_view secret = "mab") {
    return "<handshake>" +
           encodeHex(digest(Hash::Sha1, component.header().id + std::string{secret})) +
           "</handshake>";
}

// Connected, and let in.
inline TestClient& join(TestServer& server, unsigned shard = 0, std::string_view domain = bridge,
                        std::string_view secret = "mab", const SimLinkSettings& settings = {}) {
    auto& component = server.connectComponent(shard, settings);
    component.send(componentHeader(domain));
    component.send(handshake(component, secret));
    CHECK(component.next() == "<handshake/>");
    return component;
}

// What came but pings, which are answered.
inline std::vector<std::string> answersPings(TestClient& component) {
    std::vector<std::string> others;
    for (auto& xml : component.all()) {
        const auto stanza = Stanza::parse(xml);
        if (stanza && stanza->isIq() && stanza->child("ping", "urn:xmpp:ping")) {
            component.send("<iq type='result' from='" + stanza->to().text() + "' to='" +
                           stanza->from().text() + "' id='" + std::string{stanza->id()} + "'/>");
        } else {
            others.push_back(std::move(xml));
        }
    }
    return others;
}

inline bool isPing(std::string_view xml) {
    const auto stanza = Stanza::parse(xml);
    return stanza && stanza->isIq() && stanza->isRequest() &&
           stanza->child("ping", "urn:xmpp:ping");
}

}  // namespace epode
