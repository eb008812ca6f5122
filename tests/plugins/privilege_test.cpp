// Components that act in the name of accounts (XEP-0356).
#include "tests/plugins/answers.h"
#include "tests/route/stanza_pattern.h"
#include "tests/stream/component.h"

using namespace epode;

namespace {

const std::string enabled = "[plugins]\nenabled = ['privilege']\n";

void gets(TestClient& client, std::string_view pattern) {
    const std::string got = client.next();
    INFO("expected: " << std::string{pattern} << "\ngot: " << got);
    CHECK(mismatch(pattern, got) == "");
}
void getsNothing(TestClient& client) { CHECK(client.next() == ""); }

std::string attribute(std::string_view xml, std::string_view name) {
    const auto element = parseXml(xml, ns::client);
    return element ? std::string{(*element)->get(name)} : std::string{};
}

std::string may(std::string_view what) { return enabled + bridgeConfig + std::string{what} + "\n"; }

// A component that has read what it may do.
TestClient& joinForgetting(TestServer& server, unsigned shard = 0) {
    auto& component = join(server, shard);
    server.run();
    component.forget();
    return component;
}

std::string iqFrom(std::string_view from, std::string_view to, std::string_view type,
                   std::string_view payload) {
    return "<iq id='1' type='" + std::string{type} + "' from='" + std::string{from} + "' to='" +
           std::string{to} + "'>" + std::string{payload} + "</iq>";
}

std::string envelope(std::string_view inner) {
    return "<privileged_iq xmlns='urn:xmpp:privilege:2'>" + std::string{inner} + "</privileged_iq>";
}

std::string onBehalf(std::string_view inner) {
    return "<message from='bridge.capulet.example' to='capulet.example' id='1'><privilege "
           "xmlns='urn:xmpp:privilege:2'>"
           "<forwarded xmlns='urn:xmpp:forward:0'>" +
           std::string{inner} + "</forwarded></privilege></message>";
}

constexpr std::string_view rosterGet = "<query xmlns='jabber:iq:roster'/>";
constexpr std::string_view rosterSet =
    "<query xmlns='jabber:iq:roster'><item jid='romeo@bridge.capulet.example' "
    "name='Romeo'/></query>";

}  // namespace

TEST_CASE("a component is told what it may do, and no more") {
    struct Row {
        std::string config, privilege;
    };
    const auto [config, privilege] = GENERATE(values<Row>({
        {"roster_access = 'both'\nmessage_access = 'outgoing'\npresence_access = 'managed_entity'\n"
         "iq_access = ['urn:b=get', 'urn:a=both', 'urn:=c=set', 'urn:none=none']",
         "<perm access='roster' type='both' push='true'/><perm access='message' "
         "type='outgoing'/><perm access='iq'>"
         "<namespace ns='urn:=c' type='set'/><namespace ns='urn:a' type='both'/><namespace "
         "ns='urn:b' type='get'/></perm>"
         "<perm access='presence' type='managed_entity'/>"},
        {"roster_access = 'set'", "<perm access='roster' type='set' push='false'/>"},
        {"roster_access = 'get'\nroster_push = false",
         "<perm access='roster' type='get' push='false'/>"},
        {"message_access = 'outgoing'", "<perm access='message' type='outgoing'/>"},
        {"roster_access = 'none'", ""},
    }));
    TestServer server{may(config)};
    auto& component = join(server);
    std::vector<std::string> told = component.all();
    if (privilege.empty()) {
        CHECK(told.empty());
        return;
    }
    // By each host that has the plugin.
    REQUIRE(told.size() == 2);
    const std::string pattern =
        "<message xmlns='jabber:client' from='*' to='bridge.capulet.example'>"
        "<privilege xmlns='urn:xmpp:privilege:2'>" +
        privilege + "</privilege></message>";
    for (const auto& xml : told) {
        INFO(xml);
        CHECK(mismatch(pattern, xml) == "");
    }
}

TEST_CASE("without the plugin nobody has privileges") {
    TestServer server{bridgeConfig + "roster_access = 'both'\nmessage_access = 'outgoing'\n"};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = join(server);
    CHECK(component.next() == "");
    component.send(iqFrom(bridge, "juliet@capulet.example", "get", rosterGet));
    CHECK(outcome(component.next()) == "auth forbidden");
    component.send(onBehalf(
        "<message xmlns='jabber:client' from='juliet@capulet.example' to='juliet@capulet.example'>"
        "<body>x</body></message>"));
    CHECK(outcome(component.next()) == "cancel service-unavailable");
    getsNothing(juliet);
}

