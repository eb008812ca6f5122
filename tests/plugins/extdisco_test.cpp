#include "core/time_format.h"
#include "plugins/extdisco/service_uri.h"
#include "plugins/extdisco/turn_credentials.h"
#include "tests/plugins/answers.h"

using namespace epode;

namespace {

using extdisco::ExternalService;

constexpr std::string_view toml = R"(
[external_services]
uris = ["stun:stun.capulet.example", "turn:turn.capulet.example:3478?transport=udp",
        "turn:turn.capulet.example:3479?transport=tcp", "turns:[2001:db8::1]?name=The%20relay",
        "ftp:ftp.capulet.example:21?transport=tcp", "nonsense"]
secret = 'Wherefore art thou'
credentials_lifetime = '10 min'
)";

std::string services(std::string_view attributes = {}, int version = 2) {
    return "<services xmlns='urn:xmpp:extdisco:" + std::to_string(version) + "' " +
           std::string{attributes} + "/>";
}
std::string credentials(std::string_view content, int version = 2) {
    return "<credentials xmlns='urn:xmpp:extdisco:" + std::to_string(version) + "'>" +
           std::string{content} + "</credentials>";
}

Document parsed(const std::string& answer) {
    auto read = parseXml(payload(answer));
    REQUIRE(read);
    return std::move(*read);
}

}  // namespace

TEST_CASE("a service's URI says type, host, port and transport, and what is usual is added") {
    struct Row {
        std::string uri;
        ExternalService service;
    };
    const std::vector<Row> rows{
        {"stun:stun.example.org", {"stun", "stun.example.org", 3478, "udp", ""}},
        {"stuns:stun.example.org", {"stuns", "stun.example.org", 5349, "tcp", ""}},
        {"turn:turn.example.org:80?transport=tcp", {"turn", "turn.example.org", 80, "tcp", ""}},
        {"turns:192.0.2.7:443", {"turns", "192.0.2.7", 443, "tcp", ""}},
        {"turn:[2001:db8::7]:3478", {"turn", "2001:db8::7", 3478, "udp", ""}},
        {"turn:[2001:db8::7]", {"turn", "2001:db8::7", 3478, "udp", ""}},
        {"ftp:ftp.example.org?name=Shakespearean%20files",
         {"ftp", "ftp.example.org", 0, "", "Shakespearean files"}},
        {"turn:a.example?name=x&transport=tcp", {"turn", "a.example", 3478, "tcp", "x"}},
    };
    for (const auto& row : rows) {
        INFO(row.uri);
        const auto read = extdisco::readServiceUri(row.uri);
        REQUIRE(std::holds_alternative<ExternalService>(read));
        CHECK((std::get<ExternalService>(read) == row.service));
    }
    for (const std::string bad :
         {"", "turn", "turn:", ":host", "Turn:host", "turn://host", "turn:host:0",
          "turn:host:65536", "turn:host:", "turn:2001:db8::7", "turn:[2001:db8::7",
          "turn:host?transport=sctp", "turn:host?transport", "turn:host?x=1", "turn:ho st",
          "turn:host?name=%2", "turn:host?name=%zz", "turn:user@host"}) {
        INFO(bad);
        CHECK(std::holds_alternative<std::string>(extdisco::readServiceUri(bad)));
    }
}

TEST_CASE("a TURN credential is the HMAC-SHA1 of its user name with the shared secret") {
    const auto made =
        extdisco::makeTurnCredentials("north", "alice", fromMilliseconds(1433895918506));
    CHECK(made.username == "1433895918:alice");
    CHECK(made.password == "RqMvcGPYTJMGThVLSi4amT4zFtI=");
    CHECK(made.expires == fromMilliseconds(1433895918000));

    const auto juliet = *Jid::parse("juliet@capulet.example/balcony");
    const auto elsewhere = *Jid::parse("juliet@capulet.example/garden");
    const auto romeo = *Jid::parse("romeo@capulet.example");
    CHECK(extdisco::pseudonymOf("north", juliet) == extdisco::pseudonymOf("north", elsewhere));
    CHECK(extdisco::pseudonymOf("north", juliet) != extdisco::pseudonymOf("north", romeo));
    CHECK(extdisco::pseudonymOf("north", juliet) != extdisco::pseudonymOf("south", juliet));
    CHECK(extdisco::pseudonymOf("north", juliet).find("juliet") == std::string::npos);
}

