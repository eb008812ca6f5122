// What the conversations of SASL2 have in common (XEP-0388).
#pragma once

#include "core/base64.h"
#include "core/sasl/ht.h"
#include "core/sasl/scram_client.h"
#include "tests/stream/conversation.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace epode {

constexpr std::string_view sasl2Ns = "urn:xmpp:sasl:2";
constexpr std::string_view phone = "d4565fa7-4d72-4749-b3d3-740edbf87770";
constexpr std::string_view laptop = "0f8fad5b-d9cb-469f-a165-70867728950e";

inline std::string userAgent(std::string_view id, std::string_view software = "Balcony",
                             std::string_view device = "Kiva's Phone") {
    return "<user-agent id='" + std::string{id} + "'><software>" + std::string{software} +
           "</software><device>" + std::string{device} + "</device></user-agent>";
}

// <authenticate/>; `more` is what goes along.
inline std::string authenticate(std::string_view mechanism, std::optional<std::string> message,
                                std::string_view more = {}) {
    std::string xml{"<authenticate xmlns='urn:xmpp:sasl:2' mechanism='"};
    xml.append(mechanism).append("'>");
    if (message)
        xml.append("<initial-response>")
            .append(encodeBase64(*message))
            .append("</initial-response>");
    return xml.append(more).append("</authenticate>");
}

inline std::string plainMessage(std::string_view local, std::string_view password = "secret",
                                std::string_view authzid = {}) {
    return std::string{authzid} + '\0' + std::string{local} + '\0' + std::string{password};
}

inline std::string plain2(std::string_view local, std::string_view more = {},
                          std::string_view password = "secret") {
    return authenticate("PLAIN", plainMessage(local, password), more);
}

// A connection over TLS that has got its features; `from` goes into the header.
inline TestClient& open(TestServer& server, std::string_view from = {},
                        SimLinkSettings settings = {}) {
    auto& client = server.connect(std::move(settings), true);
    const std::string more = from.empty() ? std::string{} : " from='" + std::string{from} + "'";
    return client.sendHeader("capulet.example", more);
}

inline Document parsed(std::string_view xml) {
    auto element = parseXml(xml, ns::client);
    INFO(std::string{xml});
    REQUIRE(element);
    return std::move(*element);
}

// The condition of a <failure/>, or what else came.
inline std::string failure2(TestClient& client) {
    const std::string xml = client.next();
    const auto element = parseXml(xml, ns::client);
    if (!element || !(*element)->is("failure", sasl2Ns)) return xml;
    CHECK((*element)->child("text"));
    const Element* condition = (*element)->firstChild();
    CHECK(condition->ns() == ns::sasl);
    return std::string{condition->name()};
}

// <success/> and what it has brought.
struct Success2 {
    Document xml;
    std::string identity;
    std::string resource;
    const Element* bound = nullptr;
    std::string token;
    std::string expiry;
};

inline Success2 success2(TestClient& client) {
    Success2 success;
    const std::string text = client.next();
    INFO(text);
    success.xml = parsed(text);
    REQUIRE(success.xml->is("success", sasl2Ns));
    success.identity = success.xml->childText("authorization-identifier");
    if (const auto jid = Jid::parse(success.identity)) success.resource = jid->resource();
    success.bound = success.xml->child("bound", "urn:xmpp:bind:0");
    if (const Element* token = success.xml->child("token", "urn:xmpp:fast:0")) {
        success.token = token->get("token");
        success.expiry = token->get("expiry");
    }
    return success;
}

inline std::string bind2(std::string_view inside = "<tag>Balcony</tag>") {
    return "<bind xmlns='urn:xmpp:bind:0'>" + std::string{inside} + "</bind>";
}

inline std::string requestToken(std::string_view mechanism) {
    return "<request-token xmlns='urn:xmpp:fast:0' mechanism='" + std::string{mechanism} + "'/>";
}

// The message of HT for this connection.
inline std::string htMessage(TestClient& client, std::string_view local, std::string_view mechanism,
                             std::string_view token) {
    const auto known = sasl::parseHtName(mechanism).value();
    const TlsInfo& tls = *client.transport().tls();
    const std::string binding = known.bindingType.empty()             ? std::string{}
                                : known.bindingType == "tls-exporter" ? tls.exporter
                                                                      : tls.serverEndPoint;
    return std::string{local} + '\0' + sasl::htProof(known.hash, token, binding);
}

inline std::string byToken(TestClient& client, std::string_view local, std::string_view mechanism,
                           std::string_view token, std::string_view agent = phone,
                           std::string_view fastAttributes = {}, std::string_view more = {}) {
    return authenticate(mechanism, htMessage(client, local, mechanism, token),
                        userAgent(agent) + "<fast xmlns='urn:xmpp:fast:0'" +
                            std::string{fastAttributes} + "/>" + std::string{more});
}

// A token for a device that has logged in with its password.
inline std::string getToken(TestServer& server, std::string_view local,
                            std::string_view mechanism = "HT-SHA-256-EXPR",
                            std::string_view agent = phone) {
    auto& client = open(server).forget();
    client.send(plain2(local, userAgent(agent) + requestToken(mechanism)));
    const auto token = success2(client).token;
    REQUIRE(!token.empty());
    return token;
}

// What a login by token ends with: "" for success, else the condition.
inline std::string tryToken(TestServer& server, std::string_view local, std::string_view mechanism,
                            std::string_view token, std::string_view agent = phone,
                            std::string_view fastAttributes = {}) {
    auto& client = open(server).forget();
    client.send(byToken(client, local, mechanism, token, agent, fastAttributes));
    const auto answer = failure2(client);
    return answer.starts_with("<success ") ? std::string{} : answer;
}

}  // namespace epode