TEST_CASE("rosters are read and changed as far as the component may") {
    struct Row {
        std::string access, get, set;
    };
    const auto [access, get, set] = GENERATE(values<Row>({
        {"both", "result", "result"},
        {"get", "result", "auth forbidden"},
        {"set", "auth forbidden", "result"},
        {"none", "auth forbidden", "auth forbidden"},
    }));
    TestServer server{may("roster_access = '" + access + "'\nroster_push = false"),
                      GENERATE(1u, 2u)};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.ask("get", rosterGet);
    auto& component = joinForgetting(server, server.server().shardCount() - 1);
    component.send(iqFrom(bridge, "juliet@capulet.example", "set", rosterSet));
    CHECK(outcome(component.next()) == set);
    // Her clients see it as any change.
    CHECK((juliet.next().find("name='Romeo'") != std::string::npos) == (set == "result"));
    component.send(iqFrom(bridge, "juliet@capulet.example", "get", rosterGet));
    const std::string answer = component.next();
    CHECK(outcome(answer) == get);
    CHECK(attribute(answer, "id") == "1");
    CHECK(attribute(answer, "from") ==
          (get == "result" ? "juliet@capulet.example" : attribute(answer, "from")));
    CHECK((answer.find("name='Romeo'") != std::string::npos) ==
          (get == "result" && set == "result"));
    CHECK(component.next() == "");
}

TEST_CASE("privileges are the component's own, not those of somebody at it or of another one") {
    TestServer server{may("roster_access = 'both'") +
                      "[component.'other.example']\nsecret = 'o'\n"};
    server.login("juliet@capulet.example/balcony");
    auto& component = joinForgetting(server);
    component.send(
        iqFrom("somebody@bridge.capulet.example", "juliet@capulet.example", "get", rosterGet));
    CHECK(outcome(component.next()) == "auth forbidden");
    auto& other = join(server, 0, "other.example", "o");
    other.send(iqFrom("other.example", "juliet@capulet.example", "get", rosterGet));
    CHECK(outcome(other.next()) == "auth forbidden");
    // Who isn't there has no roster.
    component.send(iqFrom(bridge, "nobody@capulet.example", "get", rosterGet));
    CHECK(outcome(component.next()) != "result");
}

TEST_CASE("privileges for all components are for nobody who is none") {
    TestServer server{enabled + bridgeConfig + "[component]\nroster_access = 'both'\n"};
    server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@capulet.example/orchard");
    CHECK(outcome(romeo.ask("get", rosterGet, "juliet@capulet.example")) == "auth forbidden");
}

TEST_CASE(
    "roster pushes go to whom they are allowed, also when no client has asked for the roster") {
    TestServer server{may("roster_access = 'get'")};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = joinForgetting(server);
    juliet.send(
        "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item "
        "jid='nurse@capulet.example'/></query></iq>");
    gets(component,
         "<iq type='set' from='juliet@capulet.example' to='bridge.capulet.example'>"
         "<query xmlns='jabber:iq:roster' ver='*'><item jid='nurse@capulet.example' "
         "subscription='none'/>"
         "</query></iq>");
    juliet.send(
        "<iq type='set' id='r'><query xmlns='jabber:iq:roster'>"
        "<item jid='nurse@capulet.example' subscription='remove'/></query></iq>");
    CHECK(component.next().find("subscription='remove'") != std::string::npos);
    // A reload changes what holds, for those who are connected, too.
    server.reload(may("roster_access = 'set'"));
    juliet.send(
        "<iq type='set' id='r'><query xmlns='jabber:iq:roster'><item "
        "jid='nurse@capulet.example'/></query></iq>");
    CHECK(component.next() == "");
}