TEST_CASE("the users of a host learn of its services, with credentials where they are needed") {
    TestServer server{toml};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    for (const int version : {1, 2}) {
        const auto answer = parsed(juliet.ask("get", services("", version), "capulet.example"));
        CHECK(answer->children().size() == 5);
        std::vector<std::string> types;
        for (const Element& service : answer->children()) {
            types.emplace_back(service.get("type"));
            const bool isRelay = service.get("type").starts_with("turn");
            CHECK(service.find("username").has_value() == isRelay);
            CHECK(service.find("password").has_value() == isRelay);
            CHECK(service.get("restricted") == (isRelay ? "true" : ""));
            if (!isRelay) continue;
            // What it says is what the TURN server will check.
            const std::string username{service.get("username")};
            const auto expires = parseDateTime(service.get("expires"));
            REQUIRE(expires);
            const auto user =
                extdisco::pseudonymOf("Wherefore art thou", *Jid::parse(juliet.jid()));
            const auto expected =
                extdisco::makeTurnCredentials("Wherefore art thou", user, *expires);
            CHECK(username == expected.username);
            CHECK(service.get("password") == expected.password);
            const auto left = *expires - server.clientExecutor().wallNow();
            CHECK(left <= std::chrono::minutes{10});
            CHECK(left > std::chrono::minutes{9});
        }
        CHECK(types == std::vector<std::string>{"stun", "turn", "turn", "turns", "ftp"});
    }
    const auto relay = parsed(juliet.ask("get", services("type='turns'"), "capulet.example"));
    CHECK(relay->get("type") == "turns");
    REQUIRE(relay->children().size() == 1);
    CHECK(relay->firstChild()->get("host") == "2001:db8::1");
    CHECK(relay->firstChild()->get("port") == "5349");
    CHECK(relay->firstChild()->get("name") == "The relay");
    const auto none = parsed(juliet.ask("get", services("type='gopher'"), "capulet.example"));
    CHECK(none->children().empty());
}

TEST_CASE(
    "credentials for one service are given by its host and type, and its port if there are "
    "several") {
    TestServer server{toml};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto ask = [&](std::string_view content, int version = 2) {
        return juliet.ask("get", credentials(content, version), "capulet.example");
    };
    const auto both = parsed(ask("<service host='turn.capulet.example' type='turn'/>"));
    CHECK(both->children().size() == 2);
    const auto one = parsed(ask("<service host='turn.capulet.example' type='turn' port='3479'/>"));
    REQUIRE(one->children().size() == 1);
    CHECK(one->firstChild()->get("transport") == "tcp");
    CHECK(!one->firstChild()->get("password").empty());
    CHECK(!one->firstChild()->get("expires").empty());
    // The version before asks by the host.
    CHECK(parsed(ask("<service host='turn.capulet.example'/>", 1))->children().size() == 2);
    const auto two =
        parsed(ask("<service host='2001:db8::1' type='turns'/>"
                   "<service host='turn.capulet.example' type='turn' port='3478'/>"));
    CHECK(two->children().size() == 2);

    CHECK(outcome(ask("")) == "modify bad-request");
    CHECK(outcome(ask("<service type='turn'/>")) == "modify bad-request");
    CHECK(outcome(ask("<service host='turn.capulet.example'/>")) == "modify bad-request");
    CHECK(outcome(ask("<service xmlns='other' host='turn.capulet.example' type='turn'/>")) ==
          "modify bad-request");
    for (const std::string missing : {"<service host='turn.montague.example' type='turn'/>",
                                      "<service host='turn.capulet.example' type='turns'/>",
                                      "<service host='turn.capulet.example' type='turn' port='1'/>",
                                      "<service host='turn.capulet.example' type='turn' port='x'/>",
                                      "<service host='stun.capulet.example' type='stun'/>"}) {
        INFO(missing);
        CHECK(outcome(ask(missing)) == "cancel item-not-found");
    }
    std::string many;
    for (int i = 0; i < 200; ++i) many += "<service host='turn.capulet.example' type='turn'/>";
    CHECK(outcome(ask(many)) == "cancel item-not-found");
}

TEST_CASE("strangers learn of no service") {
    TestServer server{toml};
    auto& romeo = server.login("romeo@montague.example/orchard");
    CHECK(outcome(romeo.ask("get", services(), "capulet.example")) == "auth forbidden");
    CHECK(
        outcome(romeo.ask("get", credentials("<service host='turn.capulet.example' type='turn'/>"),
                          "capulet.example")) == "auth forbidden");
    CHECK(outcome(romeo.ask("get", services(), "juliet@capulet.example")) ==
          "cancel service-unavailable");
    CHECK(outcome(romeo.ask("set", services(), "montague.example")) ==
          "cancel service-unavailable");
}

TEST_CASE("without a secret there are no credentials, and without services there is nothing") {
    TestServer server{
        "[external_services]\nuris = ['turn:turn.capulet.example']\n"
        "[host.'capulet.example']\n[host.'montague.example'.external_services]\nuris = []"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    const auto answer = parsed(juliet.ask("get", services(), "capulet.example"));
    REQUIRE(answer->firstChild());
    CHECK(answer->firstChild()->get("restricted") == "true");
    CHECK(!answer->firstChild()->find("password"));
    CHECK(
        outcome(juliet.ask("get", credentials("<service host='turn.capulet.example' type='turn'/>"),
                           "capulet.example")) == "cancel item-not-found");

    auto& romeo = server.login("romeo@montague.example/orchard");
    CHECK(outcome(romeo.ask("get", services(), "montague.example")) ==
          "cancel service-unavailable");
    const std::string info = "<query xmlns='http://jabber.org/protocol/disco#info'/>";
    CHECK(payload(romeo.ask("get", info, "montague.example")).find("extdisco") ==
          std::string::npos);
    CHECK(payload(juliet.ask("get", info, "capulet.example")).find("urn:xmpp:extdisco:2") !=
          std::string::npos);
}