TEST_CASE("a message in an account's name is its own: in its archive, and with its other clients") {
    TestServer server{may("message_access = 'outgoing'"), GENERATE(1u, 2u)};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    juliet.ask("set", "<enable xmlns='urn:xmpp:carbons:2'/>");
    auto& romeo = server.login("romeo@montague.example/orchard");
    auto& component = joinForgetting(server);
    component.send(
        onBehalf("<message xmlns='jabber:client' type='chat' from='juliet@capulet.example' "
                 "to='romeo@montague.example' id='x'><body>by phone</body></message>"));
    gets(romeo,
         "<message type='chat' from='juliet@capulet.example' id='x'><body>by phone</body>"
         "<stanza-id xmlns='urn:xmpp:sid:0' by='romeo@montague.example' id='*'/></message>");
    const std::string carbon = juliet.next();
    CHECK(carbon.find("<sent xmlns='urn:xmpp:carbons:2'>") != std::string::npos);
    CHECK(carbon.find("by phone") != std::string::npos);
    juliet.send("<iq type='set' id='m'><query xmlns='urn:xmpp:mam:2'/></iq>");
    CHECK(juliet.next().find("by phone") != std::string::npos);
    getsNothing(component);
}

TEST_CASE("a message that may not be sent for somebody is refused") {
    struct Row {
        std::string inner, refusal;
    };
    const std::string body = " to='romeo@montague.example'><body>x</body></message>";
    const auto [inner, refusal] = GENERATE_COPY(values<Row>({
        {"<message xmlns='jabber:client' from='juliet@capulet.example/balcony'" + body,
         "auth forbidden"},
        {"<message xmlns='jabber:client' from='capulet.example/x'" + body, "auth forbidden"},
        {"<message xmlns='jabber:client' from='romeo@montague.example'" + body, "auth forbidden"},
        {"<message xmlns='jabber:client' from='montague.example'" + body, "auth forbidden"},
        {"<message xmlns='jabber:client' from='a@far.example'" + body, "auth forbidden"},
        {"<message xmlns='jabber:client' from='nobody@capulet.example'" + body, "auth forbidden"},
        {"<message xmlns='jabber:client'" + body, "auth forbidden"},
        {"<message xmlns='jabber:client' from='juliet@capulet.example'><body>x</body></message>",
         "modify bad-request"},
        {"<message xmlns='jabber:client' from='juliet@capulet.example' to='@@'/>",
         "modify bad-request"},
        {"<presence xmlns='jabber:client' from='juliet@capulet.example' "
         "to='romeo@montague.example'/>",
         "modify bad-request"},
        {"<message from='juliet@capulet.example'" + body, "modify bad-request"},
        {"", "modify bad-request"},
    }));
    TestServer server{may("message_access = 'outgoing'")};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    auto& component = joinForgetting(server);
    INFO(inner);
    component.send(onBehalf(inner));
    CHECK(outcome(component.next()) == refusal);
    getsNothing(romeo);
    getsNothing(juliet);
    // Nobody at the component may, nor a client.
    const auto good = onBehalf("<message xmlns='jabber:client' from='capulet.example'" + body);
    std::string forged = good;
    forged.replace(forged.find("bridge"), 6, "x@bridge");
    component.send(forged);
    CHECK(outcome(component.next()) == "cancel service-unavailable");
    juliet.send(good);
    CHECK(outcome(juliet.next()) == "cancel service-unavailable");
    getsNothing(romeo);
    component.send(good);
    CHECK(romeo.next().find("<body>x</body>") != std::string::npos);
}

TEST_CASE("a request in an account's name is answered to the component") {
    TestServer server{may("iq_access = ['jabber:iq:private=both', 'urn:xmpp:ping=get']"),
                      GENERATE(1u, 2u)};
    server.login("juliet@capulet.example/balcony");
    auto& romeo = server.login("romeo@montague.example/orchard");
    auto& component = joinForgetting(server);
    component.send(iqFrom(
        bridge, "juliet@capulet.example", "set",
        envelope("<iq xmlns='jabber:client' type='set' id='in'><query xmlns='jabber:iq:private'>"
                 "<note xmlns='urn:note'>x</note></query></iq>")));
    gets(component,
         "<iq type='result' from='juliet@capulet.example' to='bridge.capulet.example' "
         "id='1'><privilege xmlns='urn:xmpp:privilege:2'><forwarded xmlns='urn:xmpp:forward:0'>"
         "<iq xmlns='jabber:client' type='result' from='juliet@capulet.example' "
         "to='juliet@capulet.example' "
         "id='in'/></forwarded></privilege></iq>");
    component.send(iqFrom(
        bridge, "juliet@capulet.example", "get",
        envelope("<iq xmlns='jabber:client' type='get' id='in' from='juliet@capulet.example'>"
                 "<query xmlns='jabber:iq:private'><note xmlns='urn:note'/></query></iq>")));
    CHECK(component.next().find("<note xmlns='urn:note'>x</note>") != std::string::npos);
    // To others, and with their errors.
    component.send(iqFrom(
        bridge, "juliet@capulet.example", "get",
        envelope("<iq xmlns='jabber:client' type='get' id='in' to='romeo@montague.example/orchard'>"
                 "<ping xmlns='urn:xmpp:ping'/></iq>")));
    const std::string answer = component.next();
    CHECK(answer.find("<service-unavailable") != std::string::npos);
    CHECK(attribute(answer, "type") == "result");
    getsNothing(romeo);
}

TEST_CASE("a request that may not be made for somebody is refused") {
    const std::string ping = "<ping xmlns='urn:xmpp:ping'/></iq>";
    const auto [to, type, inner] = GENERATE_COPY(table<std::string, std::string, std::string>({
        {"juliet@capulet.example", "get", "<iq type='get' id='i'>" + ping},
        {"juliet@capulet.example", "get", "<iq xmlns='jabber:server' type='get' id='i'>" + ping},
        {"juliet@capulet.example", "set", "<iq xmlns='jabber:client' type='get' id='i'>" + ping},
        {"juliet@capulet.example", "set", "<iq xmlns='jabber:client' type='set' id='i'>" + ping},
        {"juliet@capulet.example", "get", "<iq xmlns='jabber:client' type='result' id='i'/>"},
        {"juliet@capulet.example", "get", "<iq xmlns='jabber:client' type='get'>" + ping},
        {"juliet@capulet.example", "get", "<iq xmlns='jabber:client' type='get' id='i'/>"},
        {"juliet@capulet.example", "get",
         "<iq xmlns='jabber:client' type='get' id='i' from='romeo@montague.example'>" + ping},
        {"juliet@capulet.example", "get",
         "<iq xmlns='jabber:client' type='get' id='i' from='juliet@capulet.example/x'>" + ping},
        {"juliet@capulet.example", "get",
         "<iq xmlns='jabber:client' type='get' id='i'><query xmlns='jabber:iq:private'/></iq>"},
        {"juliet@capulet.example", "get", ""},
        {"juliet@capulet.example/balcony", "get",
         "<iq xmlns='jabber:client' type='get' id='i'>" + ping},
    }));
    TestServer server{may("iq_access = ['urn:xmpp:ping=get']")};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    auto& component = joinForgetting(server);
    INFO(to << " " << type << " " << inner);
    component.send(iqFrom(bridge, to, type, envelope(inner)));
    CHECK(outcome(component.next()) == "auth forbidden");
    getsNothing(juliet);
}

TEST_CASE(
    "presence of accounts' clients goes to whom it is allowed, also of those who were there "
    "before") {
    TestServer server{may("presence_access = 'managed_entity'"), GENERATE(1u, 3u)};
    auto& juliet = server.login("juliet@capulet.example/balcony");
    server.login("nurse@capulet.example/kitchen", false);
    auto& component = join(server);
    std::string told;
    for (const auto& xml : component.all()) told += xml;
    CHECK(told.find("from='juliet@capulet.example/balcony' to='bridge.capulet.example'") !=
          std::string::npos);
    CHECK(told.find("nurse") == std::string::npos);
    auto& romeo = server.login("romeo@montague.example/orchard");
    gets(component,
         "<presence from='romeo@montague.example/orchard' to='bridge.capulet.example'>"
         "<priority>0</priority></presence>");
    juliet.send("<presence><show>away</show></presence>");
    gets(component,
         "<presence from='juliet@capulet.example/balcony' to='bridge.capulet.example'>"
         "<show>away</show></presence>");
    // What is for somebody else is not for it.
    juliet.send("<presence to='romeo@montague.example'><show>dnd</show></presence>");
    CHECK(component.next() == "");
    romeo.send("<presence type='unavailable'/>");
    gets(component,
         "<presence type='unavailable' from='romeo@montague.example/orchard' "
         "to='bridge.capulet.example'/>");
}
